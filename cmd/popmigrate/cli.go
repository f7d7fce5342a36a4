package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"popmigrate/jobs"
)

const description = "Moves mail off POP3 servers into archives that are read back and compared, " +
	"deletes on the server only what a job file says, and can be stopped and run again at any time."

// cli is the command line.
type cli struct {
	Run       runCmd       `cmd:"" help:"Copy, verify and, only if the job says so, delete and audit."`
	Check     checkCmd     `cmd:"" help:"Look at a job without any network: what is wrong, what it would do."`
	Preflight preflightCmd `cmd:"" help:"Log in to every maildrop and list it: what is ready, what stands in the way."`
	Probe     probeCmd     `cmd:"" help:"Look at a server without an account: TLS, certificate, logins, and how a job should reach it."`
	Copy      copyCmd      `cmd:"" help:"Copy one maildrop into a folder, without a job file."`
	Status    statusCmd    `cmd:"" help:"Show what the ledger knows, without network and secrets."`
	Verify    verifyCmd    `cmd:"" help:"Read stored copies again and compare them."`
	Version   versionCmd   `cmd:"" help:"Show the version of this program and what it is made of."`
}

// selection says which part of a job file a command works on.
type selection struct {
	Job  string `placeholder:"NAME" help:"Only the job of this name."`
	Only string `placeholder:"GLOB" help:"Only maildrops whose name matches, such as '*@example.net'."`
}

// app is what commands work with.
type app struct {
	*console
	ctx    context.Context
	screen *screen
	json   bool // standard output carries JSON lines and nothing else
	quiet  bool
	mute   bool // a command whose output is an answer, not a course of events: no last line on success
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, c *console) int {
	a := &app{console: c, ctx: ctx, screen: newScreen(c.err, c.width)}
	var commands cli
	helped := false
	parser, err := kong.New(&commands, kong.Name("popmigrate"), kong.Description(description),
		kong.Writers(c.out, c.err), kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))
	if err != nil {
		return a.end(err)
	}
	if len(args) == 0 {
		_, _ = parser.Parse([]string{"--help"})
		return a.end(&exitError{exitUsage, errors.New("a command is needed; nothing was done")})
	}
	parsed, err := parser.Parse(args)
	if helped {
		return int(exitComplete)
	}
	if err != nil {
		said := urlPassword.ReplaceAllString(err.Error(), "$1***@") // kong repeats what it does not understand
		return a.end(&exitError{exitUsage, errors.New(said + "; see popmigrate --help")})
	}
	return a.end(parsed.Run(a))
}

// urlPassword finds a password in a URL.
var urlPassword = regexp.MustCompile(`(://[^/@:\s]*:)[^@\s]*@`)

// end says what is left to say and returns the exit code.
func (a *app) end(err error) int {
	code := exitOf(err)
	var said *exitError
	if err != nil && (!errors.As(err, &said) || said.err != nil) {
		a.explain(err)
	}
	switch {
	case a.json && code != exitUsage:
	case code == exitUsage: // standard output may belong to a program
		a.screen.line(code.lastLine())
	case !a.mute || code != exitComplete:
		fmt.Fprintln(a.out, code.lastLine())
	}
	return int(code)
}

// explain prints an error that no report has.
func (a *app) explain(err error) {
	code := exitOf(err)
	if a.json && code != exitUsage {
		writeStartFailure(a.out, "", "", code, err)
		return
	}
	a.screen.complain(err)
}

// usage is a command line that was understood but makes no sense.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// choose loads a job file and returns the jobs that the selection names; all
// that were loaded are to be closed with the function.
func (s *selection) choose(path string, env jobs.Env) (selected []*jobs.Job, release func(), err error) {
	if strings.Contains(path, "://") { // not repeated: it may hold a password
		return nil, nil, usage("a URL stands where a job file is expected; popmigrate copy takes one")
	}
	file, err := jobs.Load(path, env)
	if err != nil {
		return nil, nil, err
	}
	release = func() {
		for _, job := range file.Jobs {
			_ = job.Close() // a demo server; nothing of it is kept
		}
	}
	selected, err = file.Select(s.Job)
	if err == nil && s.Only != "" {
		selected, err = filter(selected, s.Only)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return selected, release, nil
}

// filter keeps the accounts that match glob and the jobs that have any.
func filter(selected []*jobs.Job, glob string) ([]*jobs.Job, error) {
	var kept []*jobs.Job
	for _, job := range selected {
		n, err := job.Filter(glob)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			kept = append(kept, job)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("filter accounts: no maildrop's name matches %q", glob)
	}
	return kept, nil
}

// checkedWriter remembers the first error: what is printed in many pieces is
// checked once, at its end.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.err = err
	return n, err
}

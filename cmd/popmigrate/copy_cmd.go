package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"popmigrate/jobs"
)

type copyCmd struct {
	URL string `arg:"" name:"url" help:"pop://user@host or pops://user@host; write @ in a user name as %40 or use --user."`
	Dir string `arg:"" name:"dir" help:"The folder that takes the mail; made if need be."`

	User           string `placeholder:"NAME" help:"Log in with this name, where the URL has none."`
	PasswordEnv    string `placeholder:"NAME" help:"Take the password from this environment variable."`
	TLS            string `name:"tls" enum:",implicit,starttls,none" default:"" placeholder:"HOW" help:"implicit (port 995), starttls (port 110) or none; else as the URL says."`
	TLSCA          string `name:"tls-ca" placeholder:"FILE" help:"Trust the authorities in this PEM file."`
	TLSPin         string `name:"tls-pin" placeholder:"HEX" help:"Trust the one certificate of this SHA-256."`
	AllowCleartext bool   `help:"Allow --tls none: anyone on the way can read password and mail."`
	JSON           bool   `name:"json" help:"Print JSON lines on standard output and nothing else."`
	Quiet          bool   `short:"q" help:"Show no progress; print the final block only if something is wrong."`
}

// Help is shown by --help.
func (*copyCmd) Help() string {
	return "Nothing is deleted on the server. The password is asked for; or it comes from " + jobs.CopyPassword +
		", from --password-env, or from the first line of standard input where that is no terminal. " +
		"Copied again, only new mail is fetched. A job file to go on with is left in the folder.\n\n" +
		exitHelp(exitComplete, exitStart, exitIncomplete, exitVerification, exitNoAccount, exitLocked, exitUsage, exitInterrupted)
}

// Run copies one maildrop.
func (c *copyCmd) Run(a *app) error {
	a.json, a.quiet = c.JSON, c.Quiet
	url, err := c.url()
	if err != nil {
		return err
	}
	var password string // asked for below, before anything is shown
	get := func(context.Context) (string, error) { return password, nil }
	options, err := c.options(a)
	if err != nil {
		return err
	}
	job, text, err := jobs.FromURL(url, c.Dir, get, options...)
	if err != nil {
		return c.explain(err)
	}
	defer job.Close()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	stop := a.gently()
	defer stop.release()
	if password, err = a.password(stop, c.PasswordEnv, job.Job.Accounts[0].Name); err != nil {
		return err
	}
	a.warn(job)
	r := a.newMigration(job).run(stop)
	if r.report != nil && len(r.report.Accounts) > 0 && r.report.Accounts[0].EverSeen {
		if err := a.leaveJobFile(c.Dir, text); err != nil {
			a.screen.complain(err)
			r.code = worse(r.code, exitStart)
		}
	}
	return exitWith(r.code)
}

// url returns the URL with the user of --user in it.
func (c *copyCmd) url() (string, error) {
	parsed, err := jobs.ParseURL(c.URL)
	if err != nil {
		return "", usage("%w", err)
	}
	switch {
	case c.User == "" && parsed.User == "":
		return "", usage("the URL names no user; write pop://user@host, or --user NAME")
	case c.User == "":
		return c.URL, nil
	case parsed.User != "":
		return "", usage("both the URL and --user name a user")
	}
	scheme, rest, _ := strings.Cut(c.URL, "://")
	return scheme + "://" + percentEncode(c.User) + "@" + rest, nil
}

// percentEncode writes a user name for a URL (RFC 3986 section 2.1).
func percentEncode(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (c *copyCmd) options(a *app) ([]jobs.CopyOption, error) {
	options := []jobs.CopyOption{jobs.WithEnv(a.jobsEnv())}
	if c.TLS != "" {
		options = append(options, jobs.WithTLS(c.TLS))
	}
	if c.TLS == "none" && !c.AllowCleartext {
		return nil, usage("--tls none sends the password readable by anyone on the way; if that is meant, add --allow-cleartext")
	}
	if c.AllowCleartext {
		options = append(options, jobs.WithCleartext())
	}
	if c.TLSCA != "" {
		path, err := filepath.Abs(c.TLSCA)
		if err != nil {
			return nil, err
		}
		options = append(options, jobs.WithAuthorities(path))
	}
	if c.TLSPin != "" {
		options = append(options, jobs.WithPin(c.TLSPin))
	}
	return options, nil
}

// explain makes a usage error of what is wrong with a job that nobody wrote.
func (c *copyCmd) explain(err error) error {
	var diagnostics *jobs.Diagnostics
	if errors.As(err, &diagnostics) {
		return usage("%s", diagnostics.Error())
	}
	return err
}

// leaveJobFile writes the job file that means the same as this copy. One that
// is there and says something else is left alone.
func (a *app) leaveJobFile(dir string, text []byte) error {
	path := filepath.Join(dir, jobs.CopyFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, text) {
			a.note("%s says something else than this copy; it was left as it is.", path)
		}
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	a.note("Job file to go on with: %s", path)
	return nil
}

// password returns the password from wherever the user put it.
func (a *app) password(stop *stopper, variable, name string) (string, error) {
	if variable != "" {
		if password := a.getenv(variable); password != "" {
			return password, nil
		}
		// Its name is not repeated: it may be the password in the wrong place.
		return "", errors.New("read password: the environment variable that --password-env names is not set")
	}
	if password := a.getenv(jobs.CopyPassword); password != "" {
		return password, nil
	}
	if file, ok := a.in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return a.prompt(stop, file, name)
	}
	line, err := bufio.NewReader(io.LimitReader(a.in, 64<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read password: %w", err)
	}
	if line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"); line == "" {
		return "", fmt.Errorf("read password: standard input has none; set %s or use a terminal", jobs.CopyPassword)
	}
	return line, nil
}

// prompt asks on the terminal, without echo. It gives the terminal back as it
// was when the user interrupts it.
func (a *app) prompt(stop *stopper, terminal *os.File, name string) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	fmt.Fprintf(a.err, "Password for %s: ", plain(name))
	type answer struct {
		password []byte
		err      error
	}
	answered := make(chan answer, 1)
	go func() {
		password, err := term.ReadPassword(fd)
		answered <- answer{password, err}
	}()
	select {
	case <-stop.quiesce:
	case <-stop.Done():
	case got := <-answered:
		fmt.Fprintln(a.err)
		if got.err != nil {
			return "", fmt.Errorf("read password: %w", got.err)
		}
		if len(got.password) == 0 {
			return "", errors.New("read password: it is empty")
		}
		return string(got.password), nil
	}
	_ = term.Restore(fd, before)
	return "", &exitError{exitInterrupted, errors.New("read password: interrupted")}
}

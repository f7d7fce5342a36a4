package jobs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"popmigrate/pop3/auth/oauth"
)

// Env is what loading a job takes from the system. A nil field means the real one.
type Env struct {
	Getenv   func(name string) string // "" counts as not set
	ReadFile func(path string) ([]byte, error)
	Stat     func(path string) (fs.FileInfo, error)

	// Command runs a program without a shell and returns its standard output.
	Command func(ctx context.Context, argv []string) ([]byte, error)

	// Prompt tells a user how to allow an OAuth2 login in a browser.
	Prompt func(oauth.Prompt)

	// NoSecrets loads without checking that what secrets refer to is there,
	// for commands that log in nowhere.
	NoSecrets bool
}

func (e Env) withDefaults() Env {
	if e.Getenv == nil {
		e.Getenv = os.Getenv
	}
	if e.ReadFile == nil {
		e.ReadFile = os.ReadFile
	}
	if e.Stat == nil {
		e.Stat = os.Stat
	}
	if e.Command == nil {
		e.Command = runCommand
	}
	if e.Prompt == nil {
		e.Prompt = promptOnStderr
	}
	return e
}

// promptOnStderr writes one line to the terminal.
func promptOnStderr(p oauth.Prompt) {
	fmt.Fprintf(os.Stderr, "To let popmigrate read the mail of %s, visit %s and enter the code %s (before %s).\n",
		oneLine(p.User), p.URL, p.UserCode, p.Expires.Format("15:04"))
}

// runCommand lets the program ask its user: standard input and error stay the
// terminal's.
func runCommand(ctx context.Context, argv []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	return cmd.Output()
}

// readableByOthers tells whether anyone but the owner may read the file. On
// Windows the mode says nothing about that.
func readableByOthers(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}

// shellWord quotes a path for a command that a person is told to run.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@:,", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

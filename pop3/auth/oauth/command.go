package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/oauth2"

	"popmigrate/internal/redact"
)

const (
	maxComplaint = 4 << 10 // octets of standard error that are looked at
	afterKill    = 2 * time.Second
)

// program runs the program that prints a user's token. Its standard input is
// empty: hundreds of sessions cannot share a terminal.
func (s *Source) program(ctx context.Context, user string) (*oauth2.Token, error) {
	argv := s.config.Program(user)
	if len(argv) == 0 {
		return nil, errors.New("no program is named")
	}
	running, cancel := context.WithTimeout(ctx, s.config.ProgramTimeout)
	defer cancel()
	printed, complained := &limited{most: maxToken + 2}, &limited{most: maxComplaint}
	cmd := exec.CommandContext(running, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "POPMIGRATE_USER="+user)
	cmd.Stdout, cmd.Stderr = printed, complained
	cmd.WaitDelay = afterKill // a child of it may hold the pipes open
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; what it left behind, such as an agent, does not matter
	}
	token := string(bytes.TrimRight(printed.data, "\r\n"))
	if err == nil && !printed.over {
		return &oauth2.Token{AccessToken: token}, nil
	}
	failure := &Error{Op: "command", Err: err}
	switch exit := (*exec.ExitError)(nil); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case running.Err() != nil:
		failure.Err, failure.Retryable = fmt.Errorf("%s did not end within %s", clean(argv[0], maxName), s.config.ProgramTimeout), true
	case err == nil:
		failure.Err = errors.New("it printed more than a token")
	case errors.As(err, &exit):
		failure.Err, failure.Retryable = errors.New(exit.String()), true
	default: // it could not be started
		failure.Err = errors.New(clean(err.Error(), maxText))
	}
	var secrets redact.Secrets
	secrets.Add(token)
	failure.Description = clean(string(secrets.Hide(complained.data)), maxText)
	return nil, failure
}

// limited keeps the first octets that are written to it and drops the rest.
type limited struct {
	data []byte
	most int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := min(len(p), l.most-len(l.data))
	l.data = append(l.data, p[:room]...)
	l.over = l.over || room < len(p)
	return len(p), nil
}

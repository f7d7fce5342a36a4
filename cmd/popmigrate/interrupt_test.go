package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popmigrate/pop3/pop3test"
)

// session is a person at the program: what it prints, and the signals sent.
type session struct {
	out, err lockedBuffer
	signals  chan os.Signal
}

func newSession() *session { return &session{signals: make(chan os.Signal, 2)} }

// popmigrate runs a command line in this process.
func (s *session) popmigrate(t *testing.T, args ...string) int {
	return execute(t.Context(), args, s.console())
}

func (s *session) console() *console {
	c := system()
	c.in, c.out, c.err = bytes.NewReader(nil), &s.out, &s.err
	c.getenv = func(name string) string { return map[string]string{"ALICE_PASSWORD": secret}[name] }
	c.signals = func() (<-chan os.Signal, func()) { return s.signals, func() {} }
	return c
}

// serve starts a server with a maildrop and returns it with a job file.
func serve(t *testing.T, messages int) (drop *pop3test.Maildrop, jobFile string) {
	t.Helper()
	server, err := pop3test.Start(pop3test.Config{ImplicitTLS: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	drop = server.AddMaildrop("alice", secret)
	deliver(drop, messages)
	dir := t.TempDir()
	job := fmt.Sprintf(`job "one" {
  account "alice" {
    password = env("ALICE_PASSWORD")
  }
  source "pop3" {
    server = %q
    tls_ca = "ca.pem"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
  delete = "verified"
}
`, server.Addr())
	jobFile = filepath.Join(dir, "job.hcl")
	for name, text := range map[string]string{"job.hcl": job, "ca.pem": string(server.CertPEM())} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return drop, jobFile
}

// The first signal lets the run finish what it has in hand; another run then
// does the rest.
func TestInterruptOnce(t *testing.T) {
	drop, jobFile := serve(t, 20)
	s := newSession()
	drop.SetRules(pop3test.Rule{Command: "RETR", Message: 5, Do: pop3test.All(
		pop3test.Call(func() { s.signals <- os.Interrupt }),
		pop3test.Until(until(&s.err, "finishing what is in hand")))})
	if code := s.popmigrate(t, "run", jobFile); code != int(exitInterrupted) {
		t.Errorf("exit %d", code)
	}
	if out := s.out.String(); !strings.HasSuffix(out, "Run again to go on.\nExit 130 (interrupted)\n") {
		t.Errorf("got\n%s", out)
	}
	if left := len(drop.UniqueIDs()); left != 20 {
		t.Errorf("%d of 20 messages left", left)
	}
	drop.SetRules()
	again := newSession()
	if code := again.popmigrate(t, "run", jobFile); code != int(exitComplete) {
		t.Errorf("exit %d\n%s%s", code, again.out.String(), again.err.String())
	}
	if out := again.out.String(); !strings.Contains(out, "listed 20 = ") || len(drop.UniqueIDs()) != 0 {
		t.Errorf("%d messages left\n%s", len(drop.UniqueIDs()), out)
	}
}

// The second signal ends a run that hangs.
func TestInterruptTwice(t *testing.T) {
	drop, jobFile := serve(t, 3)
	s := newSession()
	drop.SetRules(pop3test.Rule{Command: "RETR", Message: 2, Do: pop3test.All(
		pop3test.Call(func() { s.signals <- os.Interrupt; s.signals <- os.Interrupt }), pop3test.Stall(10))})
	if code := s.popmigrate(t, "run", jobFile, "--json"); code != int(exitInterrupted) {
		t.Errorf("exit %d\n%s", code, s.out.String())
	}
	if out := s.out.String(); !strings.Contains(out, `"exit":130,"exit_name":"interrupted"`) {
		t.Errorf("got\n%s", out)
	}
	if errs := s.err.String(); !strings.Contains(errs, "stopping at once") {
		t.Errorf("got\n%s", errs)
	}
}

// A run that is stopped before it began says so too.
func TestInterruptAtStart(t *testing.T) {
	_, jobFile := serve(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newSession()
	if code := execute(ctx, []string{"run", jobFile}, s.console()); code != int(exitInterrupted) {
		t.Errorf("exit %d\n%s", code, s.err.String())
	}
	if out := s.out.String(); out != "Exit 130 (interrupted)\n" {
		t.Errorf("got\n%s", out)
	}
}

// until returns a channel that is closed once text was written to b.
func until(b *lockedBuffer, text string) <-chan struct{} {
	written := make(chan struct{})
	b.notify(func(all string) bool {
		if !strings.Contains(all, text) {
			return false
		}
		close(written)
		return true
	})
	return written
}

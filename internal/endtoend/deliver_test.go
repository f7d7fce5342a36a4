//go:build linux

package endtoend

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"popmigrate/internal/realservers"
)

const deliverJob = `
job "test" {
  account "alice" {
    user     = "alice"
    password = "pw-alice"
    target   = "@TARGET@"
  }
  source "pop3" {
    server = "@SERVER@"
    tls_ca = "@CA@"
  }
  sink "@KIND@" "new" {
    server    = "@TO@"
    recipient = account.target
    mail_from = "return-path"
    @MORE@
  }
  limits {
    attempts = 2
    backoff  = "100ms"
  }
  delete = "accepted"
}
`

// stripped takes off the header fields that a delivering server puts in front.
func stripped(t *testing.T, content []byte) (trace, message string) {
	t.Helper()
	text := strings.ReplaceAll(string(content), "\n", "\r\n")
	i := strings.LastIndex(text, "Return-Path: <sender") // the server's own stands before the message's
	if i < 0 {
		t.Fatalf("no message in %.200q", text)
	}
	return text[:i], text[i:]
}

func TestRedeliverByLMTP(t *testing.T) {
	notShort(t)
	const letters = 1000
	d := realservers.StartDovecot(t, "alice", "bob")
	served := seed(d, letters, 2000, nil)
	j := newJob(t, deliverJob, "@SERVER@", d.TLSAddr, "@CA@", d.CAFile, "@KIND@", "lmtp", "@TO@", "unix:"+d.LMTP,
		"@TARGET@", "bob", "@MORE@", "")
	s := j.run(0)
	if s.Stored != letters || s.Accepted != letters || s.Gone != letters {
		t.Errorf("%+v", s)
	}
	got := tally{}
	for _, content := range d.Left("bob") {
		trace, message := stripped(t, content)
		got[message]++
		if !strings.Contains(trace, "Delivered-To: bob") || !strings.Contains(trace, returnPath(message)) {
			t.Errorf("envelope: %.300q before %.80q", trace, message)
		}
	}
	served.compare(t, "delivered by LMTP", got)
	if left := d.Left("alice"); len(left) != 0 {
		t.Errorf("%d left on the server", len(left))
	}
}

// returnPath is the first line of a letter.
func returnPath(message string) string {
	line, _, _ := strings.Cut(message, "\r\n")
	return line
}

func TestRedeliverBySMTP(t *testing.T) {
	notShort(t)
	const letters = 1000
	d := realservers.StartDovecot(t, "alice")
	p := realservers.StartPostfix(t)
	served := seed(d, letters, 2000, nil)
	words := []string{"@SERVER@", d.TLSAddr, "@CA@", d.CAFile, "@KIND@", "smtp", "@TO@", p.Addr,
		"@MORE@", fmt.Sprintf("tls_ca = %q", p.CAFile)}
	refused := newJob(t, deliverJob, append(words, "@TARGET@", "never@example.org")...)
	if s := refused.run(7); s.Failed != letters || s.Accepted != 0 || s.Marked != 0 {
		t.Errorf("recipient that is refused: %+v", s)
	}
	later := newJob(t, deliverJob, append(words, "@TARGET@", "later@example.org")...)
	if s := later.run(7); s.Failed != letters || s.Accepted != 0 || s.Marked != 0 {
		t.Errorf("recipient that is put off: %+v", s)
	}
	if left := d.Left("alice"); len(left) != letters {
		t.Fatalf("%d left on the server after refusals, want %d", len(left), letters)
	}
	j := newJob(t, deliverJob, append(words, "@TARGET@", "alice@example.org")...)
	if s := j.run(0); s.Stored != letters || s.Accepted != letters || s.Gone != letters {
		t.Errorf("%+v", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := realservers.Until(ctx, func() bool { return len(p.Delivered()) >= letters }); err != nil {
		t.Errorf("%v: %d delivered", err, len(p.Delivered()))
	}
	got := tally{}
	for _, content := range p.Delivered() {
		trace, message := stripped(t, content)
		got[message]++
		if !strings.Contains(trace, "Delivered-To: alice@example.org") || !strings.Contains(trace, returnPath(message)) {
			t.Errorf("envelope: %.300q before %.80q", trace, message)
		}
	}
	served.compare(t, "delivered by SMTP", got)
}

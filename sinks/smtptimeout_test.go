package sinks_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/sinks"
	"popmigrate/sinks/smtptest"
)

// Every wait has its end. The server falls silent at a step; the fake clock
// tells how long that is borne.
func TestSMTPTimeouts(t *testing.T) {
	tests := []struct {
		verb   string
		wait   time.Duration
		reason string
	}{
		{"CONNECT", 5 * time.Minute, "greeting mx.example.org:25"},
		{"EHLO", 5 * time.Minute, "greeting mx.example.org:25"},
		{"MAIL", 5 * time.Minute, "connection lost at mail"},
		{"RCPT", 5 * time.Minute, "connection lost at rcpt"},
		{"DATA", 5 * time.Minute, "connection lost at data"},
		{".", 10 * time.Minute, "outcome unknown: connection lost at end of text"},
	}
	for _, test := range tests {
		t.Run(test.verb, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				silence := make(chan struct{})
				server := smtptest.New(smtptest.Options{Answer: func(step smtptest.Step) string {
					if step.Verb == test.verb {
						<-silence
						return smtptest.Drop
					}
					return ""
				}})
				sink := openSMTP(t, smtpConfig(server))
				began := time.Now()
				receipt, err := storeOne(t, sink, smtpMessage(smtpHello, "a@x"))
				if err != nil || receipt.Proof != sinks.Later || !strings.HasPrefix(receipt.Reason, test.reason) {
					t.Errorf("got %+v, %v; want %q", receipt, err, test.reason)
				}
				if waited := time.Since(began); waited != test.wait {
					t.Errorf("waited %v, want %v", waited, test.wait)
				}
				close(silence)
				server.Close()
			})
		})
	}
}

// The connection dies before the end of the text could be sent: the server
// cannot have the message, and the reason does not say that it may.
func TestSMTPServerVanishesBeforeTheEnd(t *testing.T) {
	config := smtpConfig(newSMTP(t, smtptest.Options{}))
	config.Dial = smtpScript("250 hi|250 ok|250 ok|354 go", (net.Conn).Close)
	receipt, err := storeOne(t, openSMTP(t, config), smtpMessage(smtpHello, "a@x"))
	if err != nil || receipt.Proof != sinks.Later || !strings.HasPrefix(receipt.Reason, "connection lost at end of text") {
		t.Errorf("got %+v, %v", receipt, err)
	}
}

// smtpScript dials a server that gives one reply after the other and then
// does something else with the connection.
func smtpScript(replies string, then func(net.Conn) error) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			io.WriteString(server, "220 hi\r\n")
			for reply := range strings.SplitSeq(replies, "|") {
				server.Read(make([]byte, 1000))
				io.WriteString(server, reply+"\r\n")
			}
			then(server)
		}()
		return client, nil
	}
}

// A server that stops reading in the middle of a text, and one that never
// finishes the TLS handshake.
func TestSMTPTimeoutsBelowCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := smtpConfig(smtptest.New(smtptest.Options{}))
		config.Dial = smtpScript("250 hi|250 ok|250 ok|354 go", func(net.Conn) error { return nil })
		began := time.Now()
		receipt, err := storeOne(t, openSMTP(t, config), smtpMessage(strings.Repeat("x\r\n", 10_000), "a@x"))
		if err != nil || receipt.Proof != sinks.Later || !strings.HasPrefix(receipt.Reason, "connection lost at text") || time.Since(began) != 3*time.Minute {
			t.Errorf("got %+v, %v after %v", receipt, err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		config := smtpConfig(smtptest.New(smtptest.Options{}))
		config.Dial = func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go io.Copy(io.Discard, server)
			return client, nil
		}
		config.TLS = sinks.SMTPImplicitTLS
		began := time.Now()
		receipt, err := storeOne(t, openSMTP(t, config), smtpMessage(smtpHello, "a@x"))
		if err != nil || receipt.Proof != sinks.Later || !strings.HasPrefix(receipt.Reason, "tls mx.") || time.Since(began) != 30*time.Second {
			t.Errorf("got %+v, %v after %v", receipt, err, time.Since(began))
		}
	})
}

func TestSMTPCancel(t *testing.T) {
	for _, verb := range []string{"CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."} {
		t.Run(verb, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			silence := make(chan struct{})
			server := smtptest.New(smtptest.Options{Answer: func(step smtptest.Step) string {
				if step.Verb == verb {
					cancel()
					<-silence
					return smtptest.Drop
				}
				return ""
			}})
			defer server.Close()
			defer close(silence)
			receipts, err := openSMTP(t, smtpConfig(server)).Store(ctx, []sinks.Message{smtpMessage(smtpHello, "a@x")})
			if verb == "." {
				// The server may have it: that must not be hidden.
				if err != nil || !strings.HasPrefix(receipts[0].Reason, "outcome unknown") {
					t.Errorf("got %+v, %v", receipts, err)
				}
			} else if !errors.Is(err, context.Canceled) {
				t.Errorf("got %+v, %v", receipts, err)
			}
		})
	}
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		server := newSMTP(t, smtptest.Options{})
		if _, err := openSMTP(t, smtpConfig(server)).Store(ctx, []sinks.Message{smtpMessage(smtpHello, "a@x")}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if server.Connections() != 0 {
			t.Error("it dialed")
		}
	})
}

func TestSMTPServerVanishesInTheText(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{CutData: 100_000})
	receipt, err := storeOne(t, openSMTP(t, smtpConfig(server)), generated(16<<20))
	if err != nil || receipt.Proof != sinks.Later || !strings.HasPrefix(receipt.Reason, "connection lost at text") {
		t.Errorf("got %+v, %v", receipt, err)
	}
}

// A reply without end must neither fill the memory nor last for ever.
func TestSMTPEndlessReply(t *testing.T) {
	for _, line := range []string{"250-more and more\r\n", "250-" + strings.Repeat("x", 1<<16)} {
		config := smtpConfig(newSMTP(t, smtptest.Options{}))
		config.Dial = func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				io.WriteString(server, "220 hi\r\n")
				server.Read(make([]byte, 100))
				for {
					if _, err := io.WriteString(server, line); err != nil {
						return
					}
				}
			}()
			return client, nil
		}
		receipt, err := storeOne(t, openSMTP(t, config), smtpMessage(smtpHello, "a@x"))
		if err != nil || receipt.Proof != sinks.Later || !strings.Contains(receipt.Reason, "too long") {
			t.Errorf("got %+v, %v", receipt, err)
		}
	}
}

package sinks_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"popmigrate/sinks"
)

// scriptedConn is a server that says what it says, whatever it is told.
type scriptedConn struct {
	net.Conn // panics when anything unexpected is called
	replies  *strings.Reader
	sent     strings.Builder
	closed   atomic.Bool
}

func (c *scriptedConn) Read(p []byte) (int, error)       { return c.replies.Read(p) }
func (c *scriptedConn) Write(p []byte) (int, error)      { return c.sent.Write(p) }
func (c *scriptedConn) Close() error                     { c.closed.Store(true); return nil }
func (c *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return nil }
func (c *scriptedConn) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "/s", Net: "unix"} }

func FuzzSMTPServer(f *testing.F) {
	const greeting = "220 hi\r\n250-hi\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n235 in\r\n"
	f.Add(false, greeting+"250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 queued as 1\r\n221 bye\r\n")
	f.Add(true, greeting+"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n452 full\r\n")
	f.Add(true, strings.Replace(greeting, "8BITMIME", "PIPELINING", 1)+"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n452 full\r\n")
	f.Add(false, greeting+"250 ok\r\n550-no\r\n550 no\r\n250 reset\r\n")
	f.Add(false, "220 hi\r\n502 what\r\n250 old\r\n")
	f.Add(false, "554 go away\r\n")
	f.Fuzz(func(t *testing.T, lmtp bool, replies string) {
		conn := &scriptedConn{replies: strings.NewReader(replies)}
		config := sinks.SMTP{Protocol: "smtp", Network: "unix", Address: "/s", TLS: sinks.SMTPNoTLS, User: "alice"}
		config.Password = func(context.Context) (string, error) { return "hunter2 secret", nil }
		if lmtp {
			config.Protocol = "lmtp"
		}
		dialed := false
		config.Dial = func(context.Context, string, string) (net.Conn, error) {
			if dialed {
				return nil, errors.New("once is enough")
			}
			dialed = true
			return conn, nil
		}
		sink, err := sinks.OpenSMTP(t.Context(), config, sinks.Opening{})
		if err != nil {
			t.Fatal(err)
		}
		message := smtpMessage(smtpHello, "a@x", "b@x")
		receipts, err := sink.Store(t.Context(), []sinks.Message{message, message})
		if err == nil && len(receipts) != 2 {
			t.Fatalf("%d receipts", len(receipts))
		}
		for _, receipt := range receipts {
			if receipt.Proof == sinks.Accepted && !strings.Contains(conn.sent.String(), smtpHello+".\r\n") {
				t.Errorf("accepted without having been sent: %+v", receipt)
			}
			if text := receipt.Reason + string(receipt.Where); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("control characters in %q", text)
			}
		}
		sink.Close()
		if dialed && !conn.closed.Load() {
			t.Error("the connection was left open")
		}
	})
}

package demo

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// login opens a session on a maildrop.
func login(t *testing.T, server *Server, account Account) *textproto.Conn {
	t.Helper()
	raw, err := tls.Dial("tcp", server.Addr(), server.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	conn := textproto.NewConn(raw)
	t.Cleanup(func() { conn.Close() })
	for _, command := range []string{"", "USER " + account.User, "PASS " + account.Password} {
		if command != "" {
			if err := conn.PrintfLine("%s", command); err != nil {
				t.Fatal(err)
			}
		}
		if line, err := conn.ReadLine(); err != nil || !strings.HasPrefix(line, "+OK") {
			t.Fatalf("%s: %q, %v", account.User, line, err)
		}
	}
	return conn
}

func TestServerServesAllAccounts(t *testing.T) {
	server, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	total := 0
	for _, account := range Accounts() {
		conn := login(t, server, account)
		if err := conn.PrintfLine("STAT"); err != nil {
			t.Fatal(err)
		}
		line, err := conn.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		var n, octets int
		if _, err := fmt.Sscanf(line, "+OK %d %d", &n, &octets); err != nil {
			t.Fatalf("%s: %q", account.User, line)
		}
		if n != len(account.mail()) {
			t.Errorf("%s: %d messages listed, %d exist", account.User, n, len(account.mail()))
		}
		total += n
	}
	if total < 55 || total > 70 {
		t.Errorf("%d messages in all", total)
	}
}

// TestMail checks that the mail has what it is there for, and never changes.
func TestMail(t *testing.T) {
	var empty, held, twice bool
	unique := map[string]bool{}
	var all [][]byte
	for _, account := range Accounts() {
		first, second := account.mail(), account.mail()
		empty = empty || len(first) == 0
		held = held || account.Hold && len(first) > 0
		for i, message := range first {
			if message.UniqueID != second[i].UniqueID || !bytes.Equal(message.Content, second[i].Content) {
				t.Errorf("%s: message %d is not the same twice", account.User, i)
			}
			if unique[message.UniqueID] {
				t.Errorf("unique-id %s occurs twice", message.UniqueID)
			}
			unique[message.UniqueID] = true
			twice = twice || slices.ContainsFunc(all, func(other []byte) bool { return len(other) > 2 && bytes.Equal(other, message.Content) })
			all = append(all, message.Content)
		}
	}
	if !empty || !held || !twice {
		t.Errorf("an empty maildrop: %v, one on hold: %v, a message twice: %v", empty, held, twice)
	}
	for what, holds := range map[string]func(m []byte) bool{
		"no octets":   func(m []byte) bool { return len(m) == 0 },
		"only CRLF":   func(m []byte) bool { return string(m) == "\r\n" },
		"From_ line":  func(m []byte) bool { return bytes.Contains(m, []byte("\r\nFrom ")) },
		">From_ line": func(m []byte) bool { return bytes.Contains(m, []byte("\r\n>From ")) },
		"lone dot":    func(m []byte) bool { return bytes.Contains(m, []byte("\r\n.\r\n")) },
		"NUL":         func(m []byte) bool { return bytes.IndexByte(m, 0) >= 0 },
		"8-bit":       func(m []byte) bool { return bytes.ContainsFunc(m, func(r rune) bool { return r > 127 }) },
		"bare LF":     func(m []byte) bool { return bytes.Count(m, []byte("\n")) > bytes.Count(m, []byte("\r\n")) },
		"bare CR":     func(m []byte) bool { return bytes.Count(m, []byte("\r")) > bytes.Count(m, []byte("\r\n")) },
		"no Subject": func(m []byte) bool {
			return bytes.HasPrefix(m, []byte("From:")) && !bytes.Contains(m, []byte("Subject:"))
		},
		"long line":     func(m []byte) bool { return longest(m) > 1<<20 },
		"two megabytes": func(m []byte) bool { return len(m) >= 2<<20 },
	} {
		if !slices.ContainsFunc(all, holds) {
			t.Errorf("no message with: %s", what)
		}
	}
}

func longest(m []byte) int {
	most := 0
	for line := range bytes.Lines(m) {
		most = max(most, len(line))
	}
	return most
}

func TestCloseEndsSessions(t *testing.T) {
	server, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	conn := login(t, server, Accounts()[0])
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if line, err := conn.ReadLine(); err == nil || line != "" && err == io.EOF {
		t.Errorf("after Close: %q, %v", line, err)
	}
}

package pop3test_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/pop3/pop3test"
)

func TestLogin(t *testing.T) {
	server := start(t, pop3test.Config{LockWait: patience})
	alice(server)
	plain := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	good := plain("\x00alice\x00secret")
	tests := []struct {
		name  string
		lines []string // the last one's reply counts
		want  string
	}{
		{"PASS", []string{"USER alice", "PASS secret"}, "+OK"},
		{"wrong PASS", []string{"USER alice", "PASS Secret"}, "-ERR [AUTH]"},
		{"no such user", []string{"USER eve", "PASS secret"}, "-ERR [AUTH]"},
		{"USER forgotten", []string{"USER alice", "PASS x", "PASS secret"}, "-ERR"},
		{"PLAIN", []string{"AUTH PLAIN " + good}, "+OK"},
		{"PLAIN later", []string{"AUTH plain", good}, "+OK"},
		{"PLAIN as oneself", []string{"AUTH PLAIN " + plain("alice\x00alice\x00secret")}, "+OK"},
		{"PLAIN as another", []string{"AUTH PLAIN " + plain("bob\x00alice\x00secret")}, "-ERR"},
		{"PLAIN empty", []string{"AUTH PLAIN ="}, "-ERR malformed"},
		{"PLAIN no base64", []string{"AUTH PLAIN ?"}, "-ERR malformed"},
		{"PLAIN cancelled", []string{"AUTH PLAIN", "*"}, "-ERR [AUTH] cancelled"},
		{"PLAIN wrong", []string{"AUTH PLAIN " + plain("\x00alice\x00no")}, "-ERR [AUTH]"},
		{"unknown mechanism", []string{"AUTH FOO"}, "-ERR"},
		{"APOP", []string{"APOP alice "}, "+OK"},
		{"wrong APOP", []string{"APOP alice 00112233445566778899aabbccddeeff"}, "-ERR [AUTH]"},
		{"malformed APOP", []string{"APOP alice"}, "-ERR"},
		{"before login", []string{"STAT"}, "-ERR"},
		{"QUIT", []string{"QUIT"}, "+OK"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := dial(t, server)
			greeting := d.line()
			timestamp := greeting[strings.Index(greeting, "<"):]
			var got string
			for _, line := range test.lines {
				if line == "APOP alice " {
					line += fmt.Sprintf("%x", md5.Sum([]byte(timestamp+"secret")))
				}
				got = d.ask(line, "")
				if line == "AUTH plain" && got != "+ " {
					t.Errorf("continuation %q", got)
				}
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for _, line := range server.Log() {
		if strings.Contains(line.Text, "secret") || strings.Contains(line.Text, good) {
			t.Errorf("secret in the log: %q", line.Text)
		}
	}
	stats := server.Maildrop("alice").Stats()
	if stats.Logins != 5 || stats.Refused != 5 || stats.MaxSessions != 1 {
		t.Errorf("stats %+v", stats)
	}
}

func TestSecretsOnRequest(t *testing.T) {
	server := start(t, pop3test.Config{LogSecrets: true})
	alice(server)
	dial(t, server).login()
	if log := server.Log(); log[1].Text != "PASS secret" || log[1].User != "" {
		t.Errorf("log %+v", log)
	}
}

func TestCapabilities(t *testing.T) {
	has := func(text, line string) bool { return strings.Contains("\r\n"+text, "\r\n"+line+"\r\n") }
	t.Run("default", func(t *testing.T) {
		server := start(t, pop3test.Config{})
		alice(server)
		d := dial(t, server)
		d.line()
		before := d.multi("CAPA")
		d.ask("USER alice", "+OK")
		d.ask("PASS secret", "+OK")
		after := d.multi("CAPA")
		for _, line := range []string{"STLS", "USER", "SASL PLAIN"} {
			if !has(before, line) || has(after, line) {
				t.Errorf("%s: before %q, after %q", line, before, after)
			}
		}
		for _, line := range []string{"TOP", "UIDL", "PIPELINING"} {
			if !has(before, line) || !has(after, line) {
				t.Errorf("%s: before %q, after %q", line, before, after)
			}
		}
	})
	t.Run("configured", func(t *testing.T) {
		server := start(t, pop3test.Config{Capabilities: []string{"A"}, LoggedInCapabilities: []string{"B", "C"}})
		alice(server)
		d := dial(t, server)
		d.line()
		if got := d.multi("CAPA"); got != "A\r\n" {
			t.Errorf("before: %q", got)
		}
		d.ask("USER alice", "+OK")
		d.ask("PASS secret", "+OK")
		if got := d.multi("CAPA"); got != "B\r\nC\r\n" {
			t.Errorf("after: %q", got)
		}
	})
	t.Run("without", func(t *testing.T) {
		server := start(t, pop3test.Config{Without: []string{"UIDL", "STLS", "APOP", "TOP"}, Greeting: "hello"})
		alice(server)
		d := dial(t, server)
		if got := d.line(); got != "+OK hello" {
			t.Errorf("greeting %q", got)
		}
		if got := d.multi("CAPA"); has(got, "UIDL") || has(got, "STLS") || has(got, "TOP") {
			t.Errorf("capabilities %q", got)
		}
		if got := d.multi("AUTH"); got != "PLAIN\r\n" {
			t.Errorf("mechanisms %q", got)
		}
		d.ask("STLS", "-ERR")
		d.ask("APOP alice x", "-ERR unknown")
		d.ask("USER alice", "+OK")
		d.ask("PASS secret", "+OK")
		d.ask("UIDL", "-ERR unknown")
		d.ask("TOP 1 0", "-ERR unknown")
	})
}

func TestLock(t *testing.T) {
	server := start(t, pop3test.Config{MaxUserSessions: 2})
	drop := alice(server)
	refused := func(code string) {
		t.Helper()
		d := dial(t, server)
		d.line()
		d.ask("USER alice", "+OK")
		d.ask("PASS secret", "-ERR "+code)
		d.ask("PASS secret", "-ERR") // the connection goes on
		d.conn.Close()
	}
	first := dial(t, server).login()
	refused("[IN-USE]")
	first.ask("QUIT", "+OK") // frees the maildrop before its reply
	second := dial(t, server).login()
	refused("[IN-USE]")
	drop.SetShared(true)
	third := dial(t, server).login()
	refused("[IN-USE] too many sessions")
	third.ask("DELE 1", "+OK")
	third.ask("QUIT", "+OK")
	second.ask("RETR 1", "-ERR")
	second.conn.Close()
	wait(t, server, "no session is open", func() bool { return drop.Stats().Sessions == 0 })
	want := pop3test.Stats{Logins: 3, Refused: 3, MaxSessions: 2}
	if got := drop.Stats(); got != want {
		t.Errorf("maildrop: got %+v, want %+v", got, want)
	}
	if got := server.Stats(); got.Logins != 3 || got.MaxSessions != 2 || got.Connections != 6 {
		t.Errorf("server: %+v", got)
	}
	drop.SetPassword("other")
	d := dial(t, server)
	d.line()
	d.ask("USER alice", "+OK")
	d.ask("PASS secret", "-ERR [AUTH]")
}

func TestMaxConnections(t *testing.T) {
	for _, reply := range []string{"", "-ERR too many connections"} {
		server := start(t, pop3test.Config{MaxConnections: 1, FullReply: reply})
		d := dial(t, server)
		d.line()
		more := dial(t, server)
		if reply != "" {
			more.want(reply + "\r\n")
		}
		more.end()
		d.conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := server.WaitIdle(ctx); err != nil {
			t.Fatal(err)
		}
		dial(t, server).line()
		if got := server.Stats(); got.MaxOpen != 2 || got.Connections != 3 {
			t.Errorf("%+v", got)
		}
	}
}

func TestLockWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := pop3test.NewServer(pop3test.Config{LockWait: time.Minute})
		defer server.Close()
		alice(server)
		pipe := func() *dialogue {
			conn := server.Pipe()
			return &dialogue{t, conn, conn, bufio.NewReader(conn)}
		}
		first := pipe().login()
		second := pipe()
		second.line()
		second.ask("USER alice", "+OK")
		began := time.Now()
		second.ask("PASS secret", "-ERR [IN-USE]")
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
		second.ask("USER alice", "+OK")
		second.send("PASS secret\r\n")
		synctest.Wait() // the second session waits for the lock
		first.conn.Close()
		if got := second.line(); got != "+OK maildrop locked and ready" {
			t.Errorf("after the lock was freed: %q", got)
		}
		if got := server.Stats(); got.Refused != 1 || got.Logins != 2 || got.MaxSessions != 1 {
			t.Errorf("%+v", got)
		}
		third := pipe()
		third.line()
		third.ask("USER alice", "+OK")
		third.send("PASS secret\r\n")
		synctest.Wait()
		began = time.Now()
		server.Close()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("Close waited %v for a login", waited)
		}
	})
}

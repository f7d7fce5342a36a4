package pop3test_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/pop3/pop3test"
)

func TestTransaction(t *testing.T) {
	server := start(t, pop3test.Config{})
	alice(server)
	d := dial(t, server).login()
	d.ask("STAT", "+OK 3 79")
	if got := d.multi("LIST"); got != listings {
		t.Errorf("LIST %q", got)
	}
	if got := d.multi("UIDL"); got != uniqueID {
		t.Errorf("UIDL %q", got)
	}
	d.ask("LIST 2", "+OK 2 29")
	d.ask("UIDL 3", "+OK 3 u3")
	for i, want := range []string{one, two, three} {
		if got := d.multi(fmt.Sprintf("retr %d", i+1)); got != want {
			t.Errorf("RETR %d: %q", i+1, got)
		}
	}
	if got := d.multi("TOP 3 0"); got != "Subject: three\r\n\r\n" {
		t.Errorf("TOP 3 0: %q", got)
	}
	if got := d.multi("TOP 3 2"); got != "Subject: three\r\n\r\na\r\nb\r\n" {
		t.Errorf("TOP 3 2: %q", got)
	}
	if got := d.multi("TOP 3 99"); got != three {
		t.Errorf("TOP 3 99: %q", got)
	}
	for _, refused := range []string{
		"LAST", "RETR", "RETR 0", "RETR 4", "RETR x", "RETR 1 2", "LIST 4", "UIDL 0", "LIST x", "TOP 1", "TOP 1 -1",
		"TOP 9 1", "DELE 4", "USER alice", "PASS secret", "STLS", "AUTH PLAIN", "APOP a b", "FOO", "",
	} {
		d.ask(refused, "-ERR")
	}
	d.send("STAT x\n")
	if got := d.line(); !strings.HasPrefix(got, "-ERR") {
		t.Errorf("a line without CR: %q", got)
	}
	d.ask("NOOP", "+OK")
	d.ask("QUIT", "+OK")
	d.end()
}

func TestUpdate(t *testing.T) {
	server := start(t, pop3test.Config{LockWait: patience})
	drop := alice(server)
	d := dial(t, server).login()
	d.ask("DELE 1", "+OK")
	d.ask("DELE 3", "+OK")
	d.ask("DELE 1", "-ERR")
	for _, gone := range []string{"RETR 1", "TOP 1 0", "LIST 1", "UIDL 1"} {
		d.ask(gone, "-ERR")
	}
	d.ask("STAT", "+OK 1 29")
	if got := d.multi("UIDL"); got != "2 u2\r\n" {
		t.Errorf("UIDL after DELE: %q", got)
	}
	d.ask("RSET", "+OK")
	d.ask("STAT", "+OK 3 79")
	d.ask("DELE 2", "+OK")
	d.conn.Close() // marks are not carried out

	d = dial(t, server).login()
	d.ask("STAT", "+OK 3 79")
	d.ask("DELE 2", "+OK")
	drop.Deliver(pop3test.Message{UniqueID: "u4", Content: []byte("late\r\n")})
	d.ask("STAT", "+OK 2 50")
	d.ask("QUIT", "+OK")
	if got := drop.UniqueIDs(); !slices.Equal(got, []string{"u1", "u3", "u4"}) {
		t.Errorf("after QUIT: %q", got)
	}
	d.end()

	d = dial(t, server).login()
	drop.Remove("u1", "u3") // by another client
	d.ask("RETR 1", "-ERR")
	d.ask("UIDL 1", "+OK 1 u1")
	d.ask("RETR 3", "+OK")
	d.body()
	if contents := drop.Contents(); len(contents) != 1 || string(contents[0].Content) != "late\r\n" {
		t.Errorf("contents: %v", contents)
	}
}

func TestDeliverNamesMessages(t *testing.T) {
	server := pop3test.NewServer(pop3test.Config{})
	drop := server.AddMaildrop("bob", "x", pop3test.Message{}, pop3test.Message{})
	if ids := drop.UniqueIDs(); len(ids) != 2 || ids[0] == "" || ids[0] == ids[1] {
		t.Errorf("unique-ids %q", ids)
	}
	if server.Maildrop("bob") != drop || server.Maildrop("eve") != nil {
		t.Error("wrong maildrop")
	}
	server.Close()
	if server.Listen("127.0.0.1:0") == nil {
		t.Error("listening after Close")
	}
}

func TestContentOnTheWire(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 200_000)
	tests := []struct{ name, content, wire string }{
		{"empty", "", "\r\n.\r\n"},
		{"no line end", "a: b\r\n\r\nx", "a: b\r\n\r\nx\r\n.\r\n"},
		{"dot at the start", ".a\r\n", "..a\r\n.\r\n"},
		{"dot alone without line end", "a\r\n.", "a\r\n..\r\n.\r\n"},
		{"dots", "\r\n.\r\n..\r\n", "\r\n..\r\n...\r\n.\r\n"},
		{"bare LF and dot", "a\n.\nb\r\n", "a\n.\nb\r\n.\r\n"},
		{"bare CR and dot", "a\r.\rb\r\n", "a\r.\rb\r\n.\r\n"},
		{"ends in CR", "a\r", "a\r\r\n.\r\n"},
		{"ends in LF", "a\n", "a\n\r\n.\r\n"},
		{"NUL and 8-bit", "\x00\xff\x80\r\n", "\x00\xff\x80\r\n.\r\n"},
		{"long line", string(long) + "\r\n.", string(long) + "\r\n..\r\n.\r\n"},
	}
	server := start(t, pop3test.Config{})
	drop := server.AddMaildrop("alice", "secret")
	for _, test := range tests {
		drop.Deliver(pop3test.Message{Content: []byte(test.content)})
	}
	d := dial(t, server).login()
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d.t = t
			d.ask(fmt.Sprintf("RETR %d", i+1), fmt.Sprintf("+OK %d octets", len(test.content)))
			d.want(test.wire)
		})
	}
}

func TestLog(t *testing.T) {
	server := start(t, pop3test.Config{})
	alice(server)
	d := dial(t, server).login()
	d.ask("NOOP", "+OK")
	d.ask("noop  x", "+OK")
	if got := server.Commands("alice"); !slices.Equal(got, []string{"NOOP", "noop  x"}) {
		t.Errorf("commands %q", got)
	}
	want := pop3test.Line{Connection: 1, Text: "PASS ***"}
	if got := server.Log()[1]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want = pop3test.Line{Connection: 1, Session: 1, User: "alice", Text: "NOOP"}
	if got := server.Log()[2]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPipelining(t *testing.T) {
	server := start(t, pop3test.Config{})
	drop := alice(server)
	d := dial(t, server)
	d.line()
	d.send("USER alice\r\nPASS secret\r\nRETR 1\r\nRETR 9\r\nDELE 1\r\nRETR 2\r\nQUIT\r\nNOOP\r\n")
	d.want("+OK name noted\r\n+OK maildrop locked and ready\r\n")
	d.want("+OK 23 octets\r\n" + one + ".\r\n-ERR no such message\r\n+OK message marked\r\n")
	d.want("+OK 29 octets\r\n" + two + ".\r\n+OK goodbye\r\n")
	d.end()
	if got := drop.UniqueIDs(); !slices.Equal(got, []string{"u2", "u3"}) {
		t.Errorf("left: %q", got)
	}
}

// A line that comes in two parts must not hold back earlier replies.
func TestPartOfALineDoesNotHoldReplies(t *testing.T) {
	server := start(t, pop3test.Config{})
	alice(server)
	d := dial(t, server).login()
	d.send("NOOP\r\nNO")
	d.want("+OK\r\n")
	d.send("OP\r\n")
	d.want("+OK\r\n")
}

func TestLineTooLong(t *testing.T) {
	server := start(t, pop3test.Config{})
	d := dial(t, server)
	d.line()
	d.send(strings.Repeat("x", 20_000))
	d.want("-ERR line too long\r\n")
	d.end()
}

func TestCloseEndsEverything(t *testing.T) {
	server, err := pop3test.Start(pop3test.Config{})
	if err != nil {
		t.Fatal(err)
	}
	drop := alice(server)
	never := make(chan struct{})
	drop.SetRules(
		pop3test.Rule{Command: "NOOP", Do: pop3test.Until(never)},
		pop3test.Rule{Command: "STAT", Do: pop3test.Stall(3)},
		pop3test.Rule{Command: "LIST", Do: pop3test.Endless("x")},
		pop3test.Rule{Command: "UIDL", Do: pop3test.Drip(1, never)},
	)
	drop.SetShared(true)
	for _, command := range []string{"NOOP", "STAT", "LIST", "UIDL", "RETR 1"} {
		d := dial(t, server).login()
		d.send(command + "\r\n")
	}
	wait(t, server, "all commands came", func() bool { return len(server.Commands("alice")) == 5 })
	server.Close()
	server.Close()
	if got := server.Stats(); got.Open != 0 || got.Sessions != 0 {
		t.Errorf("%+v", got)
	}
}

func TestDropConnections(t *testing.T) {
	server := start(t, pop3test.Config{LockWait: patience})
	alice(server)
	d := dial(t, server).login()
	server.DropConnections()
	if _, err := d.in.ReadByte(); err == nil {
		t.Error("still open")
	}
	dial(t, server).login()
}

func TestPipeUnderSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := pop3test.NewServer(pop3test.Config{})
		server.AddMaildrop("alice", "secret", pop3test.Message{Content: []byte(one)})
		ticker := time.NewTicker(time.Hour) // of the fake clock
		defer ticker.Stop()
		server.SetRules(pop3test.Rule{Command: "NOOP", Do: pop3test.Drip(1, ticker.C)})
		conn := server.Pipe()
		d := &dialogue{t, conn, conn, bufio.NewReader(conn)}
		d.login()
		began := time.Now()
		d.send("NOOP\r\n")
		d.want("+OK\r\n")
		if elapsed := time.Since(began); elapsed < 4*time.Hour || elapsed > 6*time.Hour {
			t.Errorf("5 octets took %v", elapsed)
		}
		d.ask("QUIT", "+OK")
		if rest, err := io.ReadAll(d.in); len(rest) > 0 || err != nil {
			t.Errorf("at the end: %q, %v", rest, err)
		}
		server.Close()
		if _, err := server.Pipe().Read(nil); err == nil {
			t.Error("served after Close")
		}
	})
}

package pop3test_test

import (
	"bytes"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	. "popmigrate/pop3/pop3test"
)

func TestCutOfTheStream(t *testing.T) {
	const commands = "USER alice\r\nPASS secret\r\nRETR 1\r\nRETR 2\r\nQUIT\r\n"
	converse := func(server *Server) string {
		d := dial(t, server)
		d.send(commands)
		all, err := io.ReadAll(d.in)
		if err != nil {
			t.Fatal(err)
		}
		d.conn.Close()
		return string(all)
	}
	server := start(t, Config{LockWait: patience, Without: []string{"APOP"}})
	alice(server)
	all := converse(server)
	if !strings.HasSuffix(all, "goodbye\r\n") {
		t.Fatalf("conversation %q", all)
	}
	for k := range len(all) + 1 {
		server.SetRules(Rule{Command: OnConnect, Do: Cut(int64(k))})
		if got := converse(server); got != all[:k] {
			t.Fatalf("cut at %d: got %d octets", k, len(got))
		}
	}
	server.SetRules(Rule{Command: OnConnect, Do: Cut(int64(len(all) + 1))})
	if got := converse(server); got != all {
		t.Errorf("cut beyond: got %d octets", len(got))
	}
}

func TestReset(t *testing.T) {
	server := start(t, Config{})
	drop := alice(server)
	drop.SetRules(Rule{Command: "RETR", Do: Reset(30)})
	d := dial(t, server).login()
	d.ask("DELE 2", "+OK")
	d.send("RETR 1\r\n")
	d.reset()
	if len(drop.Contents()) != 3 {
		t.Error("a mark was carried out")
	}
}

func TestStallKeepsTheLock(t *testing.T) {
	server := start(t, Config{})
	drop := alice(server)
	drop.SetRules(Rule{Command: "RETR", Do: Stall(20)})
	d := dial(t, server).login()
	d.send("RETR 1\r\nNOOP\r\n")
	d.want("+OK 23 octets\r\nSubje")
	if drop.Stats().Sessions != 1 {
		t.Error("not locked")
	}
	d.conn.Close()
	wait(t, server, "the maildrop is free", func() bool { return drop.Stats().Sessions == 0 })
}

func TestStallOnConnect(t *testing.T) {
	server := start(t, Config{ImplicitTLS: true})
	server.SetRules(Rule{Command: OnConnect, Do: Stall(0)})
	d := dial(t, server)
	d.send("anything")
	d.conn.Close()
	wait(t, server, "the connection ended", func() bool { return server.Stats().Open == 0 && server.Stats().Connections == 1 })
}

func TestHooks(t *testing.T) {
	server := start(t, Config{})
	drop := alice(server)
	gate, reached := make(chan struct{}), make(chan int, 9)
	drop.SetRules(
		Rule{Command: "RETR", Message: 2, Do: Call(func() { drop.Deliver(Message{UniqueID: "u4"}); reached <- 2 })},
		Rule{Command: "NOOP", Do: Until(gate)},
	)
	d := dial(t, server).login()
	d.send("RETR 1\r\nRETR 2\r\nNOOP\r\nSTAT\r\n")
	d.line()
	d.body()
	d.line()
	d.body() // the replies before are not held back by the gate
	if n := <-reached; n != 2 || !slices.Contains(drop.UniqueIDs(), "u4") {
		t.Error("hook not called")
	}
	close(gate)
	d.want("+OK\r\n+OK 3 79\r\n")
}

func TestDrip(t *testing.T) {
	server := start(t, Config{})
	tick := make(chan struct{})
	alice(server).SetRules(Rule{Command: "RETR", Do: Drip(10, tick)})
	d := dial(t, server).login()
	d.send("RETR 1\r\n")
	reply := "+OK 23 octets\r\n" + one + ".\r\n"
	for rest := reply; rest != ""; {
		select {
		case tick <- struct{}{}:
		case <-t.Context().Done():
		}
		n := min(10, len(rest))
		d.want(rest[:n])
		if d.in.Buffered() > 0 {
			t.Fatalf("more than %q came", rest[:n])
		}
		rest = rest[n:]
	}
	d.send("RETR 1\r\n")
	close(tick)
	d.want(reply)
}

func TestEndless(t *testing.T) {
	server := start(t, Config{})
	drop := alice(server)
	drop.SetRules(
		Rule{Command: "LIST", Do: Endless("1 1\r\n")},
		Rule{Command: "STAT", Do: All(Raw("+OK "), Endless("9"))},
	)
	drop.SetShared(true)
	d := dial(t, server).login()
	d.send("LIST\r\n")
	d.line()
	d.want(strings.Repeat("1 1\r\n", 100_000))
	d.conn.Close()
	d = dial(t, server).login()
	d.send("STAT\r\n")
	d.want("+OK " + strings.Repeat("9", 1_000_000))
	d.conn.Close()
	wait(t, server, "no session is open", func() bool { return drop.Stats().Sessions == 0 })
}

func TestLongLineIsNotCopied(t *testing.T) {
	if testing.Short() {
		t.Skip("50 MB")
	}
	server := start(t, Config{})
	content := append(bytes.Repeat([]byte("x"), 50_000_000), "\r\n"...)
	server.AddMaildrop("alice", "secret", Message{Content: content})
	d := dial(t, server).login()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d.ask("RETR 1", "+OK 50000002")
	if n, err := io.CopyN(io.Discard, d.in, int64(len(content))); err != nil {
		t.Fatal(n, err)
	}
	d.want(".\r\n")
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1_000_000 {
		t.Errorf("%d octets allocated", allocated)
	}
}

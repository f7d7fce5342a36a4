package pop3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
)

// begin returns a client that has logged in to a script.
func begin(t *testing.T, script string, options *pop3.Options) (*pop3.Client, *pop3test.Peer) {
	t.Helper()
	peer := pop3test.Play(preludes["transaction"].script + script)
	client := pop3.NewClient(peer, options)
	t.Cleanup(func() { client.Close() })
	if _, err := client.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Login(t.Context(), "alice", "sesame"); err != nil {
		t.Fatal(err)
	}
	return client, peer
}

var (
	pipelined = &pop3.Options{Pipelining: pop3.PipelineOn}
	lockstep  = &pop3.Options{Pipelining: pop3.PipelineOff}
)

func each(numbers ...pop3.Number) func(func(pop3.Number) bool) { return slices.Values(numbers) }

// TestCommandsInFlight counts how many commands are unanswered at most.
func TestCommandsInFlight(t *testing.T) {
	const messages = 600
	for _, test := range []struct {
		options *pop3.Options
		want    int
		writes  int // the first fills the window, the others half of it
	}{
		{lockstep, 1, messages},
		{nil, 1, messages}, // CAPA was not asked
		{&pop3.Options{Pipelining: pop3.PipelineOn, Window: 1}, 1, messages},
		{&pop3.Options{Pipelining: pop3.PipelineOn, Window: 7}, 7, 1 + (messages-7+3)/4},
		{pipelined, 256, 6}, // 64, 65, 192, then half of 256
		{&pop3.Options{Pipelining: pop3.PipelineOn, Window: 1 << 20}, 256, 1 + (messages-256+127)/128},
	} {
		replies := []string{"+OK\r\n", "+OK\r\n", "+OK\r\n"}
		for range messages {
			replies = append(replies, "+OK\r\nx\r\n.\r\n")
		}
		for range messages {
			replies = append(replies, "+OK\r\n")
		}
		server := newTurns(replies...)
		client := pop3.NewClient(server, test.options)
		var numbers []pop3.Number
		for n := range messages {
			numbers = append(numbers, pop3.Number(n+1))
		}
		client.Greeting(t.Context())
		if err := client.Login(t.Context(), "alice", "sesame"); err != nil || server.most != 1 {
			t.Fatalf("%+v: login: %v, %d commands in flight", test.options, err, server.most)
		}
		n := 0
		for m, err := range client.Retrieve(t.Context(), slices.Values(numbers)) {
			if n++; err != nil || m.Number != pop3.Number(n) {
				t.Fatalf("message %d: %v", n, err)
			}
		}
		if n != messages || server.most != test.want {
			t.Errorf("RETR %+v: %d messages, %d in flight, want %d", test.options, n, server.most, test.want)
		}
		if writes := server.writes - 2; writes != test.writes {
			t.Errorf("RETR %+v: %d writes, want %d", test.options, writes, test.writes)
		}
		server.most = 0
		for m, err := range client.Dele(t.Context(), slices.Values(numbers)) {
			if n--; err != nil || m.Number != pop3.Number(messages-n) {
				t.Fatalf("mark %d: %v", m.Number, err)
			}
		}
		if n != 0 || server.most != test.want {
			t.Errorf("DELE %+v: %d left, %d in flight, want %d", test.options, n, server.most, test.want)
		}
	}
}

// The numbers are asked for as they are needed: a caller may stop giving them.
func TestNumbersAreTakenLate(t *testing.T) {
	client, peer := begin(t, "C: RETR 1\nS: +OK\nS: .\nC: RETR 2\nS: +OK\nS: .\nC: NOOP\nS: +OK", lockstep)
	fetched := 0
	numbers := func(yield func(pop3.Number) bool) {
		for n := pop3.Number(1); fetched < 2 && yield(n); n++ {
		}
	}
	for _, err := range client.Retrieve(t.Context(), numbers) {
		if err != nil {
			t.Fatal(err)
		}
		fetched++
	}
	if err := errors.Join(client.Noop(t.Context()), peer.Err()); err != nil {
		t.Error(err)
	}
}

// What a consumer leaves unread is read, in lock-step also when it leaves.
func TestUnreadRestIsRead(t *testing.T) {
	for _, leave := range []bool{false, true} {
		client, peer := begin(t, "C: RETR 1\nS: +OK\nS: hello\nS: .\nC: NOOP\nS: +OK", lockstep)
		for m, err := range client.Retrieve(t.Context(), each(1)) {
			if err != nil {
				t.Fatal(err)
			}
			if n, err := m.Read(make([]byte, 2)); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			if leave {
				break
			}
		}
		if err := errors.Join(client.Noop(t.Context()), peer.Err()); err != nil {
			t.Errorf("leave %v: %v", leave, err)
		}
	}
}

// Of a message that does not end, or is too large, no more than a mebibyte is
// read for a consumer who leaves.
func TestLeavingALargeMessage(t *testing.T) {
	server := &firehose{first: []byte("+OK\r\n"), pattern: bytes.Repeat([]byte{'x'}, 1000)}
	client := facing(t, "transaction", server)
	for _, err := range client.Retrieve(t.Context(), each(1)) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if client.Broken() == nil || server.read > 2<<20 {
		t.Errorf("read %d octets, broken %v", server.read, client.Broken())
	}
}

// A message is over when its turn is.
func TestMessageAfterItsTurn(t *testing.T) {
	client, _ := begin(t, "C: RETR 1\nS: +OK\nS: one\nS: .\nC: RETR 2\nS: -ERR\nC: RETR 3\nS: +OK\nS: three\nS: .", lockstep)
	var former []*pop3.Message
	for m := range client.Retrieve(t.Context(), each(1, 2, 3)) {
		for _, old := range former {
			if n, err := old.Read(make([]byte, 9)); n != 0 || err != io.EOF {
				t.Errorf("message %d in the turn of %d: %d octets, %v", old.Number, m.Number, n, err)
			}
		}
		former = append(former, m)
	}
	if len(former) != 3 || client.Broken() != nil {
		t.Errorf("%d messages, broken %v", len(former), client.Broken())
	}
}

// Leaving with replies outstanding breaks the connection.
func TestLeavingEarly(t *testing.T) {
	tests := map[string]func(*pop3.Client) error{
		"RETR": func(c *pop3.Client) error {
			for _, err := range c.Retrieve(t.Context(), each(1, 2)) {
				return err
			}
			return nil
		},
		"TOP": func(c *pop3.Client) error {
			for _, err := range c.Top(t.Context(), each(1, 2), 0) {
				return err
			}
			return nil
		},
		"DELE": func(c *pop3.Client) error {
			for _, err := range c.Dele(t.Context(), each(1, 2)) {
				return err
			}
			return nil
		},
	}
	for keyword, leave := range tests {
		suffix := ""
		if keyword == "TOP" {
			suffix = " 0"
		}
		client, peer := begin(t, fmt.Sprintf("C: %s 1%s\nC: %[1]s 2%[2]s\nS: +OK\nS: .\nS: +OK\nS: .\nstall", keyword, suffix), pipelined)
		if err := leave(client); err != nil {
			t.Error(err)
		}
		if client.Broken() == nil {
			t.Errorf("%s: not broken", keyword)
		}
		if _, err := client.Quit(t.Context()); !errors.Is(err, pop3.ErrBroken) {
			t.Errorf("%s: QUIT: %v", keyword, err)
		}
		if err := peer.Err(); err != nil {
			t.Error(err)
		}
	}
}

// A panic in the loop leaves no connection on which QUIT could be sent.
func TestPanicInLoop(t *testing.T) {
	client, peer := begin(t, "C: RETR 1\nS: +OK\nS: hello\nS: .\nstall", lockstep)
	func() {
		defer func() { recover() }()
		for range client.Retrieve(t.Context(), each(1)) {
			panic("in the loop")
		}
	}()
	if _, err := client.Quit(t.Context()); !errors.Is(err, pop3.ErrBroken) {
		t.Errorf("QUIT: %v", err)
	}
	if err := peer.Err(); err != nil {
		t.Error(err)
	}
}

// While a sequence runs no other command goes out, above all no QUIT: its
// reply would be one of the sequence's, or a line of a message.
func TestNoCommandInASequence(t *testing.T) {
	for _, options := range []*pop3.Options{lockstep, pipelined} {
		second, between := "", "C: RETR 2\n"
		if options == pipelined {
			second, between = between, ""
		}
		client, peer := begin(t, "C: RETR 1\n"+second+"S: +OK\nS: .\n"+between+"S: +OK\nS: +OK\nS: .\nC: QUIT\nS: +OK", options)
		ctx := t.Context()
		for _, err := range client.Retrieve(ctx, each(1, 2)) {
			if err != nil {
				t.Fatal(err)
			}
			_, quit := client.Quit(ctx)
			_, capa := client.Capabilities(ctx)
			_, stat := client.Stat(ctx)
			for _, err := range []error{quit, capa, stat, client.Noop(ctx), client.Reset(ctx)} {
				if err == nil || !strings.Contains(err.Error(), "not allowed while a sequence") {
					t.Errorf("a command in the middle: %v", err)
				}
			}
			for _, err := range client.Dele(ctx, each(1)) {
				if err == nil || !strings.Contains(err.Error(), "not allowed while a sequence") {
					t.Errorf("DELE in the middle: %v", err)
				}
			}
		}
		if _, err := client.Quit(ctx); err != nil {
			t.Error(err)
		}
		if err := peer.Err(); err != nil {
			t.Error(err)
		}
	}
}

// A consumer that ignores the error of a cut message gets no other message.
func TestErrorIgnoredByConsumer(t *testing.T) {
	client, _ := begin(t, "C: RETR 1\nC: RETR 2\nS: +OK\nS: half\nclose", pipelined)
	var got []string
	for m, err := range client.Retrieve(t.Context(), each(1, 2)) {
		if err != nil {
			got = append(got, "error")
			continue
		}
		io.ReadAll(m)
		got = append(got, "message")
	}
	if !slices.Equal(got, []string{"message", "error"}) {
		t.Errorf("got %v", got)
	}
}

// A failing writer gets no octet twice, and none is lost behind it.
func TestFailingWriter(t *testing.T) {
	client, _ := begin(t, "C: RETR 1\nS: +OK\nS: hello\nS: .\nC: NOOP\nS: +OK", lockstep)
	for m, err := range client.Retrieve(t.Context(), each(1)) {
		if err != nil {
			t.Fatal(err)
		}
		full := errors.New("disk full")
		n, err := m.WriteTo(writerFunc(func(p []byte) (int, error) { return 2, full }))
		if n != 2 || err != full {
			t.Errorf("%d, %v", n, err)
		}
		rest, err := io.ReadAll(m)
		if string(rest) != "llo\r\n" || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
	}
	if err := client.Noop(t.Context()); err != nil {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Refusals are told apart by type, number and code.
func TestReplyErrors(t *testing.T) {
	client, _ := begin(t, "C: RETR 7\nS: -ERR [sys/temp/x] later\nC: DELE 8\nS: -ERR [in-use]", lockstep)
	for m, err := range client.Retrieve(t.Context(), each(7)) {
		var refused *pop3.ReplyError
		if !errors.As(err, &refused) || m.Number != 7 || *refused != (pop3.ReplyError{Command: "RETR 7", Code: "SYS/TEMP/X", Text: "later"}) {
			t.Errorf("%v %#v", m, err)
		}
		if !refused.Temporary() || !refused.HasCode("SYS") || refused.HasCode("SYS/TEM") {
			t.Errorf("codes of %v", refused)
		}
	}
	for m, err := range client.Dele(t.Context(), each(8)) {
		var refused *pop3.ReplyError
		if !errors.As(err, &refused) || m.Number != 8 || refused.Command != "DELE 8" || !refused.Temporary() {
			t.Errorf("%v %#v", m, err)
		}
	}
}

// A message costs one allocation, whatever it holds.
func TestAllocationsPerMessage(t *testing.T) {
	const messages = 1000
	replies := []string{"+OK\r\n", "+OK\r\n", "+OK\r\n"}
	for range messages {
		replies = append(replies, "+OK 5000 octets\r\nSubject: x\r\n\r\n..\r\nx\r\n.\r\n")
	}
	for _, options := range []*pop3.Options{lockstep, pipelined} {
		server := newTurns(replies...)
		client := pop3.NewClient(server, options)
		client.Greeting(t.Context())
		client.Login(t.Context(), "alice", "sesame")
		server.heard.Grow(20 * messages)
		numbers := func(yield func(pop3.Number) bool) {
			for n := pop3.Number(1); n <= messages && yield(n); n++ {
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for m, err := range client.Retrieve(t.Context(), numbers) {
			if err != nil {
				t.Fatal(err)
			}
			m.WriteTo(io.Discard)
		}
		runtime.ReadMemStats(&after)
		if allocs := after.Mallocs - before.Mallocs; allocs > messages+messages/2 {
			t.Errorf("%+v: %d allocations for %d messages", *options, allocs, messages)
		}
	}
}

// Many unique-ids cost few allocations.
func TestLargeListing(t *testing.T) {
	rows := 20_000
	var reply strings.Builder
	reply.WriteString("+OK\r\n")
	for i := range rows {
		fmt.Fprintf(&reply, "%d uid-%d\r\n", rows-i, i)
	}
	reply.WriteString(".\r\n")
	server := newTurns("+OK\r\n", "+OK\r\n", "+OK\r\n", reply.String())
	client := pop3.NewClient(server, nil)
	client.Greeting(t.Context())
	client.Login(t.Context(), "alice", "sesame")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	listed, err := client.UIDL(t.Context())
	runtime.ReadMemStats(&after)
	if err != nil || len(listed) != rows {
		t.Fatalf("%d rows, %v", len(listed), err)
	}
	for i, row := range listed {
		if row.Number != pop3.Number(rows-i) || string(row.UniqueID) != fmt.Sprintf("uid-%d", i) {
			t.Fatalf("row %d is %v", i, row)
		}
	}
	if allocs := after.Mallocs - before.Mallocs; allocs > 300 {
		t.Errorf("%v allocations for %d rows", allocs, rows)
	}
}

package pop3_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"popmigrate/pop3"
)

// FuzzConversation plays a server that answers each command with arbitrary
// octets: 0xFF in them separates the replies. Whatever it says, the client
// comes to an end, takes nothing for a message that a reader of the whole
// stream would not, and says nothing after it found the connection broken.
func FuzzConversation(f *testing.F) {
	f.Fuzz(func(t *testing.T, octets []byte, pipelined bool) {
		options := &pop3.Options{Pipelining: pop3.PipelineOff}
		if pipelined {
			options.Pipelining = pop3.PipelineOn
		}
		server := newTurns(strings.Split(string(octets), "\xff")...)
		client := pop3.NewClient(server, options)
		numbers := []pop3.Number{1, 2, 3}
		o := converse(t, client, numbers)
		heard := server.heard.String()
		if !pipelined && server.most > 1 {
			t.Errorf("%d commands in flight", server.most)
		}
		if o.quit && client.Broken() != nil {
			t.Errorf("QUIT succeeded on a broken connection: %v", client.Broken())
		}
		if strings.Count(heard, "\r\n") > 16 {
			t.Errorf("client said %q", heard)
		}
		for _, line := range strings.Split(strings.TrimSuffix(heard, "\r\n"), "\r\n") {
			if strings.ContainsAny(line, "\r\n\x00") || line != strings.TrimSpace(line) {
				t.Errorf("client said %q", line)
			}
		}
		due := readStream(server.given.Bytes(), numbers)
		for number, body := range o.messages {
			if want, whole := due[number]; !whole || want != body {
				t.Errorf("message %d is %q, in the stream it is %q, whole %v", number, body, want, whole)
			}
		}
		if o.quit && len(o.messages) != len(due) {
			t.Errorf("%d messages, %d in the stream", len(o.messages), len(due))
		}
		if client.Broken() != nil {
			silent(t, client, server)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if _, err := client.Quit(t.Context()); err == nil {
			t.Error("QUIT after the end succeeded")
		}
	})
}

// silent checks that no call makes a broken client say anything.
func silent(t *testing.T, client *pop3.Client, server *turns) {
	before := server.heard.Len()
	ctx := t.Context()
	_, errCapa := client.Capabilities(ctx)
	_, errListings := client.Listings(ctx)
	_, errQuit := client.Quit(ctx)
	errs := []error{errCapa, errListings, errQuit, client.Noop(ctx), client.Reset(ctx), client.Login(ctx, "alice", "sesame")}
	for _, err := range client.Retrieve(ctx, slices.Values([]pop3.Number{1})) {
		errs = append(errs, err)
	}
	for _, err := range client.Dele(ctx, slices.Values([]pop3.Number{1})) {
		errs = append(errs, err)
	}
	if server.heard.Len() != before || slices.Contains(errs, nil) || len(errs) != 8 {
		t.Errorf("broken, and yet it said %q: %v", server.heard.Bytes()[before:], errs)
	}
}

// readStream reads a server's whole stream as a person with RFC 1939 in hand
// would, sharing nothing with the client, and returns the whole messages.
func readStream(stream []byte, numbers []pop3.Number) map[pop3.Number]string {
	messages := map[pop3.Number]string{}
	line := func() (string, bool) {
		text, rest, ok := strings.Cut(string(stream), "\n")
		if ok {
			stream = []byte(rest)
		}
		return strings.TrimSuffix(text, "\r"), ok
	}
	for _, reply := range []string{"greeting", "lines", "USER", "PASS", "lines", "lines", "lines", "STAT"} {
		status, ok := line()
		if !ok {
			return messages
		}
		for reply == "lines" && isOK(status) {
			if row, ok := line(); !ok {
				return messages
			} else if row == "." {
				break
			}
		}
	}
	for _, number := range numbers {
		status, ok := line()
		if !ok {
			return messages
		}
		if !isOK(status) {
			continue
		}
		block := append([]byte("\r\n"), stream...)
		end := bytes.Index(block, []byte("\r\n.\r\n"))
		if end < 0 {
			return messages
		}
		messages[number] = strings.ReplaceAll(string(block[:end+2]), "\r\n.", "\r\n")[2:]
		stream = block[end+5:]
	}
	return messages
}

func isOK(status string) bool { return len(status) >= 3 && strings.EqualFold(status[:3], "+OK") }

// challenged answers every challenge with an octet, for ever.
type challenged struct{ rounds int }

func (*challenged) Start() (string, []byte, error) { return "X-EVER", nil, nil }

func (m *challenged) Next([]byte) ([]byte, error) { m.rounds++; return []byte{'a'}, nil }

// FuzzAuthenticate plays a server that answers a SASL exchange with arbitrary
// octets: the login ends, is never taken to have succeeded without +OK, and no
// error shows a password that was sent.
func FuzzAuthenticate(f *testing.F) {
	f.Fuzz(func(t *testing.T, octets []byte, mechanism uint8) {
		replies := append([]string{"+OK\r\n"}, strings.Split(string(octets), "\xff")...)
		server := newTurns(replies...)
		client := pop3.NewClient(server, nil)
		if _, err := client.Greeting(t.Context()); err != nil {
			t.Fatal(err)
		}
		endless := &challenged{}
		err := client.Authenticate(t.Context(), []sasl.Client{
			sasl.NewPlainClient("", "alice", "sesame-Password"), &loginMechanism{[]string{"alice", "sesame-Password"}},
			sasl.NewExternalClient("alice"), endless,
		}[mechanism%4])
		if err == nil && !strings.Contains(strings.ToUpper(server.given.String()[5:]), "+OK") {
			t.Errorf("logged in by %q", server.given.String())
		}
		sent := strings.Contains(server.heard.String(), "c2VzYW1lLVBhc3N3b3Jk") || mechanism%4 == 0 && server.writes > 0
		if err != nil && sent && strings.Contains(err.Error(), "sesame-Password") {
			t.Errorf("shows the password: %v", err)
		}
		if endless.rounds > 32 {
			t.Errorf("answered %d challenges", endless.rounds)
		}
		if err == nil && errors.Is(client.Noop(t.Context()), pop3.ErrBroken) {
			t.Error("logged in on a broken connection")
		}
	})
}

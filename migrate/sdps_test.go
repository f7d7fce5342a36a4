package migrate

import (
	"fmt"
	"slices"
	"testing"

	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// sdpsBench is a bench whose server tells envelopes: everything goes into an
// archive and to a target that takes each message's own recipient.
func sdpsBench(t *testing.T, config pop3test.Config, messages []pop3test.Message) (b *bench, target *memory, seen *[]string) {
	t.Helper()
	b = newBench(t, config, messages...)
	b.source.SDPS = true
	target = newMemory("mx")
	target.delivers = true
	seen = new([]string)
	target.fail = func(m *sinks.Message) (sinks.Proof, error) {
		*seen = append(*seen, fmt.Sprintf("%s: <%s> -> %v", m.UniqueID, m.Sender, m.Recipients))
		return sinks.Accepted, nil
	}
	spec := target.spec()
	spec.Envelope, spec.Recipients = true, []string{"nobody@example.net"}
	b.job.Accounts = []Account{{Name: "alice", User: "alice", Connector: &b.source, Server: b.source.Server, Host: "127.0.0.1",
		Sinks: []SinkSpec{b.sinks[0].spec(), spec}}}
	return b, target, seen
}

// enveloped gives messages the envelopes that *ENV tells.
func enveloped(messages []pop3test.Message) []pop3test.Message {
	for i := range messages {
		messages[i].Envelope = []string{"0 host", "domain", fmt.Sprintf("sender%d@example.org", i), fmt.Sprintf("user%d@vision25.example", i)}
	}
	return messages
}

var threeEnvelopes = []string{
	"uid-0000: <sender0@example.org> -> [user0@vision25.example]",
	"uid-0001: <sender1@example.org> -> [user1@vision25.example]",
	"uid-0002: <sender2@example.org> -> [user2@vision25.example]",
}

func TestSDPSEnvelopes(t *testing.T) {
	all := enveloped(mail(3))
	b, _, seen := sdpsBench(t, pop3test.Config{}, all)
	b.job.Delete = DeleteVerified
	want(t, b.run(), map[string]int64{"listed": 3, "stored": 3, "gone": 3})
	b.holds(all...)
	if !slices.Equal(*seen, threeEnvelopes) {
		t.Errorf("delivered: %q", *seen)
	}
	// The envelope is asked for before the message, never ahead of a reply.
	if n := b.commands("*ENV"); n != 3 {
		t.Errorf("*ENV was sent %d times", n)
	}
}

// A bounce has an empty sender, whatever the message's header says.
func TestSDPSBounce(t *testing.T) {
	all := enveloped(mail(1))
	all[0].Envelope[2] = ""
	all[0].Content = append([]byte("Return-Path: <liar@example.org>\r\n"), all[0].Content...)
	b, _, seen := sdpsBench(t, pop3test.Config{}, all)
	want(t, b.run(), map[string]int64{"stored": 1})
	if !slices.Equal(*seen, []string{"uid-0000: <> -> [user0@vision25.example]"}) {
		t.Errorf("delivered: %q", *seen)
	}
}

// A message without an envelope goes to nobody and stays; the others do not
// suffer from it.
func TestSDPSWithoutEnvelope(t *testing.T) {
	for name, envelope := range map[string][]string{"refused": nil, "cut": {"0", "domain", "sender@example.org"}, "no recipient": {"0", "domain", "sender@example.org", ""}} {
		t.Run(name, func(t *testing.T) {
			all := enveloped(mail(3))
			all[1].Envelope = envelope
			b, _, seen := sdpsBench(t, pop3test.Config{}, all)
			b.job.Delete = DeleteVerified
			b.job.Limits.Attempts = 1
			r := b.run()
			want(t, r, map[string]int64{"listed": 3, "stored": 2, "failed": 1, "gone": 2})
			if r.Complete || r.Class != ClassMessage {
				t.Errorf("%+v", r)
			}
			if !slices.Equal(*seen, []string{threeEnvelopes[0], threeEnvelopes[2]}) {
				t.Errorf("delivered: %q", *seen)
			}
			if left := b.drop.UniqueIDs(); !slices.Equal(left, []string{"uid-0001"}) {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// A message that was archived and not yet delivered is fetched again with its
// envelope, not filled in from the archive, which has none.
func TestSDPSDeliveredLater(t *testing.T) {
	all := enveloped(mail(3))
	b, target, seen := sdpsBench(t, pop3test.Config{}, all)
	b.job.Limits.Attempts = 1
	now := target.fail
	target.fail = func(*sinks.Message) (sinks.Proof, error) { return sinks.Later, nil }
	want(t, b.run(), map[string]int64{"listed": 3, "stored": 0, "failed": 3})
	target.fail = now
	if r := b.run(); !r.Complete {
		t.Errorf("%+v", r)
	}
	b.holds(all...)
	if !slices.Equal(*seen, threeEnvelopes) {
		t.Errorf("delivered: %q", *seen)
	}
}

// Nor is it filled in from there where the server has changed its own notes in
// the message since.
func TestSDPSDeliveredLaterWithOtherStatus(t *testing.T) {
	all := enveloped(mail(3))
	b, target, seen := sdpsBench(t, pop3test.Config{}, all)
	b.job.Limits.Attempts = 1
	now := target.fail
	target.fail = func(*sinks.Message) (sinks.Proof, error) { return sinks.Later, nil }
	b.run()
	target.fail = now
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.View(func(messages []pop3test.Message) []pop3test.Message {
		for i := range messages {
			messages[i].Content = append([]byte("Status: RO\r\n"), messages[i].Content...)
		}
		return messages
	})})
	if r := b.run(); !r.Complete {
		t.Errorf("%+v", r)
	}
	b.holds(all...)
	if !slices.Equal(*seen, threeEnvelopes) {
		t.Errorf("delivered: %q", *seen)
	}
}

// No source asks for envelopes unless it is told to.
func TestNoEnvelopesAsked(t *testing.T) {
	b := newBench(t, pop3test.Config{}, enveloped(mail(3))...)
	b.run()
	if n := b.commands("*ENV"); n != 0 {
		t.Errorf("*ENV was sent %d times", n)
	}
}

package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"popmigrate/pop2/pop2test"
	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
)

// pop2Bench is a bench whose maildrop is on a POP2 server.
type pop2Bench struct {
	*bench
	pop2   *pop2test.Server
	source POP2Source
}

func newPOP2Bench(t *testing.T, config pop2test.Config) *pop2Bench {
	t.Helper()
	b := &pop2Bench{bench: newBench(t, pop3test.Config{})}
	b.source = POP2Source{User: "alice", Password: func(context.Context) (string, error) { return "secret", nil }}
	b.restart(config)
	return b
}

// restart has the maildrop on another server from now on.
func (b *pop2Bench) restart(config pop2test.Config) {
	b.t.Helper()
	config.User, config.Password = "alice", "secret"
	server, err := pop2test.Start(config)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(server.Close)
	b.pop2, b.source.Server = server, server.Addr
	account := Account{Name: "alice", User: "alice", Connector: &b.source, Server: server.Addr, Host: "127.0.0.1"}
	for _, sink := range b.sinks {
		account.Sinks = append(account.Sinks, sink.spec())
	}
	b.job.Accounts = []Account{account}
}

// sent counts commands that begin so.
func (b *pop2Bench) sent(keyword string) (n int) {
	for _, command := range b.pop2.Commands() {
		if firstWord(command) == keyword {
			n++
		}
	}
	return n
}

// stored checks that the first sink holds each message once, as it came.
func (b *pop2Bench) stored(messages ...[]byte) {
	b.t.Helper()
	var all []pop3test.Message
	for _, content := range messages {
		all = append(all, pop3test.Message{Content: b.pop2.Wire(content, false)})
	}
	b.holds(all...)
}

func letters(n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil, "Message-ID: <%d@example.org>\r\nSubject: %d\r\n\r\nbody\r\n.\r\n%s\r\n", i, i, strings.Repeat("x", i)))
	}
	return all
}

func inbox(messages [][]byte) map[string][][]byte { return map[string][][]byte{"INBOX": messages} }

func TestPOP2(t *testing.T) {
	for name, uw := range map[string]bool{"as the RFC says": false, "UW ipop2d": true} {
		t.Run(name, func(t *testing.T) {
			config := pop2test.Config{UW: uw, Folders: inbox(letters(6))}
			b := newPOP2Bench(t, config)
			want(t, b.run(), map[string]int64{"listed": 6, "stored": 6, "known": 0, "failed": 0})
			b.stored(letters(6)...)
			if b.sent("ACKD") != 0 || len(b.pop2.Contents("INBOX")) != 6 {
				t.Error("a copy deletes")
			}

			// No unique-ids: the digests tell that all is stored already.
			want(t, b.run(), map[string]int64{"listed": 6, "stored": 0, "known": 6, "failed": 0})

			b.job.Delete = DeleteVerified
			r := b.run()
			want(t, r, map[string]int64{"listed": 6, "stored": 0, "known": 6, "marked": 6, "gone": 6})
			if left := b.pop2.Contents("INBOX"); len(left) != 0 || !r.Complete {
				t.Errorf("%d left, complete: %v", len(left), r.Complete)
			}
			b.stored(letters(6)...)
		})
	}
}

func TestPOP2DeletesInOneRun(t *testing.T) {
	twins := append(letters(3), letters(3)...)
	b := newPOP2Bench(t, pop2test.Config{UW: true, Folders: inbox(twins)})
	b.job.Delete = DeleteVerified
	r := b.run()
	want(t, r, map[string]int64{"listed": 6, "stored": 6, "gone": 6})
	if !r.Complete || len(b.pop2.Contents("INBOX")) != 0 {
		t.Errorf("%+v", r)
	}
	// The Status field, which changes with the first reading, is no obstacle.
	if n := b.sent("HELO"); n != 3 {
		t.Errorf("%d sessions, want one that works and two that find nothing left", n)
	}
	b.stored(twins...)
}

// A server that answers ACKD and deletes nothing, as UW ipop2d does in a second
// session, is not believed.
func TestPOP2ReadOnly(t *testing.T) {
	b := newPOP2Bench(t, pop2test.Config{Folders: inbox(letters(3)), ReadOnly: true})
	b.job.Delete = DeleteVerified
	want(t, b.run(), map[string]int64{"listed": 3, "stored": 3, "gone": 0, "kept": 3, "unaudited": 0})
	b.stored(letters(3)...)
}

// A message that has other octets when it is read for its deletion stays.
func TestPOP2ChangedMessage(t *testing.T) {
	b := newPOP2Bench(t, pop2test.Config{Folders: inbox(letters(3)), Alter: func(m []byte) []byte {
		return bytes.Replace(m, []byte("Subject: 1"), []byte("Subject: 9"), 1)
	}})
	b.job.Delete = DeleteVerified
	want(t, b.run(), map[string]int64{"listed": 3, "stored": 3, "marked": 2, "late": 1})
	if left := b.pop2.Contents("INBOX"); len(left) != 1 || !bytes.Equal(left[0], letters(3)[1]) {
		t.Errorf("left: %q", left)
	}
	if b.sent("ACKD") != 2 {
		t.Errorf("ACKD was sent %d times", b.sent("ACKD"))
	}
}

// Whatever breaks, nothing cut is taken for whole and nothing is deleted that
// is not stored; the next run completes the work.
func TestPOP2Faults(t *testing.T) {
	nth := func(n int, command string, do pop2test.Do) func(string) pop2test.Do {
		return func(sent string) pop2test.Do {
			if sent == command {
				if n--; n == 0 {
					return do
				}
			}
			return pop2test.Do{}
		}
	}
	once := func(command string, do pop2test.Do) func(string) pop2test.Do { return nth(1, command, do) }
	for name, fault := range map[string]func(string) pop2test.Do{
		"message cut":               once("RETR", pop2test.Do{Cut: 20}),
		"message cut at its end":    once("RETR", pop2test.Do{Cut: len(letters(1)[0]) - 1}),
		"line lost behind RETR":     once("ACKS", pop2test.Do{Drop: true}),
		"too few octets listed":     once("READ 2", pop2test.Do{Short: 7}),
		"too few octets announced":  nth(2, "READ 2", pop2test.Do{Short: 7}),
		"too many octets listed":    once("READ 2", pop2test.Do{Short: -7}),
		"too many octets announced": nth(2, "READ 2", pop2test.Do{Short: -7}),
		"refused at the reading":    nth(2, "READ 3", pop2test.Do{Say: "- Mailbox expunged from under me!"}),
		"refused READ":              once("READ 3", pop2test.Do{Say: "- Mailbox expunged from under me!"}),
		"nonsense":                  once("READ 3", pop2test.Do{Say: "=x"}),
		"ACKD lost":                 once("ACKD", pop2test.Do{Drop: true}),
		"QUIT lost":                 once("QUIT", pop2test.Do{Drop: true}),
		"QUIT refused":              once("QUIT", pop2test.Do{Say: "- no"}),
	} {
		t.Run(name, func(t *testing.T) {
			b := newPOP2Bench(t, pop2test.Config{Folders: inbox(letters(4)), Fault: fault})
			b.job.Delete = DeleteVerified
			b.job.Limits.Attempts = 1
			b.source.Timeouts = pop3.Timeouts{Data: 200e6}
			b.run()
			r := b.run()
			if !r.Complete || len(b.pop2.Contents("INBOX")) != 0 {
				t.Errorf("second run: %+v, left: %d", r, len(b.pop2.Contents("INBOX")))
			}
			b.stored(letters(4)...)
		})
	}
}

// A message of no length, or of UW ipop2d's two octets, is deleted: RETR would
// end the session. No number above the count is asked for.
func TestPOP2DeletedMessage(t *testing.T) {
	for _, length := range []string{"=0 No more messages", "=2 characters in message 2"} {
		t.Run(length, func(t *testing.T) {
			b := newPOP2Bench(t, pop2test.Config{UW: true, Folders: inbox(letters(3)), Fault: func(command string) pop2test.Do {
				if command == "READ 2" {
					return pop2test.Do{Say: length}
				}
				return pop2test.Do{}
			}})
			want(t, b.run(), map[string]int64{"listed": 2, "stored": 2, "failed": 0})
			b.stored(letters(3)[0], letters(3)[2])
			for _, command := range b.pop2.Commands() {
				if firstWord(command) == "READ" && command != "READ 1" && command != "READ 2" && command != "READ 3" {
					t.Errorf("sent %q", command)
				}
			}
			if n := b.sent("RETR"); n != 2 {
				t.Errorf("RETR was sent %d times", n)
			}
		})
	}
}

func TestPOP2Folder(t *testing.T) {
	for name, test := range map[string]struct {
		folder string
		uw     bool
		class  Class
		stored int64
	}{
		"there":                                {"Old Mail", false, ClassNone, 2},
		"there, UW ipop2d":                     {"Old Mail", true, ClassNone, 2},
		"missing":                              {"Older Mail", false, ClassNone, 0},
		"missing, and the one before is meant": {"Older Mail", true, ClassServer, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPOP2Bench(t, pop2test.Config{UW: test.uw, Folders: map[string][][]byte{"INBOX": letters(3), "Old Mail": letters(5)[3:]}})
			b.source.Folder = test.folder
			r := b.run()
			want(t, r, map[string]int64{"stored": test.stored})
			if r.Class != test.class {
				t.Errorf("class %q: %s", r.Class, r.Reason)
			}
		})
	}
}

func TestPOP2Logins(t *testing.T) {
	for name, test := range map[string]struct {
		refuse string
		class  Class
	}{
		"wrong password": {"- Bad login", ClassCredential},
		"disabled":       {"- POP2 server disabled on this system", ClassServer},
		"busy":           {"- Mailbox is locked by another session", ClassBusy},
		"POP3's refusal": {"-ERR [IN-USE] locked", ClassBusy},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPOP2Bench(t, pop2test.Config{Refuse: test.refuse})
			session, _, err := b.source.Connect(t.Context())
			var refused *ConnectError
			if session != nil || !errors.As(err, &refused) {
				t.Fatalf("%v, %v", session, err)
			}
			if refused.Class != test.class || refused.Stage != "login" {
				t.Errorf("class %q at %s: %v", refused.Class, refused.Stage, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Error("the password is shown")
			}
		})
	}
}

package torture

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	. "popmigrate/pop3/pop3test"
)

// whim is one way in which a server strays, in one session of its own or on
// one occasion.
type whim struct {
	name  string
	rules func(w *world, r *rand.Rand) []Rule
	lie   lie
}

// lie says what can not be told any more from what a server says while it
// strays in this way. docs/safety.md names these limits.
type lie int

const (
	aboutOctets  lie = 1 << iota // listed octets: whether a message is whole
	aboutContent                 // a message is cut short
	aboutUIDs                    // unique-ids pass from one message to another: a copy too many may be kept
)

// sure wraps rules that know neither world nor chance.
func sure(rules ...Rule) func(*world, *rand.Rand) []Rule {
	return func(*world, *rand.Rand) []Rule { return slices.Clone(rules) }
}

// viewed changes what a session shows of the mail.
func viewed(change func(w *world, r *rand.Rand, mail []Message) []Message) func(*world, *rand.Rand) []Rule {
	return func(w *world, r *rand.Rand) []Rule {
		return []Rule{{Command: OnLogin, Do: View(func(mail []Message) []Message { return change(w, r, mail) })}}
	}
}

// rename gives each message of a view another unique-id.
func rename(name func(i int, uid string) string) func(*world, *rand.Rand) []Rule {
	return viewed(func(_ *world, _ *rand.Rand, mail []Message) []Message {
		for i := range mail {
			mail[i].UniqueID = name(i, mail[i].UniqueID)
		}
		return mail
	})
}

// whims are the ways in which servers stray that the program must survive
// without loss. Each was seen on a real server or is a plain fault.
var whims = []whim{
	// UPDATE: what becomes of the marks.
	{"QUIT deletes nothing and says +OK", sure(Rule{Command: "QUIT", Do: Update(0)}), 0},
	{"QUIT deletes one and says +OK", sure(Rule{Command: "QUIT", Do: Update(1)}), 0},
	{"QUIT deletes and says -ERR", sure(Rule{Command: "QUIT", Do: Say("-ERR some messages were not removed")}), 0},
	{"QUIT is refused", sure(Rule{Command: "QUIT", Do: Instead("-ERR no")}), 0},
	{"QUIT is refused, then +OK", sure(Rule{Command: "QUIT", Do: Raw("-ERR no\r\n+OK\r\n")}), 0},
	{"QUIT deletes and hangs up", sure(Rule{Command: "QUIT", Do: Cut(0)}), 0},
	{"a dropped line deletes", sure(Rule{Command: OnDrop, Do: Update(Marks)}), 0},
	{"a dropped line deletes one", sure(Rule{Command: OnDrop, Do: Update(1)}), 0},
	{"DELE deletes at once", sure(Rule{Command: "DELE", Do: Update(Marks)}), 0},
	{"the second DELE deletes one and hangs up", sure(Rule{Command: "DELE", Skip: 1, Do: All(Update(1), Cut(0))}), 0},
	{"DELE is refused", sure(Rule{Command: "DELE", Do: Instead("-ERR not yours")}), 0},
	{"DELE does nothing and says +OK", sure(Rule{Command: "DELE", Do: Instead("+OK")}), 0},
	{"hangs up at DELE and deletes", sure(Rule{Command: "DELE", Skip: 1, Do: Cut(3)}, Rule{Command: OnDrop, Do: Update(Marks)}), 0},

	// The line.
	{"hangs up in a message", func(_ *world, r *rand.Rand) []Rule {
		return []Rule{{Command: "RETR", Skip: r.IntN(3), Times: 1, Do: Cut(r.Int64N(120))}}
	}, 0},
	{"hangs up right before the termination line", sure(Rule{Command: "RETR", Skip: 1, Do: All(Content(withoutEnd), AsIs(), Cut(-1))}), 0},
	{"resets in a message", func(_ *world, r *rand.Rand) []Rule {
		return []Rule{{Command: "RETR", Skip: r.IntN(3), Times: 1, Do: Reset(r.Int64N(120))}}
	}, 0},
	{"falls silent in a message", sure(Rule{Command: "RETR", Skip: 1, Times: 1, Do: Stall(60)}), 0},
	{"falls silent after QUIT", sure(Rule{Command: "QUIT", Times: 1, Do: Stall(0)}), 0},
	{"hangs up in a listing", sure(Rule{Command: "UIDL", Times: 1, Do: Cut(40)}), 0},
	{"hangs up before its greeting", sure(Rule{Command: OnConnect, Times: 1, Do: Cut(0)}), 0},
	{"hangs up in a header section", sure(Rule{Command: "TOP", Times: 1, Do: Cut(30)}), 0},

	// Messages.
	{"refuses a message", sure(Rule{Command: "RETR", Message: 2, Do: Instead("-ERR cannot read it")}), 0},
	{"refuses the header section", sure(Rule{Command: "TOP", Do: Instead("-ERR no TOP today")}), 0},
	{"sends a message cut short", short, aboutContent},
	{"sends the header of another message", sure(Rule{Command: "TOP", Times: 1, Do: Content(func([]byte) []byte { return []byte("Subject: other\r\n\r\n") })}), 0},
	{"writes its state into the mail", func(w *world, _ *rand.Rand) []Rule { return stateful(w, "Status: RO") }, 0},
	{"writes a unique-id into the mail", func(w *world, _ *rand.Rand) []Rule { return stateful(w, "X-UIDL: 0123456789") }, 0},

	// Listings and unique-ids.
	{"shows nothing", sure(Rule{Command: OnLogin, Do: View(Emptied[Message])}), 0},
	{"hides the first message", sure(Rule{Command: OnLogin, Do: View(Omitting[Message](1))}), 0},
	{"turns the order round", sure(Rule{Command: OnLogin, Do: View(Reversed[Message])}), 0},
	{"shuffles", viewed(func(_ *world, r *rand.Rand, mail []Message) []Message {
		r.Shuffle(len(mail), func(i, k int) { mail[i], mail[k] = mail[k], mail[i] })
		return mail
	}), 0},
	{"gives all messages new unique-ids", rename(func(i int, uid string) string { return "new-" + uid }), 0},
	{"numbers unique-ids from 1 each time", rename(func(i int, uid string) string { return fmt.Sprint(i + 1) }), aboutUIDs},
	{"gives all messages one unique-id", rename(func(i int, uid string) string { return "one" }), aboutUIDs},
	{"gives the first two messages one unique-id", rename(func(i int, uid string) string {
		if i < 2 {
			return "twice"
		}
		return uid
	}), aboutUIDs},
	{"gives no unique-ids", sure(Rule{Command: "UIDL", Do: Instead("-ERR not implemented")}), 0},
	{"exchanges unique-ids", viewed(func(_ *world, _ *rand.Rand, mail []Message) []Message {
		if len(mail) > 1 {
			mail[0].UniqueID, mail[1].UniqueID = mail[1].UniqueID, mail[0].UniqueID
		}
		return mail
	}), aboutUIDs},
	{"passes unique-ids on to the next message", viewed(func(_ *world, _ *rand.Rand, mail []Message) []Message {
		for i := len(mail) - 1; i > 0; i-- {
			mail[i].UniqueID = mail[i-1].UniqueID
		}
		if len(mail) > 0 {
			mail[0].UniqueID = "first"
		}
		return mail
	}), aboutUIDs},
	{"lists wrong octets", sure(Rule{Command: "LIST", Do: Listing(Scaled(0.5))}, Rule{Command: "STAT", Do: Listing(Scaled(0.5))}), aboutOctets},
	{"lists too many octets", sure(Rule{Command: "LIST", Do: Listing(Scaled(2))}, Rule{Command: "STAT", Do: Listing(Scaled(2))}), aboutOctets},
	{"lists no octets", sure(Rule{Command: "LIST", Do: Listing(WithoutOctets)}), aboutOctets},
	{"contradicts itself", sure(Rule{Command: "LIST", Do: Listing(Omitting[Entry](1))}), 0},
	{"counts otherwise than it lists", sure(Rule{Command: "STAT", Do: Instead("+OK 17 4711")}), 0},

	// Logins.
	{"is busy", sure(Rule{Command: OnLogin, Times: 2, Do: Instead("-ERR [IN-USE] try later")}), 0},
	{"is out of order", sure(Rule{Command: OnLogin, Times: 1, Do: Instead("-ERR [SYS/TEMP] disk")}), 0},

	// Others at the same maildrop.
	{"mail arrives", func(w *world, r *rand.Rand) []Rule {
		return []Rule{{Command: "RETR", Skip: 1, Times: 1, Do: Call(func() { w.deliver(letter(100 + r.IntN(900))) })}}
	}, 0},
	{"mail arrives at QUIT", func(w *world, r *rand.Rand) []Rule {
		return []Rule{{Command: "QUIT", Times: 1, Do: Call(func() { w.deliver(letter(100 + r.IntN(900))) })}}
	}, 0},
	{"another client deletes", func(w *world, _ *rand.Rand) []Rule {
		return []Rule{{Command: "RETR", Times: 1, Do: Call(func() { w.takeAway() })}}
	}, 0},
}

// takeAway lets another client delete the last message.
func (w *world) takeAway() {
	if mail := w.drop.Contents(); len(mail) > 0 {
		last := mail[len(mail)-1]
		w.truth.removed(last.Content)
		w.drop.Remove(last.UniqueID)
	}
}

// withoutEnd leaves out the last line end, which goes with the termination
// line: unless another one stands before it, that is no end of a message.
func withoutEnd(content []byte) []byte {
	cut := bytes.TrimSuffix(content, []byte("\r\n"))
	if len(cut) == 0 || bytes.HasSuffix(cut, []byte("\r\n")) {
		return content
	}
	return cut
}

// short ends one message early, properly: with its line end it still has fewer
// octets than were listed, else nobody could tell.
func short(w *world, r *rand.Rand) []Rule {
	octets := 1 + r.IntN(100)
	return []Rule{{Command: "RETR", Skip: r.IntN(2), Times: 1, Do: Content(func(content []byte) []byte {
		if len(content) <= octets+2 || !w.truth.cutShort(content[:octets]) {
			return content
		}
		return content[:octets]
	})}}
}

// stateful adds a field to every header section.
func stateful(w *world, field string) []Rule {
	add := WithHeader(field)
	return []Rule{{Command: OnLogin, Do: View(func(mail []Message) []Message {
		mail = add(mail)
		for _, m := range mail {
			w.truth.shown(m.Content)
		}
		return mail
	})}}
}

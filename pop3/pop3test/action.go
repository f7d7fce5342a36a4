package pop3test

import "time"

// Action is what a rule does to the reply that is due. Actions are made by
// the functions below and joined by All.
type Action func(*reply)

// reply is how one command or occasion will be answered. Its zero value is
// the well behaved way.
type reply struct {
	hooks   []func(closing <-chan struct{}) // run before anything is sent
	raw     string                          // if instead: sent in place of the reply
	instead bool                            // the command is not carried out
	status  string                          // in place of the status line
	before  string                          // surplus octets
	after   string
	endless string // repeated after the status line, or after raw, for ever
	stop    *stop
	piece   int // octets sent at once, each after tick; 0 means all
	tick    func(closing <-chan struct{})
	discard bool // what the client pipelined is lost

	challenge func(n int, line string) string // AUTH
	again     bool                            // AUTH: ask for ever

	entries func([]Entry) []Entry     // STAT, LIST, UIDL
	content func([]byte) []byte       // RETR, TOP
	asIs    bool                      // RETR, TOP: no CRLF is added
	view    func([]Message) []Message // OnLogin, RSET
	update  *int                      // how many marks are carried out

	asIsWhere func([]byte) bool   // asIs for such messages
	downgrade func([]byte) []byte // RETR, TOP: of a session without UTF8

	loneDots bool          // RETR, TOP: only a line of one dot is dot-stuffed
	expire   bool          // what was retrieved is removed as if it was marked
	late     time.Duration // until marks are carried out, behind the reply
}

// All joins actions; they apply in order.
func All(actions ...Action) Action {
	return func(r *reply) {
		for _, action := range actions {
			action(r)
		}
	}
}

// Instead sends a line in place of the reply; the command is not carried out.
// Instead("+OK") is a lie. After QUIT the connection is closed all the same.
func Instead(line string) Action { return Raw(line + "\r\n") }

// Raw is Instead for exactly these octets: several lines, a line without its
// end, nothing at all.
func Raw(octets string) Action {
	return func(r *reply) { r.raw, r.instead = octets, true }
}

// Say sends a line in place of the status line; the command is carried out.
func Say(line string) Action { return func(r *reply) { r.status = line } }

// Before sends surplus octets ahead of the reply.
func Before(octets string) Action { return func(r *reply) { r.before = octets } }

// After sends surplus octets behind the reply.
func After(octets string) Action { return func(r *reply) { r.after = octets } }

// Endless sends octets again and again where the text after the status line
// would be, until the connection ends: a listing or a message without end, or
// after Raw("+OK ") a line without end.
func Endless(octets string) Action { return func(r *reply) { r.endless = octets } }

// Cut closes the connection in an orderly way (FIN), without a TLS
// close_notify, once the client was sent so many octets of the reply: behind
// the reply where that is shorter, or octets is negative. OnConnect it counts
// the octets of all replies and strikes only when they are reached.
func Cut(octets int64) Action { return halt(octets, endFIN) }

// Reset is Cut with a reset connection (RST). The network may then also lose
// octets sent before.
func Reset(octets int64) Action { return halt(octets, endRST) }

// Stall is Cut with a connection that stays open and silent, maildrop locked,
// until the client closes it.
func Stall(octets int64) Action { return halt(octets, endStall) }

func halt(octets int64, how ending) Action {
	return func(r *reply) { r.stop = &stop{after: octets, how: how} }
}

// Drip sends the reply in pieces of so many octets and waits before each for
// tick: a channel of the test's, or a time.Ticker's. A closed channel lets
// the rest go.
func Drip[T any](octets int, tick <-chan T) Action {
	return func(r *reply) {
		r.piece = octets
		r.tick = func(closing <-chan struct{}) { receive(tick, closing) }
	}
}

// Until waits for ch, or for its closing, before the command is carried out.
func Until[T any](ch <-chan T) Action {
	return func(r *reply) {
		r.hooks = append(r.hooks, func(closing <-chan struct{}) { receive(ch, closing) })
	}
}

func receive[T any](ch <-chan T, closing <-chan struct{}) {
	select {
	case <-ch:
	case <-closing:
	}
}

// Call calls f before the command is carried out: to deliver mail just then,
// or to tell the test. It must not close the server.
func Call(f func()) Action {
	return func(r *reply) { r.hooks = append(r.hooks, func(<-chan struct{}) { f() }) }
}

// Discard loses the commands that the client sent behind this one without
// waiting for its reply, as servers do that pass the connection on at login.
func Discard() Action { return func(r *reply) { r.discard = true } }

// Challenges changes the challenges of AUTH, counted from 1: the function has
// the line without its CRLF, "+ " and base64, and returns what is sent. A line
// that begins with +OK or -ERR ends the exchange there; it is no login.
func Challenges(change func(n int, line string) string) Action {
	return func(r *reply) { r.challenge = change }
}

// AskAgain makes AUTH send empty challenges without end where its last word
// is due, until the client cancels.
func AskAgain() Action { return func(r *reply) { r.again = true } }

// Listing changes what STAT, LIST or UIDL shows, and nothing else. The
// function may change and return its argument.
func Listing(change func([]Entry) []Entry) Action {
	return func(r *reply) { r.entries = chain(r.entries, change) }
}

// Content changes what RETR or TOP sends, and nothing else. The function must
// not change its argument. The result is dot-stuffed and ended properly.
func Content(change func([]byte) []byte) Action {
	return func(r *reply) { r.content = chain(r.content, change) }
}

// Downgraded is Content for sessions in which the client did not send UTF8
// (RFC 6856).
func Downgraded(change func([]byte) []byte) Action {
	return func(r *reply) { r.downgrade = change }
}

// Short sends at most so many octets of the message, ended properly.
func Short(octets int) Action {
	return Content(func(content []byte) []byte { return content[:min(octets, len(content))] })
}

// AsIs adds no CRLF to a message that does not end in one: its end is then
// LF . CR LF, as Cyrus has it, and no client can see it; a message of no
// octets is the termination line alone.
func AsIs() Action { return func(r *reply) { r.asIs = true } }

// HalfStuffed escapes only lines that are one dot, as Citadel does; a client
// takes the dot off all others.
func HalfStuffed() Action { return func(r *reply) { r.loneDots = true } }

// View changes what the session that OnLogin opens shows of the maildrop: the
// messages' order, number, unique-ids, octets, contents. What the function
// returns of its argument, changed or not, can be deleted; a Message of its own
// making is deleted in vain. With RSET the session has the maildrop as it then
// is, viewed anew.
func View(change func([]Message) []Message) Action {
	return func(r *reply) { r.view = chain(r.view, change) }
}

// Marks is the number that tells Update to carry out all marks.
const Marks = -1

// Update carries out so many of the session's marks, the oldest first; Marks
// means all. On QUIT that is in place of carrying out all, OnDrop and on DELE
// in place of carrying out none.
func Update(marks int) Action { return func(r *reply) { r.update = &marks } }

// UpdateLate carries marks out so long after QUIT was answered. Meanwhile the
// maildrop is free.
func UpdateLate(after time.Duration) Action { return func(r *reply) { r.late = after } }

// Expire removes the messages that the session retrieved with those it marked,
// as servers do that announce EXPIRE 0.
func Expire() Action { return func(r *reply) { r.expire = true } }

// chain is one change after another; first may be nil.
func chain[T any](first, then func(T) T) func(T) T {
	if first == nil {
		return then
	}
	return func(value T) T { return then(first(value)) }
}

package migrate

import (
	"context"
	"io"
	"iter"

	"popmigrate/pop3"
)

// Session is a logged-in session on one maildrop, of POP3 or of another
// protocol behind the same verbs. It is used from one goroutine.
type Session interface {
	// List returns the whole listing; it is asked once, before anything else.
	List(ctx context.Context) (*Listing, error)

	// Retrieve yields the messages in the order of numbers, each to be read to
	// its end before the next. A *pop3.ReplyError concerns one message and goes
	// on; any other error ends the sequence and the session is broken.
	Retrieve(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[*Retrieved, error]

	// Mark sends DELE for each number and yields the server's words for each;
	// errors as in Retrieve.
	Mark(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[Reply, error]

	// Quit ends the session so that the server carries out the marks, and
	// reads to the end of the stream. It returns what the server said.
	Quit(ctx context.Context) (string, error)

	// Close drops the line. It never sends anything.
	Close() error
}

// HeaderReader is implemented by sessions that can read a message's header
// section without fetching the message (TOP n 0).
type HeaderReader interface {
	Headers(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[*Retrieved, error]
}

// Idler is implemented by sessions that a server would end while nothing
// passes on the line, unless it hears from them now and then. Noop is only
// called while no reply is due.
type Idler interface {
	Noop(ctx context.Context) error
}

// Cautious is implemented by sessions that can make sure, at the cost of a
// round trip for each message, that what arrives is the reply to the command
// it is taken for. It is asked for before List.
type Cautious interface {
	Cautious()
}

// Retrieved is a message on the wire. Its octets are the wire form; EOF comes
// only after the termination line.
type Retrieved struct {
	Number pop3.Number
	Body   io.Reader // implements io.WriterTo; nil with a *pop3.ReplyError
}

// Reply is the server's answer to a mark.
type Reply struct {
	Number pop3.Number
	Text   string
}

// Listing is a maildrop as one session shows it.
type Listing struct {
	Entries    []Entry // in the server's order
	HasUIDL    bool    // the server gave a unique-id listing
	DropCount  int64   // what STAT said; -1 where it did not
	DropOctets int64
	Doubt      string // why nothing may be deleted on the strength of this listing; "" where it is sound
}

// Entry is one line of a listing.
type Entry struct {
	Number   pop3.Number
	UniqueID string // "" where the server has none
	Octets   int64  // -1 where the scan listing has none
}

// Connector opens sessions on one maildrop: dial, TLS, greeting, login. The
// error of a login that did not succeed is a *ConnectError; the facts then tell
// how far it came, or are nil.
type Connector interface {
	Connect(ctx context.Context) (Session, *Facts, error)
}

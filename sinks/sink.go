// Package sinks keeps mail: in compressed mbox segments, in a maildir, or by
// handing it to an SMTP or LMTP server.
//
// A sink is given complete messages (their termination line was seen) and
// answers with a [Receipt] for each. A receipt that says [Verified] means that
// the copy was made durable, read back from a newly opened file by code that
// shares nothing with the writer, and found identical to what came off the
// wire. What licenses a deletion on the server is decided elsewhere, from
// receipts that a ledger holds; a sink knows neither POP3 nor the ledger.
package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"popmigrate/internal/digest"
)

// Digest is the SHA-256 of a message's wire form: CRLF kept, dots unstuffed.
type Digest = digest.Digest

// Envelope is what is known of a message's transport, read from its header by
// best effort. It never fails a copy.
type Envelope struct {
	Sender     string    // address of Return-Path without brackets; "" for the null sender and where there is none
	Recipients []string  // where a delivering sink is to send it; set by the job, not by the header
	Received   time.Time // date of the topmost Received, else of Date, else when it was retrieved; never zero
}

// Summary holds header fields for an index, unfolded, as the message has them;
// each "" where the header lacks it.
type Summary struct {
	MessageID string
	From      string
	Date      string
}

// Traits say what is unusual in a message's octets, and so which formats can
// carry it unchanged.
type Traits struct {
	BareLF      bool  // an LF that no CR precedes
	BareCR      bool  // a CR that no LF follows
	NUL         bool  // an octet 0
	EightBit    bool  // an octet over 127
	NoFinalEOL  bool  // not empty, and the last two octets are not CRLF
	LongestLine int64 // octets of the longest line, without its line end
}

// Message is one complete message on its way into sinks.
type Message struct {
	Ordinal    int64  // the ledger's number of this message in its maildrop, from 1
	Occurrence int    // 0 for the maildrop's first message of this digest, 1 for the second…
	UniqueID   string // unique-id as listed; "" where the server has none
	Session    string // identifies the session that retrieved it

	Envelope
	Summary
	Traits
	Octets int64  // length of the wire form
	Digest Digest // of the wire form

	// Open returns the wire form from its beginning. It may be called more
	// than once and at the same time; the caller closes what it returns. The
	// octets stay available until the Store call that was given the message
	// returns. What it returns implements io.WriterTo.
	Open func() (io.ReadCloser, error)
}

// Proof says how far a sink vouches for a copy. The zero value vouches for nothing.
type Proof int

// The proofs, weakest first. Their order is used: Verified > Accepted > the rest.
const (
	Later    Proof = iota // not kept now; the same message may be offered again
	Refused               // not kept and never will be as it is; Reason says why
	Accepted              // a server took responsibility for it (a 250 after DATA); cannot be read back
	Verified              // durable, read back and identical
)

// String returns the word that reports and the ledger use.
func (p Proof) String() string {
	switch p {
	case Later:
		return "later"
	case Refused:
		return "refused"
	case Accepted:
		return "accepted"
	case Verified:
		return "verified"
	}
	return fmt.Sprintf("proof(%d)", int(p))
}

// Where tells a sink's own code where a copy lies. It is opaque to all others,
// printable, free of secrets, and stays valid for the life of the archive.
type Where string

// Receipt is a sink's answer for one message.
type Receipt struct {
	Proof        Proof
	Where        Where  // set when Proof is Accepted or Verified
	Reason       string // for Later and Refused: one line for a person
	StoredOctets int64  // octets that this copy added on disk; a shared frame counts at its first message
}

// Copy is a committed copy as the ledger knows it.
type Copy struct {
	Ordinal  int64
	UniqueID string
	Session  string
	Octets   int64
	Digest   Digest
	Where    Where
}

// Sink keeps the mail of one maildrop. It is used from one goroutine at a time.
type Sink interface {
	// Store keeps a group of messages and returns one receipt for each, in
	// order. When it returns without error every copy with proof Verified is
	// durable and was read back. An error means that the sink cannot go on
	// (disk full, input/output error, a copy that read back differently): no
	// message of the group is vouched for and the sink is only good for Close.
	// A later opening deals with what such a group left behind.
	Store(ctx context.Context, group []Message) ([]Receipt, error)

	// Committed tells the sink that the ledger now holds, durably, the
	// receipts of every Store call so far. Only then may it write what is
	// derived from them, such as an index: derived data never runs ahead of
	// the ledger, and whatever of it a crash loses is made again at the next
	// opening.
	Committed(ctx context.Context) error

	// Close releases the sink's files. It makes nothing durable that Store
	// did not, and may be called after a failed Store.
	Close() error
}

// Opening is what the ledger holds for a sink of one maildrop when it is
// opened for writing.
type Opening struct {
	Maildrop   string         // the maildrop's name
	ArchiveID  string         // the random id that ledger and archive share; durable in the ledger before the sink is opened
	Generation int64          // counts openings; the ledger raised it, durably, before this one: the archive's must be lower
	Copies     iter.Seq[Copy] // all committed copies, in the order of their ordinals
	Torn       string         // directory that takes what a crash left uncommitted; made when needed

	// Lost are copies that the ledger once held and that were found damaged or
	// missing; nil means none. What is left of them leaves the archive for the
	// directory Quarantine, which is made when needed.
	Lost       iter.Seq[Copy]
	Quarantine string
}

// Reader reads copies back, for verify and to fill a sink that was added
// later. It needs no ledger and changes nothing.
type Reader interface {
	// Read returns the wire form of a copy. Reading to EOF without error
	// means that the container around the copy was sound; the caller compares
	// the octets. Copies are read fastest in the order they were stored.
	Read(ctx context.Context, copy Copy) (io.ReadCloser, error)
	Close() error
}

// ErrForeign is wrapped by the error of opening an archive that does not
// belong to the ledger at hand: another id, an older ledger, or a non-empty
// archive that the ledger knows nothing of.
var ErrForeign = errors.New("archive and ledger do not belong together")

// ErrDamaged is wrapped by every error that says that a committed copy is
// missing, cut or different from what was verified before.
var ErrDamaged = errors.New("archive is damaged")

// Error is what a sink's operation on one object returns.
type Error struct {
	Op     string // "open", "store", "read back", "verify"…
	Object string // a path or a server
	Err    error
	Hint   string // what a person can do about it; may be ""
}

func (e *Error) Error() string { return e.Op + " " + e.Object + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Package checkpoint is the ledger: what is known of every message of every
// maildrop, which sink holds which copy, what was deleted, and a hash-chained
// custody record of the sessions in which it happened.
//
// A ledger is written as a stream of [Change]s. [Store.Commit] returns when
// they are durable; everything irreversible waits for it. Message content,
// networks and policy are no business of this package.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"popmigrate/internal/digest"
)

// Digest is the SHA-256 of a message's wire form.
type Digest = digest.Digest

// Store is a ledger. It may be used from many goroutines. SQLite implements
// it ([OpenSQLite]); every implementation passes the suite in checkpointtest.
type Store interface {
	// Load returns everything the ledger holds of one maildrop, entering the
	// maildrop first (durably) if it is new. The caller owns the result.
	Load(ctx context.Context, key Key) (*Maildrop, error)

	// Commit makes the changes durable, all or none, in order. Changes of many
	// callers may share one transaction (group commit); each caller's own stay
	// together. Once Commit has failed for a reason of the store's (disk full,
	// damage) every later Commit fails too. A commit with a change that cannot
	// be (unknown maildrop or message, an ordinal that leaves a gap, a value out
	// of range) is refused by itself and the store goes on. UniqueID may hold any
	// octets; other strings are UTF-8 without NUL.
	Commit(ctx context.Context, changes ...Change) error

	// Status returns one row per maildrop, by name, without touching message rows.
	Status(ctx context.Context) ([]Status, error)

	// Custody yields the custody record in order, checking its hash chain on
	// the way; a broken chain ends the sequence with an error wrapping ErrDamaged.
	Custody(ctx context.Context) iter.Seq2[CustodyEntry, error]

	// Close waits for running commits and releases the store and its lock.
	Close() error
}

// Errors that openings and operations wrap.
var (
	ErrLocked  = errors.New("another run uses this ledger")
	ErrForeign = errors.New("not a popmigrate ledger")
	ErrNewer   = errors.New("ledger was written by a newer popmigrate")
	ErrDamaged = errors.New("ledger is damaged")

	ErrFull     = errors.New("disk full")                  // from Commit and Load; every later Commit fails too
	ErrReadOnly = errors.New("ledger is open for reading") // from Commit, after OpenReadOnly
	ErrClosed   = errors.New("ledger is closed")           // from everything, after Close
)

// Key names a maildrop in a ledger.
type Key struct {
	Job    string // the job's name
	Name   string // the maildrop's name, unique in its job
	Server string // where it was when first seen; for people, not part of the identity
	User   string // likewise
}

// Maildrop is what the ledger holds of one maildrop.
type Maildrop struct {
	ID       int64
	Key      Key
	Weak     bool            // it once showed a repeated or reused unique-id: unique-ids prove nothing here
	Messages []Message       // by Ordinal, which starts at 1; no gaps
	Sinks    map[string]Sink // by the sink's name in the job
	Attempts []Attempt       // messages that could not be fetched or stored so far
}

// Message is one message whose content was seen complete at least once.
type Message struct {
	Ordinal      int64  // 1, 2, 3… in its maildrop; assigned by the caller
	UniqueID     string // as last listed, octet for octet; a hint
	ListedOctets int64  // as last listed; -1 where the listing had none; a hint
	Octets       int64  // of the wire form
	Digest       Digest // of the wire form
	Stable       Digest // of the wire form without volatile header fields; equal to Digest where there are none
	Header       Digest // of the header section without volatile fields; for comparison with TOP n 0
	Flags        Flags  // see the constants
	Mark         Mark   // how far deletion on the server has come
	Copies       []Copy // by sink name; at most one per sink
}

// Flags are a message's durable peculiarities.
type Flags uint8

// The flags.
const (
	Short     Flags = 1 << iota // fewer octets came than were listed, and no second session has confirmed the digest
	Confirmed                   // a second session gave the same digest for a short message
	Repeated                    // its unique-id stood more than once in a listing
)

// Proof says how far a sink vouches for a copy.
type Proof int

// The proofs. Lost means that a copy once was verified and then was found
// damaged or missing: it vouches for nothing, and its Where tells where it was.
// Sending means that a delivering sink may or may not have it.
const (
	Lost     Proof = -1
	Sending  Proof = 1
	Refused  Proof = 2
	Accepted Proof = 3
	Verified Proof = 4
)

// String returns the word that reports use.
func (p Proof) String() string {
	switch p {
	case Lost:
		return "lost"
	case Sending:
		return "sending"
	case Refused:
		return "refused"
	case Accepted:
		return "accepted"
	case Verified:
		return "verified"
	}
	return fmt.Sprintf("proof(%d)", int(p))
}

// Copy is one sink's copy of a message.
type Copy struct {
	Sink    string // name in the job
	Proof   Proof
	Where   string    // opaque to all but the sink
	Session string    // session that retrieved the octets
	Reason  string    // for Refused and Lost
	At      time.Time // when it was vouched for; UTC, whole milliseconds
}

// MarkState says how far a message's deletion on the server has come.
type MarkState int

// The mark states.
const (
	Unmarked MarkState = iota
	Marking            // DELE may have been sent: the outcome is unknown
	Marked             // DELE was answered with +OK; only a later listing settles it
	Gone               // a later, credible listing lacks it
	Kept               // the server would not delete it; given up
)

// String returns the word that reports use.
func (s MarkState) String() string {
	switch s {
	case Unmarked:
		return "unmarked"
	case Marking:
		return "marking"
	case Marked:
		return "marked"
	case Gone:
		return "gone"
	case Kept:
		return "kept"
	}
	return fmt.Sprintf("mark(%d)", int(s))
}

// Mark is the deletion record of a message.
type Mark struct {
	State   MarkState
	Tries   int       // sessions in which DELE was sent, and QUIT after it
	Session string    // the last of them
	Reply   string    // the server's words
	At      time.Time // of the last change
}

// Sink is what the ledger holds of a sink of one maildrop.
type Sink struct {
	ArchiveID  string // random; also stands in the archive
	Generation int64  // counts openings for writing
}

// Attempt counts failures of a listed message that has no ledger record yet
// or that a sink lacks. It is keyed by the hints.
type Attempt struct {
	UniqueID     string
	ListedOctets int64
	Count        int    // failed attempts, over all runs
	Class        string // "server", "short", "sink"…
	Reason       string // one line for a person
}

// Change is one entry in the stream that Commit takes. The Put types insert
// or replace the row that their key names.
type Change interface{ change() }

// PutMessage writes a message's row; its Mark and Copies are not looked at.
type PutMessage struct {
	Maildrop int64
	Message  Message
}

// PutCopy writes the copy of one message in one sink (Copy.Sink).
type PutCopy struct {
	Maildrop, Ordinal int64
	Copy              Copy
}

// PutMark writes a message's deletion record.
type PutMark struct {
	Maildrop, Ordinal int64
	Mark              Mark
}

// PutAttempt writes an attempt row, or removes it where Count is 0.
type PutAttempt struct {
	Maildrop int64
	Attempt  Attempt
}

// PutSink writes a sink's row.
type PutSink struct {
	Maildrop int64
	Name     string
	Sink     Sink
}

// PutWeak records that a maildrop's unique-ids prove nothing. It is never undone.
type PutWeak struct{ Maildrop int64 }

// PutStatus replaces a maildrop's status row.
type PutStatus struct {
	Maildrop int64
	Status   Status
}

// AddCustody appends an entry to the custody record; the store sets its
// sequence number and hashes.
type AddCustody struct{ Entry CustodyEntry }

func (PutMessage) change() {}
func (PutCopy) change()    {}
func (PutMark) change()    {}
func (PutAttempt) change() {}
func (PutSink) change()    {}
func (PutWeak) change()    {}
func (PutStatus) change()  {}
func (AddCustody) change() {}

// Status is the overview row of a maildrop. The counts of messages, copies
// and marks are kept by the store; the rest is what PutStatus last said.
type Status struct {
	Key      Key
	Messages int64 // known to the ledger
	Octets   int64 // of those
	Verified int64 // messages with at least one verified copy
	Accepted int64 // messages whose best copy is accepted
	Marked   int64 // marking or marked, not yet settled
	Gone     int64
	Kept     int64
	Failing  int64 // attempt rows
	Lost     int64 // messages of which at least one sink's copy is lost

	State  string    // "complete", "incomplete", "failed", …; "" before the first session ended
	Class  string    // of the last failure
	Reason string    // one line
	Listed int64     // messages in the last listing; -1 where there never was one
	RunID  string    // run that wrote it
	At     time.Time // when
}

// CustodyEntry is one link of the custody chain. Body is a JSON object whose
// form belongs to the caller; the store keeps its octets as they are.
type CustodyEntry struct {
	Seq      int64
	Maildrop int64
	Session  string
	Kind     string // "opened", "closed"
	At       time.Time
	Body     []byte
	Prev     Digest // Hash of the entry before; zero for the first
	Hash     Digest // over Prev and all fields above
}

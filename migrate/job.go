package migrate

import (
	"context"
	"fmt"
	"time"

	"popmigrate/internal/profiles"
	"popmigrate/sinks"
)

// Job is one migration, built by package jobs and validated: nothing in it is
// dialed or opened yet. It is not changed while it runs.
type Job struct {
	Name     string
	Digest   string // SHA-256 of the job file, hexadecimal; for the custody record
	Delete   DeletePolicy
	Limits   Limits
	Accounts []Account
}

// DeletePolicy says what licenses a deletion on the server. The zero value
// deletes nothing.
type DeletePolicy int

// The policies.
const (
	DeleteNever     DeletePolicy = iota // this run deletes nothing; a later purge may
	DeleteVerified                      // at least one sink verified the copy and none holds less than an accepted one
	DeleteAccepted                      // every sink at least accepted it
	DeleteForbidden                     // nothing may ever delete
)

// String returns the word used in job files.
func (p DeletePolicy) String() string {
	switch p {
	case DeleteNever:
		return "never"
	case DeleteVerified:
		return "verified"
	case DeleteAccepted:
		return "accepted"
	case DeleteForbidden:
		return "forbidden"
	}
	return fmt.Sprintf("delete(%d)", int(p))
}

// Limits bound a run. A zero field means the default that its comment names.
type Limits struct {
	Sessions        int           // sessions open at once; 64
	SessionsPerHost int           // the most the governor may grow a host to; 16
	LoginSpacing    time.Duration // least time between two logins on a host; 0 means none
	HostPause       time.Duration // how long a host rests after five alike failures in a row; 5 minutes
	Attempts        int           // sessions tried for one maildrop when the line or the server fails; 4
	Backoff         time.Duration // before the second attempt, tripled for each further one, with jitter; 10 seconds
	SliceTime       time.Duration // a session ends with QUIT after this long; 10 minutes
	SliceMessages   int           // or after so many messages were settled; 0 means no such end
	AuditPause      time.Duration // before a session that looks for what was deleted, ten times as long at each further one; 200 milliseconds
	Memory          int64         // octets of messages held in memory by all sessions; 64 MiB
	MessageOctets   int64         // a message may have so many, whatever was listed, or four times the listed ones; 1 GiB
}

// Account is one maildrop and where its mail goes.
type Account struct {
	Name string // the maildrop's name: unique in the job, the ledger's key
	User string // as the account list has it; for reports
	Hold bool   // never sends DELE for it

	// Connector opens sessions; Server and Host are for reports and the governor.
	Connector Connector
	Server    string // host:port
	Host      string // sessions are counted and paced per host

	// Tuning is what the job's profiles know of the host before it was dialed,
	// for the governor; nil says nothing.
	Tuning *profiles.Tuning

	Sinks []SinkSpec // in the order of the job file; at least one

	Line   int     // in the account list, 0 where there is none
	Fields []Field // the list's columns in order, secrets left out; for reports
}

// Field is one column of an account list.
type Field struct{ Name, Value string }

// SinkSpec names a sink of one maildrop and knows how to open it.
type SinkSpec struct {
	Name string // label in the job file: the ledger's key
	Kind string // "mbox", "maildir", "smtp", "lmtp"

	// Delivers is true where a copy cannot be read back (SMTP, LMTP): such a
	// sink is given one message at a time, after the ledger durably holds
	// that the message may have been sent, and after all other sinks have it.
	Delivers bool

	// Recipients are the envelope recipients for a delivering sink.
	Recipients []string

	Open     func(ctx context.Context, o sinks.Opening) (sinks.Sink, error)
	OpenRead func(ctx context.Context) (sinks.Reader, error)  // nil where Delivers
	Verify   func(ctx context.Context, c sinks.Check) error   // likewise; changes nothing
	Mend     func(ctx context.Context, m sinks.Mending) error // likewise

	// Salvage reads what was moved to the directory quarantine of a maildrop's
	// archive; nil where Delivers.
	Salvage func(ctx context.Context, quarantine, maildrop string) (*sinks.Salvage, error)
}

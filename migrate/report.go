package migrate

import "time"

// Counts are what a run did, to one maildrop or in all. Every number is
// counted in this run, never assumed.
type Counts struct {
	Listed       int64            `json:"listed"`
	Stored       int64            `json:"stored"`
	Known        int64            `json:"known"`
	Skipped      int64            `json:"skipped"`
	Failed       int64            `json:"failed"`
	Reasons      map[string]int64 `json:"reasons"` // of Skipped and Failed
	Verified     int64            `json:"verified"`
	Accepted     int64            `json:"accepted"`
	Marked       int64            `json:"marked"`
	Gone         int64            `json:"gone"`
	Kept         int64            `json:"kept"`
	Held         int64            `json:"held"`
	Late         int64            `json:"late"`
	Octets       int64            `json:"octets"`
	StoredOctets int64            `json:"stored_octets"`
}

// Balanced tells whether the completeness equation holds.
func (c *Counts) Balanced() bool { return c.Listed == c.Stored+c.Known+c.Skipped+c.Failed }

// Add adds other's counts to c.
func (c *Counts) Add(other *Counts) {
	c.Listed += other.Listed
	c.Stored += other.Stored
	c.Known += other.Known
	c.Skipped += other.Skipped
	c.Failed += other.Failed
	for reason, n := range other.Reasons {
		if c.Reasons == nil {
			c.Reasons = map[string]int64{}
		}
		c.Reasons[reason] += n
	}
	c.Verified += other.Verified
	c.Accepted += other.Accepted
	c.Marked += other.Marked
	c.Gone += other.Gone
	c.Kept += other.Kept
	c.Held += other.Held
	c.Late += other.Late
	c.Octets += other.Octets
	c.StoredOctets += other.StoredOctets
}

// AccountReport is what a run did to one maildrop.
type AccountReport struct {
	Account   *Account
	Counts    Counts
	EverSeen  bool  // a listing was obtained: Counts.Listed means something
	Complete  bool  // EverSeen, the equation holds and nothing failed
	Unaudited int64 // messages marked whose deletion no listing has settled yet

	// The last problem, where there was one. Class is one of the Class constants.
	Class    Class
	Reason   string           // one line for a person, no secrets
	Hint     string           // what a person can do; may be ""
	Attempts int              // sessions tried
	Failures []MessageFailure // messages that failed, at most MaxFailuresReported
	Elapsed  time.Duration

	Repair Repair // of damaged copies; all zero where there was nothing to repair
}

// MaxFailuresReported bounds AccountReport.Failures; Counts has them all.
const MaxFailuresReported = 1000

// MessageFailure is one message that the run could not keep.
type MessageFailure struct {
	UniqueID string
	Octets   int64
	Reason   string // short class: "refused by server", "short"…
	Detail   string
}

// Class sorts failures by what helps against them.
type Class string

// The classes.
const (
	ClassNone        Class = ""
	ClassCredential  Class = "credential" // refused login: tried once a run
	ClassBusy        Class = "busy"       // maildrop locked, login delay, server busy
	ClassNetwork     Class = "network"    // dial, reset, time-out
	ClassTLS         Class = "tls"        // handshake, certificate
	ClassProtocol    Class = "protocol"   // the server broke the protocol
	ClassServer      Class = "server"     // the server said it cannot
	ClassMessage     Class = "message"    // the maildrop is readable, single messages failed
	ClassSink        Class = "sink"       // a sink could not keep mail
	ClassArchive     Class = "archive"    // a committed copy is missing or damaged
	ClassLocal       Class = "local"      // ledger, disk, configuration
	ClassHost        Class = "host"       // the host was paused after alike failures of many accounts
	ClassInterrupted Class = "interrupted"
)

// Report is what a run did.
type Report struct {
	RunID       string
	Started     time.Time
	Elapsed     time.Duration
	Accounts    []AccountReport // in the job's order
	Interrupted bool
	Budget      bool // ended by a time window or budget
	Repair      bool // archives were verified and damage was to be replaced
}

// Total returns the sum over all accounts.
func (r *Report) Total() Counts {
	var total Counts
	for i := range r.Accounts {
		total.Add(&r.Accounts[i].Counts)
	}
	return total
}

package migrate

import "time"

// Observer is told what a run does. Its methods are called from many
// goroutines at once and must return at once. The engine never prints.
type Observer interface {
	Maildrop(MaildropEvent) // a maildrop changed its state
	Message(MessageEvent)   // a message was disposed of
	Octets(n int64)         // wire octets arrived; called often
	Host(HostEvent)         // the governor changed its mind about a host
}

// MaildropState is where a maildrop stands in a run.
type MaildropState int

// The states, in the order in which they usually come.
const (
	Queued     MaildropState = iota
	Connecting               // dialing, TLS, login
	Listed                   // the listing is there: Messages and Octets are set
	Deleting                 // DELE and QUIT under way
	Auditing                 // a new session looks for what was deleted
	Waiting                  // will be tried again at Until, because of Reason
	Finished                 // Report is set
	Verifying                // archives are read again before a repair; with a Reason, that is what was found damaged
)

// MaildropEvent reports a maildrop's state.
type MaildropEvent struct {
	Account  *Account
	State    MaildropState
	Messages int64 // Listed: to be fetched in this session
	Octets   int64 // Listed: their listed octets
	Until    time.Time
	Reason   string
	Report   *AccountReport
}

// MessageEvent reports what became of one message.
type MessageEvent struct {
	Account  *Account
	UniqueID string
	Octets   int64
	Fate     Fate
	Reason   string
}

// Fate is what became of a listed message in this run.
type Fate uint8

// The fates. The completeness equation is listed = stored + known + skipped + failed.
const (
	Stored  Fate = iota + 1 // every sink holds it and at least one copy is new
	Known                   // every sink held it before
	Skipped                 // left out for a reason that is no failure
	Failed                  // not in every sink
)

// HostEvent reports the governor's view of a host.
type HostEvent struct {
	Host        string
	Cap         int       // sessions allowed now
	PausedUntil time.Time // zero while it is not paused
	Reason      string
}

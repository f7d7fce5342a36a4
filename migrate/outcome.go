package migrate

import "time"

// Verdict says what is to be done with a maildrop after a session.
type Verdict int

// The verdicts.
const (
	Done  Verdict = iota // nothing is left to do
	More                 // another session is wanted, at once or after Outcome.After
	Later                // try again: the line, the server or a sink failed for now
	Never                // trying again in this run does not help
)

// Outcome is what one session on a maildrop came to.
type Outcome struct {
	Verdict  Verdict
	After    time.Duration // More, Later: wait at least so long
	Hinted   bool          // Later: the server asked for it; it uses up no attempt
	Progress bool          // messages were settled: earlier failures do not count any more
	Class    Class         // of what went wrong
	Reason   string        // one line for a person
	Hint     string        // what a person can do
	LoggedIn bool          // the credentials worked
	Silent   bool          // the server closed the line before its greeting
}

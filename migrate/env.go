package migrate

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"popmigrate/checkpoint"
	"popmigrate/internal/spool"
)

// Env is what a run works with, apart from the job. It is shared by all
// sessions of the run and not copied.
type Env struct {
	Ledger   checkpoint.Store
	Spool    *spool.Spool
	Observer Observer // nil means nobody watches

	RunID    string // names the run in reports and the custody record
	Version  string // of the program
	Operator string // who runs it: user@host
	TornDir  string // takes what a crash left uncommitted in archives

	// QuarantineDir takes what is left of damaged copies, in a folder for each sink.
	QuarantineDir string

	// Repair says what the run may do about damage to archives.
	Repair RepairMode

	// DryRun lists against the ledger and does nothing else.
	DryRun bool

	// Quiesce, once closed, makes the run finish what is in hand, record it
	// and end without opening sessions or sending a DELE that is not sent yet.
	// Cancelling the context ends it at once.
	Quiesce <-chan struct{}

	// noMoreMarks is set once a disk turned out to be full: from then on no
	// session of the run sends a DELE.
	noMoreMarks atomic.Bool

	settling     *semaphore.Weighted
	settlingOnce sync.Once
}

// settlingMost bounds the octets that are being stored at once, in all
// sessions: sinks hold a group in several forms while they store it. It is room
// for one whole group at the least, or that would wait for ever.
const settlingMost = 2 * groupMost

// settlingRoom is what a settle takes its octets from while local sinks store.
func (e *Env) settlingRoom() *semaphore.Weighted {
	e.settlingOnce.Do(func() { e.settling = semaphore.NewWeighted(settlingMost) })
	return e.settling
}

// quiescing tells whether the run is to come to its end.
func (e *Env) quiescing() bool {
	select {
	case <-e.Quiesce: // a nil channel never is ready
		return true
	default:
		return false
	}
}

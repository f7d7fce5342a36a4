package migrate

import (
	"sync"

	"popmigrate/checkpoint"
)

// After lastAfter failed attempts, over all runs, a message is fetched after
// all others, and in the rest of a run after one: two that break sessions,
// side by side, must not use up the run's attempts. After failedAfter the run
// tries it once and no more.
const (
	lastAfter   = 2
	failedAfter = 3
)

// attempts are the failures of a maildrop's messages so far.
type attempts struct {
	maildrop int64
	mu       sync.Mutex
	byHint   map[hint]*checkpoint.Attempt
}

func newAttempts(drop *checkpoint.Maildrop) *attempts {
	a := &attempts{maildrop: drop.ID, byHint: make(map[hint]*checkpoint.Attempt, len(drop.Attempts))}
	for i := range drop.Attempts {
		row := drop.Attempts[i]
		a.byHint[hint{row.UniqueID, row.ListedOctets}] = &row
	}
	return a
}

func (a *attempts) count(h hint) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if row := a.byHint[h]; row != nil {
		return row.Count
	}
	return 0
}

// fail counts one more failure and returns the change that records it.
func (a *attempts) fail(h hint, class, reason string) checkpoint.Change {
	a.mu.Lock()
	defer a.mu.Unlock()
	row := a.byHint[h]
	if row == nil {
		row = &checkpoint.Attempt{UniqueID: h.uid, ListedOctets: h.octets}
		a.byHint[h] = row
	}
	row.Count++
	row.Class, row.Reason = class, reason
	return checkpoint.PutAttempt{Maildrop: a.maildrop, Attempt: *row}
}

// clear forgets a message's failures; ok is false where there are none.
func (a *attempts) clear(h hint) (change checkpoint.Change, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	row := a.byHint[h]
	if row == nil || row.Count == 0 {
		return nil, false
	}
	row.Count = 0
	return checkpoint.PutAttempt{Maildrop: a.maildrop, Attempt: *row}, true
}

// reason returns what the last failure of a message was.
func (a *attempts) reason(h hint) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if row := a.byHint[h]; row != nil {
		return row.Reason
	}
	return ""
}

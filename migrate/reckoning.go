package migrate

import (
	"slices"
	"strings"
	"sync"
)

// Reckoning counts what a run does to one maildrop, over all its sessions.
//
// The two sides of the completeness equation come from different places: what
// is listed comes from listings, what became of it from the ledger's commits
// and from reasons. A message that was listed and then forgotten makes them
// differ, and the maildrop is not complete.
type Reckoning struct {
	mu        sync.Mutex
	counts    Counts
	listed    map[int64]hint // by ordinal: listed messages that have a ledger record
	settled   map[int64]fated
	open      []openEntry    // of the last working session: listed, but without a record
	sessions  map[string]int // working sessions of this run, numbered from 1
	beside    map[string]int // unique-ids left open by the session before: the first session whose listing had them, and all since
	vanished  int64
	tries     map[hint]int
	everSeen  bool
	unaudited int64 // messages marked whose deletion no listing has settled yet
	emptied   bool  // the last listing was suspiciously empty: one more must agree
	again     bool  // one further session for the sake of short messages was asked for
	cautious  bool  // a message began with a status line: replies may be out of step
	headless  bool  // the server's TOP breaks sessions: messages are read whole instead
	repair    Repair
	worked    bool // every listed message was disposed of: further sessions only audit
}

// hint is what is known of a message before it is fetched.
type hint struct {
	uid    string
	octets int64
}

// failure says why a message is not in every sink.
type failure struct{ reason, detail string }

type fated struct {
	fate Fate
	failure
}

// openEntry is a listed message that came to no record.
type openEntry struct {
	hint
	fated
}

// NewReckoning returns an empty reckoning, to be handed to each session of one
// maildrop in one run.
func NewReckoning() *Reckoning {
	return &Reckoning{listed: map[int64]hint{}, settled: map[int64]fated{}, tries: map[hint]int{}, sessions: map[string]int{}}
}

// relist begins a working session. It compares what the session before left
// open with the new listing: what is not there any more has vanished, the rest
// will be disposed of anew.
func (r *Reckoning) relist(session string, entries []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.everSeen = true
	r.sessions[session] = len(r.sessions) + 1
	r.recall()
	if len(r.open) == 0 {
		return
	}
	present := make(map[hint]int, len(entries))
	for _, e := range entries {
		present[hint{e.UniqueID, e.Octets}]++
	}
	for _, e := range r.open {
		if present[e.hint] > 0 {
			present[e.hint]--
		} else {
			r.vanished++
		}
	}
	r.open = nil
}

// recall notes since when each unique-id was left open. Before anything was
// marked nobody asks.
func (r *Reckoning) recall() {
	if r.counts.Marked == 0 {
		return
	}
	before := r.beside
	r.beside = make(map[string]int, len(r.open))
	for _, e := range r.open {
		since, known := before[e.uid]
		if !known {
			since = len(r.sessions) - 1
		}
		r.beside[e.uid] = since
	}
}

// together tells whether a session of this run listed a unique-id beside the
// message that it marked.
func (r *Reckoning) together(uid, session string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, listed := r.beside[uid]
	return listed && uid != "" && r.sessions[session] >= since
}

// account enters a working session's listing: the messages that have a ledger
// record and those that came to none. One of the latter that an earlier
// session of the run accounted for already, and this one only did not reach,
// is not counted twice.
func (r *Reckoning) account(recorded map[int64]hint, left []openEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	earlier := map[hint]int{}
	for ordinal, h := range r.listed {
		if _, again := recorded[ordinal]; !again {
			earlier[h]++
		}
	}
	for ordinal, h := range recorded {
		r.listed[ordinal] = h
	}
	for _, e := range left {
		if earlier[e.hint] > 0 {
			earlier[e.hint]--
			continue
		}
		r.open = append(r.open, e)
	}
}

// leftOpen counts the messages that the last working session listed and that
// came to no record: they failed or were skipped.
func (r *Reckoning) leftOpen() map[hint]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := map[hint]int{}
	for _, e := range r.open {
		open[e.hint]++
	}
	return open
}

// settle notes what became of a message. Within a run Stored outlasts Known,
// and both outlast Failed.
func (r *Reckoning) settle(ordinal int64, fate Fate, why failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.settled[ordinal]; ok && (before.fate == Stored || (before.fate == Known && fate == Failed)) {
		return
	}
	r.settled[ordinal] = fated{fate, why}
}

// count changes the plain counters under the lock.
func (r *Reckoning) count(change func(c *Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.counts)
}

// try counts a failed attempt at a message in this run.
func (r *Reckoning) try(h hint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries[h]++
}

func (r *Reckoning) tried(h hint) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries[h]
}

// replaced counts a lost copy that was replaced.
func (r *Reckoning) replaced(from source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch from {
	case fromServer:
		r.repair.FromServer++
	case fromSink:
		r.repair.FromSinks++
	case fromQuarantine:
		r.repair.FromQuarantine++
	}
}

// lost notes how many copies are lost after a session, and which.
func (r *Reckoning) lost(n int64, remaining []LostMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.repair.Lost, r.repair.Remaining = n, remaining
	for i := range remaining {
		_, remaining[i].Listed = r.listed[remaining[i].Message]
	}
}

// Close ends the reckoning: it returns the counts, the failures (at most
// MaxFailuresReported) and whether there ever was a listing.
func (r *Reckoning) Close() (counts Counts, failures []MessageFailure, everSeen bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts
	c.Reasons = map[string]int64{}
	dispose := func(h hint, f fated) {
		switch f.fate {
		case Stored:
			c.Stored++
		case Known:
			c.Known++
		case Skipped:
			c.Skipped++
			c.Reasons[f.reason]++
		case Failed:
			c.Failed++
			c.Reasons[f.reason]++
			failures = append(failures, MessageFailure{h.uid, h.octets, f.reason, f.detail})
		}
	}
	for ordinal, h := range r.listed {
		c.Listed++
		if f, ok := r.settled[ordinal]; ok {
			dispose(h, f)
		}
	}
	for _, e := range r.open {
		c.Listed++
		dispose(e.hint, e.fated)
	}
	if r.vanished > 0 {
		c.Listed += r.vanished
		c.Skipped += r.vanished
		c.Reasons["vanished"] += r.vanished
	}
	slices.SortFunc(failures, func(a, b MessageFailure) int { return strings.Compare(a.UniqueID, b.UniqueID) })
	return c, failures[:min(len(failures), MaxFailuresReported)], r.everSeen
}

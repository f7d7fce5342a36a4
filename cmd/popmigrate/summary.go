package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"popmigrate/jobs"
	"popmigrate/migrate"
)

// result is what one job of a run came to: all that printers and report files
// are made of.
type result struct {
	job    string
	runID  string
	dir    string // with the reports; "" where there are none
	dryRun bool

	quarantine string // where damaged files were moved to, if there were any
	policy     migrate.DeletePolicy
	report     *migrate.Report // nil where the run could not start
	err        error           // why it could not start, or why it had to stop
	code       exitCode

	received  int64 // wire octets, of mail that is new and of mail that was only compared
	reportErr error // the reports could not be written
}

// newResult judges what a run returned.
func newResult(job *jobs.Job, runID string, report *migrate.Report, err error) *result {
	return &result{job: job.Name, runID: runID, report: report, err: err, code: exitOfRun(report, err)}
}

// counts are the figures of a summary and of an account line, by the names
// that stand in the manual.
type counts struct {
	Listed       *int64           `json:"listed"` // null where a login never succeeded
	Stored       int64            `json:"stored"`
	Known        int64            `json:"known"`
	Skipped      int64            `json:"skipped"`
	Failed       int64            `json:"failed"`
	Reasons      map[string]int64 `json:"reasons"`
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

func newCounts(c *migrate.Counts, seen bool) counts {
	out := counts{
		Stored: c.Stored, Known: c.Known, Skipped: c.Skipped, Failed: c.Failed, Reasons: c.Reasons,
		Verified: c.Verified, Accepted: c.Accepted, Marked: c.Marked, Gone: c.Gone, Kept: c.Kept,
		Held: c.Held, Late: c.Late, Octets: c.Octets, StoredOctets: c.StoredOctets,
	}
	if seen {
		out.Listed = &c.Listed
	}
	if out.Reasons == nil {
		out.Reasons = map[string]int64{}
	}
	return out
}

// summary is a job's last JSON line, and its summary.json.
type summary struct {
	MessageType      string  `json:"message_type"`
	Version          string  `json:"version"`
	Job              string  `json:"job"`
	RunID            string  `json:"run_id"`
	Exit             int     `json:"exit"`
	ExitName         string  `json:"exit_name"`
	Seconds          float64 `json:"seconds"`
	Accounts         int     `json:"accounts"`
	AccountsComplete int     `json:"accounts_complete"`
	Empty            int     `json:"empty"`
	counts
	Repair *migrate.Repair `json:"repair,omitempty"` // where archives were, or had been, damaged
}

func (r *result) summary() summary {
	s := summary{MessageType: "summary", Version: version(), Job: r.job, RunID: r.runID,
		Exit: int(r.code), ExitName: r.code.String(), counts: newCounts(&migrate.Counts{}, false)}
	if r.report == nil {
		return s
	}
	t := r.tally()
	s.Seconds, s.Accounts, s.AccountsComplete, s.Empty = seconds(r.report.Elapsed), t.accounts, t.complete, t.empty
	s.counts = newCounts(&t.counts, t.seen > 0)
	s.Repair = repairOf(&t.repair)
	return s
}

// repairOf leaves out a repair that had nothing to do.
func repairOf(r *migrate.Repair) *migrate.Repair {
	bare := *r
	bare.Remaining = nil
	if bare.Damaged+bare.SetAside+bare.Files+bare.FromSinks+bare.FromQuarantine+bare.FromServer+bare.Lost == 0 {
		return nil
	}
	return &bare
}

// tally is what a report adds up to.
type tally struct {
	counts     migrate.Counts
	repair     migrate.Repair
	accounts   int
	seen       int // maildrops of which there was a listing
	complete   int
	empty      int
	late       int // maildrops in which mail arrived meanwhile
	unaudited  int64
	unbalanced int // maildrops whose equation does not hold
}

func (r *result) tally() tally {
	t := tally{counts: r.report.Total(), accounts: len(r.report.Accounts)}
	for i := range r.report.Accounts {
		a := &r.report.Accounts[i]
		t.unaudited += a.Unaudited
		t.repair.Add(&a.Repair)
		if a.Counts.Late > 0 {
			t.late++
		}
		if a.EverSeen {
			t.seen++
			if a.Counts.Listed == 0 {
				t.empty++
			}
		}
		switch {
		case !a.Counts.Balanced():
			t.unbalanced++
		case a.Complete:
			t.complete++
		}
	}
	return t
}

// stateComplete is the state of a maildrop of which nothing is missing.
const stateComplete = "complete"

// stateOf is a maildrop's state in one word.
func stateOf(a *migrate.AccountReport) string {
	switch {
	case a.Complete:
		return stateComplete
	case a.EverSeen:
		return "incomplete"
	}
	return "failed"
}

// problem is one class of what went wrong, with the maildrops it befell.
type problem struct {
	class    migrate.Class
	accounts []*migrate.AccountReport // in the job's order
}

// problems returns the classes of failures, the most frequent first.
func (r *result) problems() []problem {
	var list []problem
	at := map[migrate.Class]int{}
	for i := range r.report.Accounts {
		a := &r.report.Accounts[i]
		if a.Class == migrate.ClassNone && a.Complete {
			continue
		}
		if _, ok := at[a.Class]; !ok {
			at[a.Class] = len(list)
			list = append(list, problem{class: a.Class})
		}
		p := &list[at[a.Class]]
		p.accounts = append(p.accounts, a)
	}
	stableByCount(list)
	return list
}

// newRunID returns the time a run began, so that ids sort, and random
// characters, so that runs on two machines differ.
func newRunID(now time.Time, random string) string {
	return now.UTC().Format(runTime) + "-" + random
}

const runTime = "20060102T150405.000Z"

// afterAll returns id, or one that sorts behind the newest run in a folder
// where id does not: the clock was put back since then. What was last tried is
// found by the order of the ids.
func afterAll(id, runs string) (string, error) {
	entries, err := os.ReadDir(runs) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, entry := range slices.Backward(entries) {
		text, _, _ := strings.Cut(entry.Name(), "-")
		newest, err := time.Parse(runTime, text)
		if err != nil {
			continue // not a run
		}
		if text < id[:len(runTime)] {
			break
		}
		return newRunID(newest.Add(time.Millisecond), id[len(runTime)+1:]), nil
	}
	return id, nil
}

package preflight

import (
	"cmp"
	"context"
	"slices"
	"time"

	"popmigrate/migrate"
)

// Report is what was seen of a job's maildrops.
type Report struct {
	Accounts    []*Account // in the job's order
	Interrupted bool
	Elapsed     time.Duration
}

// Job looks at every maildrop of a job and judges it. Each is passed to seen,
// from one goroutine, as it comes to its end; seen and observer may be nil.
// When ctx is done, what was not looked at yet is reported as not tried.
func Job(ctx context.Context, job *migrate.Job, observer migrate.Observer, seen func(*Account)) *Report {
	started := time.Now()
	r := &Report{}
	place := make(map[*migrate.Account]int, len(job.Accounts))
	for i := range job.Accounts {
		place[&job.Accounts[i]] = i
	}
	migrate.Survey(ctx, job, observer, func(s *migrate.Sight) {
		a := newAccount(s, job, time.Now())
		r.Accounts = append(r.Accounts, a)
		r.Interrupted = r.Interrupted || s.Class == migrate.ClassInterrupted
		if seen != nil {
			seen(a)
		}
	})
	slices.SortFunc(r.Accounts, func(a, b *Account) int { return cmp.Compare(place[a.Of], place[b.Of]) })
	r.Elapsed = time.Since(started)
	return r
}

// Totals are sums over a report.
type Totals struct {
	Accounts int   `json:"accounts"`
	Ready    int   `json:"ready"`
	NotReady int   `json:"not_ready"`
	NotTried int   `json:"not_tried"` // of those
	Messages int64 `json:"messages"`
	Octets   int64 `json:"octets"`            // that a first run reads, as listed
	EachRun  int64 `json:"messages_each_run"` // that every run reads again, for want of unique-ids
	Remarks  int   `json:"remarks"`           // accounts that are ready, with something to know
	Servers  int   `json:"servers"`           // host:port
	largest  *Account
}

// Largest returns the maildrop with the most octets, nil where there is no mail.
func (t *Totals) Largest() *Account { return t.largest }

// Totals adds up.
func (r *Report) Totals() Totals {
	t := Totals{Accounts: len(r.Accounts)}
	servers := map[string]bool{}
	for _, a := range r.Accounts {
		servers[a.Server] = true
		if !a.Ready {
			t.NotReady++
			if a.Class == migrate.ClassInterrupted || a.Class == migrate.ClassHost {
				t.NotTried++
			}
			continue
		}
		t.Ready++
		if len(a.Findings) > 0 {
			t.Remarks++
		}
		t.Messages += *a.Messages
		t.Octets += *a.Octets
		if a.UniqueIDs.Quality != UniqueIDsGood {
			t.EachRun += *a.Messages
		}
		if *a.Octets > 0 && (t.largest == nil || *a.Octets > *t.largest.Octets) {
			t.largest = a
		}
	}
	t.Servers = len(servers)
	return t
}

// Servers returns for each server of the report the account that tells most of it.
func (r *Report) Servers() []*Account {
	var list []*Account
	at := map[string]int{}
	for _, a := range r.Accounts {
		i, ok := at[a.Server]
		switch {
		case !ok:
			at[a.Server] = len(list)
			list = append(list, a)
		case tells(a) > tells(list[i]):
			list[i] = a
		}
	}
	return list
}

// tells is how far a session came.
func tells(a *Account) (n int) {
	for _, known := range []bool{a.Address != "", a.TLS != nil, a.Greeting != "", a.Mechanism != "", a.Messages != nil} {
		if known {
			n++
		}
	}
	return n
}

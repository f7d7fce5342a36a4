package main

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"popmigrate/checkpoint"
	"popmigrate/jobs"
	"popmigrate/migrate"
	"popmigrate/sinks"
)

// verification reads copies again and counts. Its methods may be called from
// many goroutines.
type verification struct {
	app     *app
	subset  subset
	codecs  *sinks.Codecs
	started time.Time
	custody int64 // sound entries of custody records
	broken  bool  // one of these records is

	mu       sync.Mutex
	total    int   // maildrops, or archives of a folder
	done     int   // of them
	archives int   // of which a copy is known
	copies   int64 // known
	read     int64 // of them, with any outcome
	octets   int64 // of them
	problems int64
	notes    int64
}

func newVerification(a *app, s subset) *verification {
	return &verification{app: a, subset: s, codecs: sinks.NewCodecs(), started: time.Now()}
}

// accounts verifies all local sinks of a job's maildrops, several at once.
func (v *verification) accounts(ctx context.Context, ledger checkpoint.Store, job *jobs.Job) error {
	v.begin(len(job.Job.Accounts))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range job.Job.Accounts {
		group.Go(func() error {
			account := &job.Job.Accounts[i]
			drop, err := ledger.Load(ctx, checkpoint.Key{Job: job.Name, Name: account.Name})
			if err != nil {
				return err
			}
			for k := range account.Sinks {
				if err := v.sink(ctx, account.Name, &account.Sinks[k], drop); err != nil {
					return err
				}
			}
			v.end()
			return nil
		})
	}
	return group.Wait()
}

// unreachable reports maildrops that the ledger knows and the job file does not.
func (v *verification) unreachable(job *jobs.Job, rows []checkpoint.Status) {
	names := make(map[string]bool, len(job.Job.Accounts))
	for i := range job.Job.Accounts {
		names[job.Job.Accounts[i].Name] = true
	}
	missing := int64(0)
	for i := range rows {
		if rows[i].Key.Job == job.Name && !names[rows[i].Key.Name] {
			missing++
		}
	}
	if missing > 0 {
		v.app.note("Warning: %s in the ledger of job %q and no longer in the job file: not verified.", counted(missing, "maildrop"), job.Name)
	}
}

// sink verifies one sink of one maildrop. Its error is that of ctx.
func (v *verification) sink(ctx context.Context, name string, spec *migrate.SinkSpec, drop *checkpoint.Maildrop) error {
	copies := migrate.VerifiedCopies(drop, spec.Name)
	mark := drop.Sinks[spec.Name]
	if spec.Verify == nil || mark.ArchiveID == "" {
		return nil
	}
	check := v.check(name, spec.Name, copies)
	check.Mark = &sinks.Mark{ArchiveID: mark.ArchiveID, Generation: mark.Generation}
	return v.archive(ctx, name, spec.Name, check, spec.Verify)
}

// check is what an archive is verified against, reporting to v.
func (v *verification) check(account, sink string, copies iter.Seq[sinks.Copy]) sinks.Check {
	counted := false // they may be gone through more than once
	return sinks.Check{
		Copies: func(yield func(sinks.Copy) bool) {
			for copy := range copies {
				if !counted {
					v.count(func() { v.copies++ })
				}
				if !yield(copy) {
					return
				}
			}
			counted = true
		},
		Pick:  func(copy sinks.Copy) bool { return v.subset.has(account, copy.Ordinal) },
		Read:  func(copy sinks.Copy, _ bool) { v.count(func() { v.read++; v.octets += copy.Octets }) },
		Found: func(f sinks.Finding) { v.report(newFinding(account, sink, &f)) },
	}
}

// archive verifies an archive. Its error is that of ctx.
func (v *verification) archive(ctx context.Context, account, sink string, check sinks.Check,
	verify func(context.Context, sinks.Check) error) error {
	v.count(func() { v.archives++ })
	err := verify(ctx, check)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		f := finding{Account: account, Sink: sink, Problem: err.Error()}
		var where *sinks.Error
		if errors.As(err, &where) {
			f.Object = where.Object
		}
		v.report(f)
	}
	return nil
}

func (v *verification) count(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

// watch shows how far it is until the returned function is called.
func (v *verification) watch() (unwatch func()) {
	if v.app.json || v.app.quiet {
		return func() {}
	}
	return v.app.screen.watch(func(now time.Time) (int, []string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		parts := []string{counted(v.read, "copy"), octets(v.octets), counted(v.problems, "problem"), rate(v.octets, now.Sub(v.started))}
		return 1000 * v.done / max(v.total, 1), parts
	})
}

// begin adds maildrops or archives to what is to be done.
func (v *verification) begin(n int) { v.count(func() { v.total += n }) }

// end notes that one is done.
func (v *verification) end() { v.count(func() { v.done++ }) }

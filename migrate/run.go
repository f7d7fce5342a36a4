package migrate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Defaults of Limits; what they bound is said there.
const (
	defaultSessions  = 64
	defaultHostPause = 5 * time.Minute
	defaultAttempts  = 4
	defaultBackoff   = 10 * time.Second
	defaultSliceTime = 10 * time.Minute
	// Some servers delete after they have answered QUIT.
	defaultAuditPause = 200 * time.Millisecond
	restlessMost      = 20
	hintsMost         = 8                // times that a server's "later" is heeded for one maildrop
	longestWait       = 15 * time.Minute // between two tries
)

// WithDefaults returns l with every zero field set to its default.
func (l Limits) WithDefaults() Limits {
	or := func(value *int, fallback int) {
		if *value <= 0 {
			*value = fallback
		}
	}
	span := func(value *time.Duration, fallback time.Duration) {
		if *value <= 0 {
			*value = fallback
		}
	}
	or(&l.Sessions, defaultSessions)
	or(&l.SessionsPerHost, defaultPerHost)
	or(&l.Attempts, defaultAttempts)
	span(&l.HostPause, defaultHostPause)
	span(&l.Backoff, defaultBackoff)
	span(&l.SliceTime, defaultSliceTime)
	span(&l.AuditPause, defaultAuditPause)
	if l.Memory <= 0 {
		l.Memory = 64 << 20
	}
	if l.MessageOctets <= 0 {
		l.MessageOctets = 1 << 30
	}
	return l
}

// Run moves the mail of all accounts of a job and returns when every one has
// come to its end, or the run was told to end. The report is complete in every
// case; an error says why the run had to stop (the ledger failed).
func Run(ctx context.Context, job *Job, env *Env) (*Report, error) {
	r := newRunner(job, env)
	r.session = func(ctx context.Context, t *task, slice Slice) (Outcome, error) {
		return Maildrop(ctx, job, t.account, env, t.reck, slice)
	}
	ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	started := time.Now()
	if env.Repair != RepairNothing {
		r.repairAll(ctx)
	}
	r.schedule(ctx)
	report := &Report{RunID: env.RunID, Started: started, Repair: env.Repair != RepairNothing, Interrupted: env.quiescing() || (ctx.Err() != nil && r.fatal == nil)}
	for _, t := range r.tasks {
		report.Accounts = append(report.Accounts, t.report)
	}
	report.Elapsed = time.Since(started)
	return report, r.fatal
}

// task is one maildrop's course through a run.
type task struct {
	account   *Account
	host      *host
	reck      *Reckoning
	notBefore time.Time
	attempts  int // sessions that failed since the last progress
	hints     int
	restless  int // sessions in a row that wanted another one and settled nothing
	sessions  int
	begun     time.Time
	last      Outcome
	blocked   *Outcome // its archives cannot be repaired
	report    AccountReport
}

// runner opens sessions as the limits and the governor allow. All of its
// fields belong to the goroutine that runs schedule.
type runner struct {
	job     *Job
	env     *Env
	limits  Limits
	session func(context.Context, *task, Slice) (Outcome, error) // what is done with a maildrop at a time
	tasks   []*task
	waiting []*task // not under way, in the order in which they are to be tried
	running int
	ended   chan ending
	stop    context.CancelCauseFunc
	fatal   error
}

// ending is a session's end.
type ending struct {
	task    *task
	outcome Outcome
	err     error
}

func newRunner(job *Job, env *Env) *runner {
	r := &runner{job: job, env: env, limits: job.Limits.WithDefaults(), ended: make(chan ending)}
	hosts := map[string]*host{}
	for i := range job.Accounts {
		account := &job.Accounts[i]
		h := hosts[account.Host]
		if h == nil {
			h = newHost(account.Host, &r.limits)
			hosts[account.Host] = h
		}
		h.heed(account.Tuning)
		r.tasks = append(r.tasks, &task{account: account, host: h, reck: NewReckoning()})
	}
	r.waiting = append(r.waiting, r.tasks...)
	return r
}

// schedule runs every task to its end.
func (r *runner) schedule(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	quiesce := r.env.Quiesce
	for len(r.waiting) > 0 || r.running > 0 {
		if ctx.Err() != nil || r.env.quiescing() {
			for _, t := range r.waiting {
				t.last = Outcome{Verdict: Never, Class: ClassInterrupted, Reason: "interrupted", Hint: "run the same command again to go on"}
				r.finish(t)
			}
			r.waiting = nil
			quiesce = nil
			if r.running == 0 {
				return
			}
		}
		wake := r.startDue(ctx)
		if len(r.waiting) == 0 && r.running == 0 {
			return // the last ones were given up
		}
		var due <-chan time.Time
		if !wake.IsZero() {
			timer.Reset(time.Until(wake))
			due = timer.C
		}
		select {
		case e := <-r.ended:
			r.end(e)
		case <-due:
		case <-quiesce:
		case <-done(ctx, r.running > 0):
		}
	}
}

// done is ctx's channel while nothing runs; else the running sessions, which
// see ctx themselves, are waited for.
func done(ctx context.Context, running bool) <-chan struct{} {
	if running {
		return nil
	}
	return ctx.Done()
}

// startDue starts every task that may start now and returns when the next one
// may, zero if that depends on a session's end.
func (r *runner) startDue(ctx context.Context) (wake time.Time) {
	now := time.Now()
	soonest := func(at time.Time) {
		if !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	kept := r.waiting[:0]
	for _, t := range r.waiting {
		switch {
		case t.host.givenUp:
			t.last = Outcome{Verdict: Never, Class: ClassHost,
				Reason: t.host.whyGivenUp(),
				Hint:   "look at the first failures of this host, then run with --failed"}
			r.finish(t)
			continue
		case r.running >= r.limits.Sessions:
		case now.Before(t.notBefore):
			soonest(t.notBefore)
		default:
			ok, at := t.host.admit(now)
			if ok {
				r.start(ctx, t, now)
				continue
			}
			soonest(at)
		}
		kept = append(kept, t)
	}
	r.waiting = kept
	return wake
}

func (r *runner) start(ctx context.Context, t *task, now time.Time) {
	if t.begun.IsZero() {
		t.begun = now
	}
	t.sessions++
	r.running++
	t.host.enter(now)
	slice := Slice{Until: now.Add(r.limits.SliceTime), Messages: r.limits.SliceMessages}
	go func() {
		outcome, err := r.session(ctx, t, slice)
		r.ended <- ending{t, outcome, err}
	}()
}

// end decides what follows a session.
func (r *runner) end(e ending) {
	r.running--
	t, o := e.task, e.outcome
	if t.host.leave(time.Now(), &o) && r.env.Observer != nil {
		r.env.Observer.Host(t.host.event())
	}
	if e.err != nil && r.fatal == nil {
		r.fatal = e.err
		r.stop(e.err)
	}
	t.last = o
	wait := o.After
	switch {
	case o.Verdict == More:
		t.attempts, t.hints = 0, 0
		if t.restless++; o.Progress {
			t.restless = 0
		}
		if t.restless > restlessMost {
			t.last = Outcome{Verdict: Never, Class: ClassServer,
				Reason: fmt.Sprintf("%d sessions in a row changed nothing, and still there is something to do", t.restless)}
			r.finish(t)
			return
		}
	case o.Verdict == Later && o.Hinted && t.hints < hintsMost:
		wait = min(o.After<<t.hints, longestWait)
		t.hints++
	case o.Verdict == Later && !o.Hinted:
		if o.Progress {
			t.attempts = 0
		}
		if t.attempts++; t.attempts >= r.limits.Attempts {
			r.finish(t)
			return
		}
		wait = max(o.After, r.backoff(t.attempts))
	default:
		r.finish(t)
		return
	}
	t.notBefore = time.Now().Add(wait)
	if o.Verdict == Later {
		r.observe(MaildropEvent{Account: t.account, State: Waiting, Until: t.notBefore, Reason: o.Reason})
	}
	r.waiting = append(r.waiting, t)
}

// backoff is the wait after so many failures, with jitter so that accounts
// that failed together do not come back together.
func (r *runner) backoff(attempts int) time.Duration {
	wait := r.limits.Backoff
	for ; attempts > 1 && wait < longestWait; attempts-- {
		wait *= 3
	}
	wait = min(wait, longestWait)
	return wait - wait/5 + rand.N(wait*2/5+1)
}

// finish writes a task's report.
func (r *runner) finish(t *task) {
	counts, failures, seen := t.reck.Close()
	t.report = AccountReport{Account: t.account, Counts: counts, EverSeen: seen, Failures: failures,
		Complete:  seen && counts.Balanced() && counts.Failed == 0,
		Unaudited: t.reck.unaudited, Class: t.last.Class, Reason: t.last.Reason, Hint: t.last.Hint, Attempts: t.sessions,
		Repair: t.reck.repair}
	if t.report.Class == ClassNone && counts.Failed > 0 {
		t.report.Class, t.report.Reason = ClassMessage, "some messages could not be kept"
		if len(failures) > 0 {
			t.report.Reason = failures[0].Reason + ": " + failures[0].Detail
		}
	}
	if !t.begun.IsZero() {
		t.report.Elapsed = time.Since(t.begun)
	}
	r.observe(MaildropEvent{Account: t.account, State: Finished, Report: &t.report})
}

func (r *runner) observe(event MaildropEvent) {
	if r.env.Observer != nil {
		r.env.Observer.Maildrop(event)
	}
}

package migrate

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/sinks"
)

// outcome says what a session came to and what is to be done next.
func (v *visit) outcome(problem error) Outcome {
	if problem != nil {
		o := v.failed(problem)
		o.Progress = v.settled > 0
		return o
	}
	o := Outcome{Verdict: Done, Progress: v.settled > 0}
	if v.env.DryRun {
		return o
	}
	unreached := v.unreached() || v.unproven()
	v.reck.worked = v.reck.worked || (!unreached && !v.weakened && !v.reck.emptied)
	switch {
	case v.later > 0:
		o.Verdict, o.Class, o.Reason = Later, ClassSink, v.sinkWhy.reason+": "+v.sinkWhy.detail
		v.reck.worked = false
	case unreached || v.weakened:
		o.Verdict, o.After = More, v.facts.LoginDelay
	case v.tuning().Window && v.settled > 0:
		// The listing may have been a part of the mail.
		v.reck.worked = false
		o.Verdict, o.After = More, max(v.facts.LoginDelay, v.pauseBeforeAudit())
	case v.shorts && v.wantsDeletion() && !v.reck.again:
		v.reck.again, v.reck.worked = true, false
		o.Verdict, o.After = More, max(v.facts.LoginDelay, v.pauseBeforeAudit())
	case len(v.marks) > 0 || v.reck.emptied:
		o.Verdict, o.After = More, max(v.facts.LoginDelay, v.pauseBeforeAudit())
	}
	return o
}

func (v *visit) wantsDeletion() bool {
	return !v.acct.Hold && (v.job.Delete == DeleteVerified || v.job.Delete == DeleteAccepted)
}

func (v *visit) pauseBeforeAudit() time.Duration {
	tries := 1
	for _, mark := range v.marks {
		tries = max(tries, v.drop.Messages[mark.record].Mark.Tries)
	}
	pause := v.job.Limits.WithDefaults().AuditPause
	for ; tries > 1; tries-- {
		pause *= 10
	}
	return max(pause, 2*v.tuning().Deletions.Duration()) // at that moment a listing may be in between
}

// failed sorts an error by what helps against it.
func (v *visit) failed(err error) Outcome {
	o := Outcome{Verdict: Later, Class: ClassNetwork, Reason: err.Error()}
	var connect *ConnectError
	var session *sessionError
	var sink *sinks.Error
	if errors.As(err, &sink) {
		o.Hint = sink.Hint
	}
	var ledger *checkpoint.Error
	if errors.As(err, &ledger) {
		o.Hint = ledger.Hint
	}
	switch {
	case errors.Is(err, context.Canceled):
		o.Verdict, o.Class, o.Reason = Never, ClassInterrupted, "interrupted"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		o.Class, o.Hint = ClassLocal, "too many files are open: raise the limit (ulimit -n), or lower sessions in limits"
	case errors.As(err, &connect):
		o.Class, o.Hint, o.Silent = connect.Class, connect.Hint, connect.BeforeGreeting()
		o.After, o.Hinted = connect.After, connect.After > 0
		switch connect.Class {
		case ClassCredential, ClassTLS, ClassLocal, ClassServer:
			o.Verdict = Never
		}
	case errors.As(err, &session):
		o.Class, o.Hint = classifySession(session.err)
	case errors.Is(err, sinks.ErrDamaged), errors.Is(err, sinks.ErrForeign):
		o.Verdict, o.Class = Never, ClassArchive
	case errors.Is(err, syscall.ENOSPC):
		v.env.noMoreMarks.Store(true)
		o.Verdict, o.Class = Never, ClassSink
		o.Hint = "the disk is full: make room and run again; nothing more is deleted in this run"
	case errors.As(err, new(*fs.PathError)), sink != nil:
		o.Verdict, o.Class = Never, ClassSink
	default:
		if errors.As(err, new(*ledgerError)) || v.session == nil {
			o.Verdict, o.Class = Never, ClassLocal
		} else {
			o.Verdict, o.Class = Never, ClassSink
		}
	}
	return o
}

// status is the maildrop's row in the overview.
func (v *visit) status(o *Outcome) checkpoint.Status {
	s := checkpoint.Status{State: "complete", Class: string(o.Class), Reason: o.Reason,
		Listed: int64(len(v.listing.Entries)), RunID: v.env.RunID, At: v.now()}
	switch {
	case o.Verdict == More:
		s.State = "in progress"
	case o.Verdict != Done:
		s.State = "incomplete"
	default:
		for i, left := range v.left {
			if v.record[i] == noRecord && left.fate == Failed {
				s.State, s.Reason = "incomplete", left.reason
			}
		}
	}
	return s
}

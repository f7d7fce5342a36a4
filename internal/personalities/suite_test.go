package personalities

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"popmigrate/migrate"
	"popmigrate/pop3/pop3test"
)

// TestJobs runs the whole job against every server: a copy that is interrupted,
// one that resumes while things go wrong, a deletion that fails at first, and
// the audit.
func TestJobs(t *testing.T) {
	for _, p := range pop3test.Personalities() {
		t.Run(p.Key, func(t *testing.T) {
			t.Parallel()
			copied := firstSession(t, p, migrate.DeleteNever)
			deleted := firstSession(t, p, migrate.DeleteVerified)
			t.Run("uninterrupted", func(t *testing.T) {
				trial(t, p, func(w *world) {
					w.strict = true
					w.finish(migrate.DeleteNever)
				})
			})
			cuts := int64(4)
			if testing.Short() {
				cuts = 1
			}
			for i := range cuts {
				interrupted(t, p, run{cut: copied * (2*i + 1) / (2 * cuts)})
				interrupted(t, p, run{policy: migrate.DeleteVerified, cut: deleted * (2*i + 1) / (2 * cuts)})
				interrupted(t, p, run{policy: migrate.DeleteVerified, cut: deleted - 10 - 60*i}) // in the replies to DELE and QUIT
			}
		})
	}
}

// interrupted lets the job come to its end after a run whose line was cut.
func interrupted(t *testing.T, p pop3test.Personality, r run) {
	r.attempts = 1
	t.Run(fmt.Sprintf("%v cut at %d", r.policy, r.cut), func(t *testing.T) {
		trial(t, p, func(w *world) {
			w.live(r)
			w.finish(r.policy)
		})
	})
}

// firstSession returns how many octets the server sends in the first session of
// a run that nothing befalls.
func firstSession(t *testing.T, p pop3test.Personality, policy migrate.DeletePolicy) (octets int64) {
	trial(t, p, func(w *world) {
		w.live(run{policy: policy})
		octets = w.received
	})
	return octets
}

// finish goes on with what the job was about, while things go wrong, then has
// it delete, and looks at what came of it.
func (w *world) finish(policy migrate.DeletePolicy) {
	<-time.After(10 * time.Minute) // what lingers is over
	w.until(run{policy: policy, rules: w.personality.Mishaps})
	w.until(run{policy: migrate.DeleteVerified, rules: w.personality.Failures})
	<-time.After(time.Minute) // what is late has come
	w.checkServer()
	w.checkSinks()
}

// until repeats a run, as a person would, until it says that nothing is left to
// do. The server strays in the first one only.
func (w *world) until(r run) {
	expected := w.expect()
	var last *migrate.AccountReport
	for i := range 6 + expected.runs {
		last = w.live(r)
		for k, times := range w.drop.Struck() {
			if times == 0 && w.strict {
				w.violate("the rule %+v never struck: it tests nothing", r.rules[k])
			}
		}
		if w.came(last) && i >= expected.runs {
			return
		}
		r.rules = nil
		<-time.After(time.Hour)
	}
	w.violate("the job does not come to its end: %s", words(last))
}

// came tells whether a run says that nothing is left to do but what is expected
// to fail.
func (w *world) came(a *migrate.AccountReport) bool {
	expected := w.expect()
	if a.Counts.Late != 0 && !expected.hides {
		w.violate("%d messages are said to be late; no mail arrives", a.Counts.Late)
	}
	if len(expected.failed) == 0 {
		return a.Complete && a.Unaudited == 0 && a.Class == migrate.ClassNone
	}
	return a.EverSeen && (a.Unaudited == 0 || expected.doubtful) && a.Counts.Failed == int64(len(expected.failed)) && a.Counts.Reasons[expected.reason] == a.Counts.Failed
}

// checkServer wants nothing left on the server but what is not to be deleted.
func (w *world) checkServer() {
	expected := w.expect()
	left := map[string]bool{}
	for _, m := range w.drop.Contents() {
		left[markOf(m.Content)] = true
	}
	for _, own := range w.personality.Own {
		if !left[markOf(own.Content)] {
			w.violate("%q is not on the server any more", markOf(own.Content))
		}
	}
	for i := range messages {
		want := slices.Contains(expected.failed, i)
		if left[mark(i)] != want && !expected.hides {
			w.violate("%s is left on the server: %v, want %v", mark(i), left[mark(i)], want)
		}
	}
}

package migrate

import (
	"fmt"
	"time"

	"popmigrate/internal/profiles"
)

// The governor's constants. A host is what its clients' behaviour makes of it:
// one begins politely, grows while all is well, and rests when many accounts
// fail alike, for throttling looks like a bad password.
const (
	firstCap       = 4 // sessions on a host to begin with
	alikeMost      = 5 // alike failures in a row that pause a host
	pausesMost     = 3 // pauses without a success between them, then the host is given up
	defaultPerHost = 16
)

// host is the governor's view of one host. It is guarded by the runner's lock.
type host struct {
	name        string
	cap, max    int
	running     int
	spacing     time.Duration
	nextLogin   time.Time
	rest        time.Duration // of the next pause
	pausedUntil time.Time
	alike       int
	problem     string // of the last failures, alike
	pauses      int    // since the last success
	proving     bool   // one session tries whether the pause helped
	givenUp     bool
	hasty       bool // is given up at once where waiting would change nothing
}

func newHost(name string, limits *Limits) *host {
	most := limits.SessionsPerHost
	if most <= 0 {
		most = defaultPerHost
	}
	return &host{name: name, cap: min(firstCap, most), max: most, spacing: limits.LoginSpacing, rest: limits.HostPause}
}

// heed takes over what is known of the host's own limits, where they are
// stricter than the job's.
func (h *host) heed(t *profiles.Tuning) {
	if t == nil {
		return
	}
	if t.SessionsPerHost > 0 {
		h.max = min(h.max, t.SessionsPerHost)
		h.cap = min(h.cap, h.max)
	}
	h.spacing = max(h.spacing, t.LoginSpacing.Duration())
}

// admit tells whether a session may be opened now; if not, when to ask again
// (zero: when another one has ended).
func (h *host) admit(now time.Time) (ok bool, at time.Time) {
	switch {
	case now.Before(h.pausedUntil):
		return false, h.pausedUntil
	case h.running >= h.cap, h.proving:
		return false, time.Time{}
	case now.Before(h.nextLogin):
		return false, h.nextLogin
	}
	return true, time.Time{}
}

// enter counts a session that is opened now.
func (h *host) enter(now time.Time) {
	h.running++
	h.nextLogin = now.Add(h.spacing)
	h.proving = h.pauses > 0
}

// leave learns from how a session ended; it tells whether its view changed.
func (h *host) leave(now time.Time, o *Outcome) (changed bool) {
	h.running--
	proved := h.proving
	h.proving = false
	if o.LoggedIn {
		h.alike, h.problem, h.pauses = 0, "", 0
		grown := min(h.cap+1, h.max)
		changed = grown != h.cap || proved
		h.cap = grown
		return changed
	}
	if o.Silent {
		half := max(1, h.cap/2)
		changed = half != h.cap
		h.cap = half
	}
	switch o.Class {
	case ClassCredential, ClassBusy, ClassNetwork, ClassProtocol, ClassTLS, ClassServer:
	default:
		return changed
	}
	problem := string(o.Class)
	if problem != h.problem {
		h.alike, h.problem = 0, problem
	}
	if h.alike++; h.alike < alikeMost && !proved {
		return changed
	}
	h.pause(now, h.hasty && !mayThrottle(o))
	return true
}

// mayThrottle tells whether a failure may be a server's way to say: not now.
func mayThrottle(o *Outcome) bool {
	return o.Silent || o.Class == ClassCredential || o.Class == ClassBusy
}

// pause lets the host rest, or gives it up where it rested too often or
// resting is in vain.
func (h *host) pause(now time.Time, vain bool) {
	h.alike = 0
	if vain || h.pauses >= pausesMost {
		h.givenUp = true
		return
	}
	h.pauses++
	h.pausedUntil = now.Add(h.rest << (h.pauses - 1))
}

// whyGivenUp says it for a report.
func (h *host) whyGivenUp() string {
	text := fmt.Sprintf("host %s was given up", h.name)
	if h.pauses > 0 {
		text += fmt.Sprintf(" after %d pauses", h.pauses)
	}
	return fmt.Sprintf("%s: accounts kept failing alike (%s)", text, h.problem)
}

func (h *host) event() HostEvent {
	e := HostEvent{Host: h.name, Cap: h.cap, PausedUntil: h.pausedUntil}
	if h.pauses > 0 {
		e.Reason = fmt.Sprintf("%d accounts in a row failed alike (%s): a sign of throttling", alikeMost, h.problem)
	}
	return e
}

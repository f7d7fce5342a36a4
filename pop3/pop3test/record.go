package pop3test

import (
	"context"
	"slices"
	"sync"
)

// Line is a command line that the server received.
type Line struct {
	Connection int    // counted from 1
	Session    int    // of the maildrop, counted from 1; 0 before the login
	User       string // the maildrop; "" before the login
	TLS        bool   // it came encrypted

	// Injected marks octets that came in the clear where the TLS handshake
	// was due, behind STLS or on a port with implicit TLS; they are in Text.
	Injected bool

	// Text is the line without its CRLF; secrets are *** unless
	// Config.LogSecrets says otherwise.
	Text string
}

// Stats are counts since the server began.
type Stats struct {
	Connections int // accepted
	Open        int // connections now
	MaxOpen     int // the most at once
	Logins      int // that succeeded: the sessions so far
	Refused     int // logins that did not succeed
	Sessions    int // logged in now
	MaxSessions int // the most at once
}

func (s *Stats) login() {
	s.Logins++
	s.Sessions++
	s.MaxSessions = max(s.MaxSessions, s.Sessions)
}

// record is what a server remembers of its sessions for tests to see.
type record struct {
	mu      sync.Mutex
	noLog   bool
	lines   []Line
	stats   Stats
	waiting int           // calls of Wait
	changed chan struct{} // closed and replaced at each change while any waits
}

func newRecord(config Config) record {
	return record{noLog: config.NoLog, changed: make(chan struct{})}
}

// change applies f and wakes those who wait.
func (r *record) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	r.wake()
}

// wake wakes those who wait. The caller holds r.mu.
func (r *record) wake() {
	if r.waiting > 0 {
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

// connected counts a connection and returns its number.
func (r *record) connected() (number int) {
	r.change(func() {
		r.stats.Connections++
		r.stats.Open++
		r.stats.MaxOpen = max(r.stats.MaxOpen, r.stats.Open)
		number = r.stats.Connections
	})
	return number
}

func (r *record) disconnected() { r.change(func() { r.stats.Open-- }) }

// open opens a session on m. It does not count a refusal, which may be asked
// again.
func (r *record) open(m *Maildrop) (session int, messages []Message, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if session, messages, err = m.open(); err == nil {
		r.stats.login()
		r.wake()
	}
	return session, messages, err
}

// closed ends a session on m.
func (r *record) closed(m *Maildrop) {
	r.change(func() {
		m.release()
		r.stats.Sessions--
	})
}

// refused counts a login that did not succeed, on m where it exists.
func (r *record) refused(m *Maildrop) {
	r.change(func() {
		if m != nil {
			m.refuse()
		}
		r.stats.Refused++
	})
}

func (r *record) line(line Line) {
	if r.noLog {
		return
	}
	r.change(func() { r.lines = append(r.lines, line) })
}

// Log returns the command lines received so far, in the order of arrival.
func (s *Server) Log() []Line {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return slices.Clone(s.record.lines)
}

// Commands returns the texts of the log's lines from sessions on the maildrop
// of user; the login itself is not among them.
func (s *Server) Commands(user string) []string {
	var texts []string
	for _, line := range s.Log() {
		if line.User == user {
			texts = append(texts, line.Text)
		}
	}
	return texts
}

// Stats returns what the server counted.
func (s *Server) Stats() Stats {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return s.record.stats
}

// Wait returns when done, asked at once and after each connection, command
// and end of a session, is true; or with ctx's error.
func (s *Server) Wait(ctx context.Context, done func() bool) error {
	r := &s.record
	r.mu.Lock()
	r.waiting++
	changed := r.changed
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.waiting--
	}()
	for !done() {
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.mu.Lock()
		changed = r.changed
		r.mu.Unlock()
	}
	return nil
}

// WaitIdle returns when no connection is open, or with ctx's error.
func (s *Server) WaitIdle(ctx context.Context) error {
	return s.Wait(ctx, func() bool { return s.Stats().Open == 0 })
}

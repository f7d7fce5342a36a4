package migrate

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"popmigrate/pop3"
)

// Sight is what a survey saw of one maildrop.
type Sight struct {
	Account *Account
	Tried   bool     // a session was opened, or it was tried
	Facts   *Facts   // as far as the session went; may be nil
	Listing *Listing // nil where it did not go so far
	Top     Top

	// What went wrong, where something did: Err and what it is sorted into.
	// Err is nil where a maildrop was not tried; Reason then says why.
	Err    error
	Class  Class
	Reason string // one line for a person, no secrets
	Hint   string // what a person can do; may be ""

	Elapsed time.Duration // of the last session
}

// Top says whether a server reads header sections alone (RFC 1939 section 7).
type Top int

// The answers.
const (
	TopUnknown   Top = iota // not announced, and there was nothing to try it on
	TopAnnounced            // in CAPA
	TopWorks                // not announced; it was tried
	TopRefused              // likewise
	TopAvoided              // the server's profile says that it does harm
)

// surveyAttempts are sessions tried for a maildrop while the server closes
// each before its greeting.
const surveyAttempts = 3

// Survey opens one session on each maildrop of a job, paced by its limits and
// by the governor as Run is, lists it and ends the session. It fetches and
// marks nothing, and needs neither ledger nor sinks. TOP is sent at most once a
// maildrop, where only trying tells whether it is there.
//
// A failure is not tried again, but for a line that was closed before the
// greeting. A host on which accounts keep failing alike is given up at once,
// unless the server may be throttling; then it rests as in a run.
//
// seen is called once for each maildrop, from one goroutine, as they come to
// their end; observer may be nil. Survey returns when all have, or ctx is done:
// then those that were not tried are ClassInterrupted.
func Survey(ctx context.Context, job *Job, observer Observer, seen func(*Sight)) {
	bounded := *job
	bounded.Limits.Attempts = surveyAttempts
	s := &surveyor{observer: observer, seen: seen, sights: make(map[*Account]*Sight, len(job.Accounts))}
	r := newRunner(&bounded, &Env{Observer: s})
	for _, t := range r.tasks {
		t.host.hasty = true
		s.sights[t.account] = &Sight{Account: t.account}
	}
	r.session = func(ctx context.Context, t *task, _ Slice) (Outcome, error) { return s.look(ctx, t.account), nil }
	r.schedule(ctx)
}

// surveyor is a Survey under way. It is the runner's observer.
type surveyor struct {
	observer Observer
	seen     func(*Sight)
	sights   map[*Account]*Sight // only their contents change
}

// look is one session on one maildrop.
func (s *surveyor) look(ctx context.Context, account *Account) Outcome {
	s.Maildrop(MaildropEvent{Account: account, State: Connecting})
	sight, started := s.sights[account], time.Now()
	*sight = Sight{Account: account, Tried: true}
	v := &visit{acct: account, env: &Env{}}
	v.session, sight.Facts, sight.Err = account.Connector.Connect(ctx)
	loggedIn := sight.Err == nil
	if loggedIn {
		sight.Err = sight.read(ctx, v.session)
		_ = v.session.Close()
	}
	sight.Elapsed = time.Since(started)
	if sight.Err == nil {
		return Outcome{Verdict: Done, LoggedIn: true}
	}
	outcome := v.failed(sight.Err)
	outcome.LoggedIn, outcome.Hinted, outcome.Verdict = loggedIn, false, Never
	if outcome.Silent {
		outcome.Verdict = Later
	}
	return outcome
}

// read lists the maildrop and ends the session.
func (s *Sight) read(ctx context.Context, session Session) error {
	listing, err := session.List(ctx)
	if err != nil {
		return &sessionError{"list", err}
	}
	s.Listing = listing
	if s.Top, err = s.top(ctx, session); err != nil {
		return &sessionError{"read a header section", err}
	}
	_, _ = session.Quit(ctx) // nothing is to be carried out
	return nil
}

// top finds out whether the server has TOP.
func (s *Sight) top(ctx context.Context, session Session) (Top, error) {
	reader, able := session.(HeaderReader)
	switch {
	case s.Facts.Tuning != nil && s.Facts.Tuning.NoTop:
		return TopAvoided, nil
	case slices.ContainsFunc(s.Facts.Capabilities, func(line string) bool { return firstIs(line, "TOP") }):
		return TopAnnounced, nil
	case !able || len(s.Listing.Entries) == 0:
		return TopUnknown, nil
	}
	found := TopRefused
	for m, err := range reader.Headers(ctx, slices.Values([]pop3.Number{s.Listing.Entries[0].Number})) {
		var refused *pop3.ReplyError
		switch {
		case errors.As(err, &refused):
		case err != nil:
			return TopUnknown, err
		default:
			if _, err := io.Copy(io.Discard, m.Body); err != nil {
				return TopUnknown, err
			}
			found = TopWorks
		}
	}
	return found, nil
}

// Maildrop passes on what is under way, and tells of the end of it.
func (s *surveyor) Maildrop(e MaildropEvent) {
	if e.State == Finished {
		sight := s.sights[e.Account]
		sight.Class, sight.Reason, sight.Hint = e.Report.Class, e.Report.Reason, e.Report.Hint
		s.seen(sight)
	}
	if s.observer != nil {
		s.observer.Maildrop(e)
	}
}

// Host passes on what the governor decides.
func (s *surveyor) Host(e HostEvent) {
	if s.observer != nil {
		s.observer.Host(e)
	}
}

// Message and Octets are never called: nothing is fetched.
func (s *surveyor) Message(MessageEvent) {}
func (s *surveyor) Octets(int64)         {}

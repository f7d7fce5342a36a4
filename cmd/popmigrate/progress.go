package main

import (
	"sync"
	"sync/atomic"
	"time"

	"popmigrate/migrate"
)

// progress adds up what an observer is told, for the line that people watch.
type progress struct {
	started time.Time
	octets  atomic.Int64 // apart from mu: told very often

	mu       sync.Mutex
	total    int // maildrops
	finished int
	problems int                         // maildrops that ended with one
	messages int64                       // fetched and disposed of
	failed   int64                       // of them
	open     map[*migrate.Account]*share // maildrops under way
}

// share is how much of a maildrop's session is done.
type share struct {
	messages, done int64
	planning       bool // a further session has no listing yet
}

func (s *share) part() float64 {
	if s.messages == 0 {
		return 1 // what is left is deleting and auditing
	}
	return float64(min(s.done, s.messages)) / float64(s.messages)
}

func newProgress(total int, started time.Time) *progress {
	return &progress{started: started, total: total, open: map[*migrate.Account]*share{}}
}

func (p *progress) maildrop(e *migrate.MaildropEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.State {
	case migrate.Connecting:
		if s := p.open[e.Account]; s != nil {
			s.planning = true
		}
	case migrate.Listed:
		p.open[e.Account] = &share{messages: e.Messages}
	case migrate.Finished:
		delete(p.open, e.Account)
		p.finished++
		if e.Report != nil && !e.Report.Complete {
			p.problems++
		}
	}
}

func (p *progress) message(e *migrate.MessageEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.open[e.Account]
	if s == nil || s.planning {
		return // known before the listing was gone through: no RETR
	}
	s.done++
	p.messages++
	if e.Fate == migrate.Failed {
		p.failed++
	}
}

// line returns the share done in thousandths, and what is to be said of it.
func (p *progress) line(now time.Time) (thousandths int, parts []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := now.Sub(p.started)
	done := float64(p.finished)
	for _, s := range p.open {
		done += s.part()
	}
	part := done / float64(max(p.total, 1))
	fetched := p.octets.Load()
	parts = []string{
		number(int64(p.finished)) + "/" + counted(int64(p.total), "maildrop"),
		counted(p.messages, "message"),
		octets(fetched),
	}
	if n := int64(p.problems) + p.failed; n > 0 {
		parts = append(parts, counted(n, "error"))
	}
	parts = append(parts, rate(fetched, elapsed))
	const tooEarly = 3 * time.Second
	if elapsed > tooEarly && part > 0.01 {
		parts = append(parts, "ETA "+clock(time.Duration(float64(elapsed)*(1-part)/part)))
	}
	return int(part * 1000), parts
}

package migrate

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"popmigrate/checkpoint"
	"popmigrate/sinks"
)

// RepairMode says what a run may do about damage to archives. The zero value
// is to leave it alone: a maildrop whose archive is seen to be damaged is not
// worked on.
type RepairMode int

// The modes.
const (
	RepairNothing RepairMode = iota
	RepairDamaged            // read every verified copy again, give the damaged ones up and replace them
	RepairAbsent             // likewise, and also archives of which nothing is there
)

// Repair is what a run found damaged in one maildrop's archives and what it
// replaced. Copies that an earlier run gave up are replaced, and counted, by
// every run; the rest is zero in a run without a repair mode.
type Repair struct {
	Damaged  int64 `json:"damaged"`   // copies found damaged or missing
	SetAside int64 `json:"set_aside"` // sound copies given up because they shared a segment with damage
	Files    int64 `json:"files"`     // other damaged files: indexes and ids, made anew

	FromSinks      int64 `json:"from_sinks"`      // copies replaced from another sink's
	FromQuarantine int64 `json:"from_quarantine"` // from what was set aside
	FromServer     int64 `json:"from_server"`     // from the server

	Lost      int64         `json:"lost"` // copies that could not be replaced so far
	Remaining []LostMessage `json:"-"`    // of them, at most MaxFailuresReported
}

// LostMessage is a message of which a sink has no copy any more.
type LostMessage struct {
	Sink      string
	Message   int64 // the ledger's number of it
	UniqueID  string
	MessageID string // if an index in quarantine tells
	Octets    int64
	Where     string // where it was, as the sink prints it
	Damage    string // what was found
	Listed    bool   // the server still lists it, but it could not be fetched
	Elsewhere bool   // another sink holds it or has delivered it
}

// Add adds other's counts to r.
func (r *Repair) Add(other *Repair) {
	r.Damaged += other.Damaged
	r.SetAside += other.SetAside
	r.Files += other.Files
	r.FromSinks += other.FromSinks
	r.FromQuarantine += other.FromQuarantine
	r.FromServer += other.FromServer
	r.Lost += other.Lost
}

// repairAll verifies every maildrop's archives and gives up what is damaged,
// before any session is opened: reading an archive takes time that a server
// would not wait. A maildrop whose archives cannot be repaired ends here.
func (r *runner) repairAll(ctx context.Context) {
	quiet, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-r.env.Quiesce: // nil: never
			stop()
		case <-quiet.Done():
		}
	}()
	group, ctx := errgroup.WithContext(quiet)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, t := range r.tasks {
		group.Go(func() error {
			t.begun = time.Now()
			p := &repair{job: r.job, acct: t.account, env: r.env, session: rand.Text(), now: time.Now().UTC().Truncate(time.Millisecond)}
			err := p.run(ctx)
			t.reck.repair = p.report
			if err == nil || ctx.Err() != nil {
				return nil
			}
			var ledger *ledgerError
			if errors.As(err, &ledger) {
				return ledger.err
			}
			v := &visit{env: r.env}
			o := v.failed(err)
			o.Class = ClassArchive
			t.blocked = &o
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		r.fatal = err
		r.stop(err)
	}
	kept := r.waiting[:0]
	for _, t := range r.waiting {
		if t.blocked != nil {
			t.last = *t.blocked
			r.finish(t)
			continue
		}
		kept = append(kept, t)
	}
	r.waiting = kept
}

// repair is the first half of a repair of one maildrop: it finds what is
// damaged and records, durably, that it is no longer held. The second half is
// any run's: opening the sinks moves the damage aside, restore replaces it.
type repair struct {
	job     *Job
	acct    *Account
	env     *Env
	session string
	now     time.Time
	drop    *checkpoint.Maildrop
	report  Repair
}

// survey is what verifying one sink found.
type survey struct {
	spec    *SinkSpec
	files   []string // derived ones that are damaged
	damaged map[int64]bool
	lost    []lostCopy
	absent  error
	blocked error // something that a repair must not decide
}

type lostCopy struct {
	sinks.Copy
	why string
}

func (p *repair) run(ctx context.Context) error {
	var err error
	p.drop, err = p.env.Ledger.Load(ctx, checkpoint.Key{Job: p.job.Name, Name: p.acct.Name, Server: p.acct.Server, User: p.acct.User})
	if err != nil {
		return &ledgerError{err}
	}
	p.observe("")
	var surveys []*survey
	for i := range p.acct.Sinks {
		spec := &p.acct.Sinks[i]
		if spec.Verify == nil || p.drop.Sinks[spec.Name].ArchiveID == "" {
			continue
		}
		s, err := p.survey(ctx, spec)
		if err != nil {
			return err
		}
		surveys = append(surveys, s)
	}
	for _, s := range surveys { // nothing is changed if one of them stands in the way
		if err := p.decide(s); err != nil {
			return err
		}
	}
	for _, s := range surveys {
		if err := p.carryOut(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// survey verifies one sink.
func (p *repair) survey(ctx context.Context, spec *SinkSpec) (*survey, error) {
	s := &survey{spec: spec, damaged: map[int64]bool{}}
	err := spec.Verify(ctx, sinks.Check{Mark: p.mark(spec.Name), Copies: VerifiedCopies(p.drop, spec.Name),
		Found: func(f sinks.Finding) {
			if f.Note {
				return
			}
			p.observe(fmt.Sprintf("sink %q: %s", spec.Name, f.String()))
			switch {
			case errors.Is(f.Err, sinks.ErrAbsent):
				s.absent = f.Err
			case !errors.Is(f.Err, sinks.ErrDamaged):
				s.blocked = &sinks.Error{Op: "repair", Object: f.File, Err: f.Err, Hint: blockedHint(f.Err)}
			case f.Copy != nil:
				s.damaged[f.Copy.Ordinal] = true
			case f.Derived:
				s.files = append(s.files, f.File)
			}
		},
		Lost: func(c sinks.Copy, why error) { s.lost = append(s.lost, lostCopy{c, why.Error()}) },
	})
	return s, err
}

func blockedHint(err error) string {
	if errors.Is(err, sinks.ErrForeign) {
		return "a repair does not decide which of the two is right: use the ledger that belongs to this archive, or choose an empty directory for the sink"
	}
	return "this says nothing about the mail in it, so nothing was given up: mend permissions or copy the archive to a sound disk, then repair again"
}

func (p *repair) mark(sink string) *sinks.Mark {
	state := p.drop.Sinks[sink]
	return &sinks.Mark{ArchiveID: state.ArchiveID, Generation: state.Generation}
}

// decide tells what stands in the way of repairing a sink.
func (p *repair) decide(s *survey) error {
	if s.blocked != nil {
		return s.blocked
	}
	if s.absent == nil {
		return nil
	}
	if p.env.Repair != RepairAbsent {
		return s.absent
	}
	for c := range VerifiedCopies(p.drop, s.spec.Name) {
		s.damaged[c.Ordinal] = true
		s.lost = append(s.lost, lostCopy{c, "the whole archive was gone"})
	}
	return nil
}

// carryOut mends what is derived, then records what is lost. Killed before the
// record, the archive is as damaged as it was.
func (p *repair) carryOut(ctx context.Context, s *survey) error {
	if len(s.files)+len(s.lost) == 0 {
		return nil
	}
	if err := p.mend(ctx, s, false); err != nil {
		return err
	}
	p.report.Files += int64(len(s.files))
	p.report.Damaged += int64(len(s.damaged))
	p.report.SetAside += int64(len(s.lost) - len(s.damaged))
	changes := make([]checkpoint.Change, 0, len(s.lost)+1)
	for _, c := range s.lost {
		changes = append(changes, checkpoint.PutCopy{Maildrop: p.drop.ID, Ordinal: c.Ordinal, Copy: checkpoint.Copy{
			Sink: s.spec.Name, Proof: checkpoint.Lost, Where: string(c.Where), Session: c.Session, Reason: c.why, At: p.now}})
	}
	changes = append(changes, checkpoint.AddCustody{Entry: p.custody(s)})
	if err := commit(ctx, p.env, changes...); err != nil {
		return err
	}
	return p.mend(ctx, s, true)
}

// mend makes anew what is derived. An archive that is gone is made by opening it.
func (p *repair) mend(ctx context.Context, s *survey, recorded bool) error {
	if s.absent != nil {
		return nil
	}
	return s.spec.Mend(ctx, sinks.Mending{Maildrop: p.acct.Name, Mark: *p.mark(s.spec.Name),
		Quarantine: p.env.quarantine(s.spec.Name), Files: s.files, Recorded: recorded})
}

// custodyRepair is the body of the custody entry that says which copies were
// found damaged and given up, and what was made anew.
type custodyRepair struct {
	Run      string          `json:"run"`
	Program  string          `json:"program"`
	Operator string          `json:"operator"`
	Job      string          `json:"job"`
	Maildrop string          `json:"maildrop"`
	Sink     string          `json:"sink"`
	Damaged  int             `json:"damaged"`
	GivenUp  int             `json:"given_up"`
	Messages []custodyDamage `json:"messages,omitempty"` // the damaged ones, at most MaxFailuresReported
	MadeAnew []string        `json:"made_anew,omitempty"`
}

type custodyDamage struct {
	Message  int64             `json:"message"`
	UniqueID string            `json:"unique_id"`
	Digest   checkpoint.Digest `json:"sha256"`
	Where    string            `json:"where"`
	Damage   string            `json:"damage"`
}

func (p *repair) custody(s *survey) checkpoint.CustodyEntry {
	body := custodyRepair{Run: p.env.RunID, Program: p.env.Version, Operator: p.env.Operator, Job: p.job.Name,
		Maildrop: p.acct.Name, Sink: s.spec.Name, Damaged: len(s.damaged), GivenUp: len(s.lost), MadeAnew: s.files}
	for _, c := range s.lost {
		if s.damaged[c.Ordinal] && len(body.Messages) < MaxFailuresReported {
			body.Messages = append(body.Messages, custodyDamage{c.Ordinal, c.UniqueID, c.Digest, string(c.Where), c.why})
		}
	}
	octets, err := json.Marshal(body)
	if err != nil {
		octets = fmt.Appendf(nil, `{"problem":%q}`, err.Error()) // the types above always marshal
	}
	return checkpoint.CustodyEntry{Maildrop: p.drop.ID, Session: p.session, Kind: "repair", At: p.now, Body: octets}
}

func (p *repair) observe(found string) {
	if p.env.Observer != nil {
		p.env.Observer.Maildrop(MaildropEvent{Account: p.acct, State: Verifying, Reason: found})
	}
}

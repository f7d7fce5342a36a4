package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"popmigrate/checkpoint"
)

// Slice bounds one session: when a bound is reached the session ends with QUIT,
// so that what it marked is deleted, and the outcome is More. Zero means no bound.
type Slice struct {
	Until    time.Time
	Messages int // settled
}

// visit is one session on one maildrop. Its methods run on one goroutine but
// for the settler's.
type visit struct {
	job   *Job
	acct  *Account
	env   *Env
	reck  *Reckoning
	slice Slice
	id    string // of the session, for copies and the custody record
	audit bool   // all work is done: this session only looks for what was deleted

	drop     *checkpoint.Maildrop
	ids      *identities
	attempts *attempts
	session  Session
	facts    *Facts
	listing  *Listing
	sinks    *sinkSet

	record  []int32      // by entry: index of its ledger record, or noRecord
	left    []fated      // by entry: what became of it where there is no record
	known   int          // ledger records when the session began; later ones are new
	stable  int          // entries whose unique-id and octets are those of a record: unique-ids are what they were
	proven  map[int]bool // by record: this session showed that the listed message is the recorded one
	pending []checkpoint.Change
	marks   []markReply

	quitReply string

	moved    int // messages handed to the settler
	settled  int // messages that it settled
	later    int // messages that a sink wants to see again
	sinkWhy  failure
	loose    bool // a message was fetched that not every sink holds
	weakened bool // it became weak after messages had been passed over on their unique-ids
	shorts   bool // a short message waits for a second session
	unprobed bool // the session ended before every message to be deleted was looked at
	unfilled bool // the session ended before every sink was filled from another
}

const noRecord = -1

// Maildrop does what one session can do for one maildrop: it plans, transfers,
// settles, marks and audits. What goes wrong with the server, the line or a
// sink is in the outcome; an error means that the run must stop, because the
// ledger failed. reck is the same for all sessions of a run on this maildrop.
func Maildrop(ctx context.Context, job *Job, acct *Account, env *Env, reck *Reckoning, slice Slice) (Outcome, error) {
	v := &visit{job: job, acct: acct, env: env, reck: reck, slice: slice,
		id: rand.Text(), audit: reck.worked, proven: map[int]bool{}}
	drop, err := env.Ledger.Load(ctx, checkpoint.Key{Job: job.Name, Name: acct.Name, Server: acct.Server, User: acct.User})
	if err != nil {
		return v.failed(err), err
	}
	v.drop, v.known = drop, len(drop.Messages)
	v.ids, v.attempts = newIdentities(drop, reck), newAttempts(drop)
	defer func() { v.countLost(context.WithoutCancel(ctx)) }()
	if err := v.restore(ctx); err != nil {
		return v.unrestored(ctx, err)
	}

	v.observe(MaildropEvent{State: Connecting})
	v.session, v.facts, err = acct.Connector.Connect(ctx)
	if err != nil {
		return v.unconnected(ctx, err)
	}
	defer v.session.Close()
	if session, ok := v.session.(Cautious); ok && reck.cautious {
		session.Cautious()
	}
	err = v.visit(ctx)
	outcome := v.outcome(err)
	outcome.LoggedIn = true
	if closing := v.close(ctx, err, &outcome); closing != nil {
		err = errors.Join(err, closing)
	}
	var ledger *ledgerError
	if errors.As(err, &ledger) {
		return v.failed(ledger), ledger.err
	}
	return outcome, nil
}

// unconnected records why there was no session.
func (v *visit) unconnected(ctx context.Context, problem error) (Outcome, error) {
	outcome := v.failed(problem)
	status := checkpoint.Status{State: "failed", Class: string(outcome.Class), Reason: outcome.Reason,
		Listed: -1, RunID: v.env.RunID, At: v.now()}
	if outcome.Class == ClassInterrupted || v.env.DryRun {
		return outcome, nil
	}
	err := v.env.Ledger.Commit(ctx, checkpoint.PutStatus{Maildrop: v.drop.ID, Status: status})
	return outcome, err
}

// unrestored tells why there was no session: what is at hand of lost copies
// must be put back first.
func (v *visit) unrestored(ctx context.Context, problem error) (Outcome, error) {
	var ledger *ledgerError
	if errors.As(problem, &ledger) {
		return v.failed(ledger.err), ledger.err
	}
	return v.unconnected(ctx, problem)
}

// visit is the session from the listing to QUIT.
func (v *visit) visit(ctx context.Context) (err error) {
	if v.listing, err = v.session.List(ctx); err != nil {
		return &sessionError{"list", err}
	}
	if err := v.begin(ctx); err != nil {
		return err
	}
	if v.env.DryRun {
		v.preview()
		return v.quit(ctx)
	}
	defer v.account()
	if len(v.listing.Entries) > 0 || v.known > 0 {
		if v.sinks, err = openSinks(ctx, v.env, v.acct, v.drop); err != nil {
			return err
		}
	}
	if err := v.work(ctx); err != nil {
		return err
	}
	return v.quit(ctx)
}

// work is everything between the listing and QUIT.
func (v *visit) work(ctx context.Context) error {
	plan := v.plan()
	if err := v.probe(ctx, plan); err != nil {
		return err
	}
	if err := v.move(ctx, plan); err != nil {
		return err
	}
	if err := v.flush(ctx); err != nil {
		return err
	}
	if err := v.review(ctx); err != nil || v.perishing() {
		return err
	}
	return v.mark(ctx)
}

// perishing tells whether QUIT would have the server delete or hide messages
// that are not kept: it announced that what was retrieved expires at once (RFC
// 2449 section 6.7), and something was retrieved and not stored.
func (v *visit) perishing() bool {
	return v.loose && expiresAtOnce(v.facts.Capabilities)
}

// begin enters the session into the custody record and prepares its books.
func (v *visit) begin(ctx context.Context) error {
	entries := v.listing.Entries
	v.record, v.left = make([]int32, len(entries)), make([]fated, len(entries))
	for i := range v.record {
		v.record[i] = noRecord
		if !v.audit {
			v.left[i] = fated{Failed, failure{notReached, "the session ended before its turn"}}
		}
	}
	// First: a maildrop counts as seen only where its listing is accounted for.
	if err := commit(ctx, v.env, checkpoint.AddCustody{Entry: v.opened()}); err != nil {
		return err
	}
	if !v.audit {
		v.reck.relist(v.id, entries)
	}
	return nil
}

// flush commits what the session found out about messages that it did not settle.
func (v *visit) flush(ctx context.Context) error {
	changes := v.pending
	v.pending = nil
	return commit(ctx, v.env, changes...)
}

// account enters the listing into the reckoning: every entry with what became
// of it. An entry that nothing became of is counted as listed, and nothing else.
func (v *visit) account() {
	if v.audit {
		return
	}
	recorded := make(map[int64]hint, len(v.record))
	var left []openEntry
	for i, e := range v.listing.Entries {
		h := hint{e.UniqueID, e.Octets}
		if r := v.record[i]; r != noRecord {
			recorded[v.drop.Messages[r].Ordinal] = h
		} else {
			left = append(left, openEntry{h, v.left[i]})
		}
	}
	v.reck.account(recorded, left)
}

// close releases the sinks and writes the end of the session down.
func (v *visit) close(ctx context.Context, problem error, outcome *Outcome) error {
	if err := v.sinks.close(); err != nil && problem == nil {
		*outcome = v.outcome(err)
	}
	v.reck.unaudited = int64(len(v.unsettledMarks()))
	if v.listing == nil {
		return nil
	}
	// The record is written even if the run is being cut short.
	ctx = context.WithoutCancel(ctx)
	changes := append(v.pending, checkpoint.AddCustody{Entry: v.closed(problem)})
	if !v.env.DryRun {
		changes = append(changes, checkpoint.PutStatus{Maildrop: v.drop.ID, Status: v.status(outcome)})
	}
	return commit(ctx, v.env, changes...)
}

// quit ends the session so that the server carries out the marks. Where that
// would lose mail the line is dropped.
func (v *visit) quit(ctx context.Context) error {
	if v.perishing() {
		return v.session.Close()
	}
	said, err := v.session.Quit(ctx)
	v.marksQuit(said, err)
	if err != nil && len(v.marks) == 0 {
		return nil // nothing was to be carried out
	}
	if err != nil {
		return &sessionError{"quit", err}
	}
	return nil
}

// stopping tells whether no further message is to be fetched in this session.
func (v *visit) stopping() bool {
	return v.env.quiescing() ||
		(!v.slice.Until.IsZero() && time.Now().After(v.slice.Until)) || // not v.now: that one can jump back
		(v.slice.Messages > 0 && v.moved >= v.slice.Messages)
}

// now is the time of day for records. It has no monotonic part: spans are not
// to be measured with it.
func (v *visit) now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (v *visit) observe(event MaildropEvent) {
	if v.env.Observer != nil {
		event.Account = v.acct
		v.env.Observer.Maildrop(event)
	}
}

func (v *visit) observeMessage(uid string, octets int64, fate Fate, reason string) {
	if v.env.Observer != nil {
		v.env.Observer.Message(MessageEvent{v.acct, uid, octets, fate, reason})
	}
}

// sessionError is a failure of the line or the server after the login.
type sessionError struct {
	op  string
	err error
}

func (e *sessionError) Error() string { return fmt.Sprintf("%s: %v", e.op, e.err) }
func (e *sessionError) Unwrap() error { return e.err }

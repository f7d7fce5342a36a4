package migrate

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"popmigrate/checkpoint"
	"popmigrate/internal/spool"
	"popmigrate/sinks"
)

// Groups clock themselves: a settle takes what waits, at least groupLeast
// unless the maildrop pauses, at most groupMost. While it syncs and reads
// back, the next group gathers.
const (
	groupLeast    = 256 << 10       // octets
	groupMost     = 4 << 20         // octets
	groupPatience = 2 * time.Second // an open group is settled after so long without mail
	waitingMost   = 64 << 20        // octets that may wait for a settle; beyond half of it no more is asked for
	waitingItems  = 8192
	waitingLeast  = waitingMost / waitingItems   // what each message takes of that room
	waitingLarge  = waitingMost/2 - waitingLeast // at the most: one large message is no reason not to ask for the next
)

// idleMost is how long a session is silent while it waits for its sinks. The
// least that servers were seen to allow is 60 seconds (nginx, Zimbra).
const idleMost = 30 * time.Second

// failedInARow messages that a delivering sink did not take end its use in
// this session.
const (
	failedInARow = 10
	notTried     = "not tried, since the server took none of the messages before it"
	interrupted  = "not tried, since the run was interrupted"
)

// item is one complete message on its way into the sinks that lack it.
type item struct {
	record  int // index into the maildrop's messages
	row     checkpoint.Message
	put     bool // the row is new or changed
	missing uint64
	message sinks.Message
	entry   *spool.Entry
	hint    hint
	weight  int64 // its octets, so far as they count
	room    int64 // what it took of the room
	from    source
}

// result is what a settle did for one message: its new copies.
type result struct {
	record int
	copies []checkpoint.Copy
}

// settler stores messages in sinks and then in the ledger, group by group, in
// the order in which they came, beside the transfer.
type settler struct {
	v      *visit
	queue  chan *item
	room   *semaphore.Weighted
	done   chan struct{}
	cancel context.CancelCauseFunc

	// Owned by the settling goroutine until done is closed.
	err     error
	results []result
	later   int   // messages that a sink wants to see again
	stored  int   // messages that every sink holds now
	failed  []int // by sink: deliveries that failed in a row
	why     failure
	offered [][]sinks.Message // by sink: room for a group's messages
}

// startSettling begins; a failure cancels the transfer through cancel.
func startSettling(ctx context.Context, v *visit, cancel context.CancelCauseFunc) *settler {
	s := &settler{v: v, queue: make(chan *item, waitingItems), room: semaphore.NewWeighted(waitingMost),
		done: make(chan struct{}), cancel: cancel, failed: make([]int, len(v.sinks.specs)),
		offered: make([][]sinks.Message, len(v.sinks.specs))}
	go func() {
		defer close(s.done)
		s.run(ctx)
	}()
	return s
}

// add queues a message; it waits while too much waits already.
func (s *settler) add(ctx context.Context, it *item) error {
	it.weight = min(max(it.entry.Octets(), 1), waitingMost)
	it.room = min(max(it.weight, waitingLeast), waitingLarge)
	if err := s.room.Acquire(ctx, it.room); err != nil {
		it.entry.Release()
		return context.Cause(ctx)
	}
	select {
	case s.queue <- it:
		return nil
	case <-ctx.Done():
		it.entry.Release()
		return context.Cause(ctx)
	}
}

// run gathers and settles groups until the queue is closed. After an error it
// only empties the queue.
func (s *settler) run(ctx context.Context) {
	idle := time.NewTimer(groupPatience)
	defer idle.Stop()
	var group []*item
	var octets int64
	settle := func() {
		if s.err == nil && len(group) > 0 {
			if s.err = s.settle(ctx, group); s.err != nil {
				s.cancel(s.err)
			}
		}
		for _, it := range group {
			it.entry.Release()
			s.room.Release(it.room)
		}
		group, octets = group[:0], 0
	}
	for {
		var it *item
		var ok bool
		select {
		case it, ok = <-s.queue:
		default:
			// Nothing more waits: settle if it is worth it, else wait for more.
			if octets >= groupLeast {
				settle()
				continue
			}
			idle.Reset(groupPatience)
			select {
			case it, ok = <-s.queue:
			case <-idle.C:
				settle()
				it, ok = <-s.queue
			}
		}
		if !ok {
			settle()
			return
		}
		group = append(group, it)
		if octets += it.weight; octets >= groupMost {
			settle()
		}
	}
}

// settle is one group's way: every local sink, then the ledger; then, one by
// one, the sinks that deliver.
func (s *settler) settle(ctx context.Context, group []*item) error {
	receipts, err := s.storeLocally(ctx, group)
	if err != nil {
		return err
	}
	copies := make([]result, len(group))
	room := make([]checkpoint.Copy, len(group)*len(s.v.sinks.specs))
	for k := range copies {
		n := len(s.v.sinks.specs)
		copies[k].copies = room[k*n : k*n : (k+1)*n]
	}
	problems := make([]failure, len(group))
	changes := make([]checkpoint.Change, 0, 3*len(group))
	for k, it := range group {
		copies[k].record = it.record
		if it.put {
			changes = append(changes, checkpoint.PutMessage{Maildrop: s.v.drop.ID, Message: it.row})
		}
	}
	for i := range receipts {
		changes = s.record(changes, group, i, receipts[i], copies, problems)
	}
	if err := commit(ctx, s.v.env, changes...); err != nil {
		return err
	}
	for i := range receipts {
		if receipts[i] != nil {
			if err := s.v.sinks.open[i].Committed(ctx); err != nil {
				return err
			}
		}
	}
	if err := s.deliver(ctx, group, copies, problems); err != nil {
		return err
	}
	return s.conclude(ctx, group, copies, problems)
}

// storeLocally gives a group to every local sink that lacks some of it, side
// by side, and returns their receipts by sink.
func (s *settler) storeLocally(ctx context.Context, group []*item) ([][]sinks.Receipt, error) {
	octets := int64(0)
	for _, it := range group {
		octets += it.weight
	}
	octets = min(octets, groupMost)
	if err := s.v.env.settlingRoom().Acquire(ctx, octets); err != nil {
		return nil, err
	}
	defer s.v.env.settlingRoom().Release(octets)
	receipts := make([][]sinks.Receipt, len(s.v.sinks.specs))
	stores, storing := errgroup.WithContext(ctx)
	for i, spec := range s.v.sinks.specs {
		if spec.Delivers {
			continue
		}
		if messages := s.lacking(group, i); len(messages) > 0 {
			stores.Go(func() (err error) {
				receipts[i], err = s.v.sinks.open[i].Store(storing, messages)
				if err == nil && len(receipts[i]) != len(messages) {
					err = fmt.Errorf("store in %s: %d receipts for %d messages", spec.Name, len(receipts[i]), len(messages))
				}
				return err
			})
		}
	}
	return receipts, stores.Wait()
}

// lacking returns the messages of a group that sink i lacks.
func (s *settler) lacking(group []*item, i int) []sinks.Message {
	messages := s.offered[i][:0]
	for _, it := range group {
		if it.missing&(1<<i) != 0 {
			messages = append(messages, it.message)
		}
	}
	s.offered[i] = messages
	return messages
}

// record turns sink i's receipts into copies and the changes that hold them.
func (s *settler) record(changes []checkpoint.Change, group []*item, i int, receipts []sinks.Receipt,
	copies []result, problems []failure) []checkpoint.Change {
	if receipts == nil {
		return changes
	}
	now, next := s.v.now(), 0
	for k, it := range group {
		if it.missing&(1<<i) == 0 {
			continue
		}
		receipt := &receipts[next]
		next++
		copied, ok := s.take(i, receipt, &problems[k])
		if !ok {
			continue
		}
		copied.Session, copied.At = it.message.Session, now
		if copied.Proof >= checkpoint.Accepted && proofIn(&it.row, copied.Sink) == checkpoint.Lost {
			s.v.reck.replaced(it.from)
		}
		copies[k].copies = append(copies[k].copies, copied)
		changes = append(changes, checkpoint.PutCopy{Maildrop: s.v.drop.ID, Ordinal: it.row.Ordinal, Copy: copied})
	}
	return changes
}

// take reads one receipt; ok is false where it leaves nothing to record.
func (s *settler) take(i int, receipt *sinks.Receipt, problem *failure) (copied checkpoint.Copy, ok bool) {
	spec := &s.v.sinks.specs[i]
	copied = checkpoint.Copy{Sink: spec.Name, Where: string(receipt.Where)}
	switch receipt.Proof {
	case sinks.Verified:
		copied.Proof = checkpoint.Verified
	case sinks.Accepted:
		copied.Proof = checkpoint.Accepted
	case sinks.Refused:
		copied.Proof, copied.Reason = checkpoint.Refused, receipt.Reason
		*problem = failure{"refused by sink " + spec.Name, receipt.Reason}
	default:
		s.later++
		*problem = failure{"not taken yet by sink " + spec.Name, receipt.Reason}
		s.why = *problem
		return copied, false
	}
	s.v.reck.count(func(c *Counts) {
		c.StoredOctets += receipt.StoredOctets
		if receipt.Proof == sinks.Verified {
			c.Verified++
		} else if receipt.Proof == sinks.Accepted {
			c.Accepted++
		}
	})
	return copied, true
}

// deliver gives each message to the sinks that deliver. The ledger durably
// holds "sending" before a message goes out and the answer before the next
// one does, so that a crash repeats one message per connection at the most.
func (s *settler) deliver(ctx context.Context, group []*item, copies []result, problems []failure) error {
	for i, spec := range s.v.sinks.specs {
		if !spec.Delivers {
			continue
		}
		var answer []checkpoint.Change
		for k, it := range group {
			if it.missing&(1<<i) == 0 {
				continue
			}
			if why := s.hopeless(i); why != "" {
				s.record(nil, []*item{it}, i, []sinks.Receipt{{Reason: why}}, copies[k:k+1], problems[k:k+1])
				continue
			}
			sending := checkpoint.Copy{Sink: spec.Name, Proof: checkpoint.Sending, Session: it.message.Session, At: s.v.now()}
			answer = append(answer, checkpoint.PutCopy{Maildrop: s.v.drop.ID, Ordinal: it.row.Ordinal, Copy: sending})
			if err := commit(ctx, s.v.env, answer...); err != nil {
				return err
			}
			message := it.message
			message.Recipients = spec.Recipients
			receipts, err := s.v.sinks.open[i].Store(ctx, []sinks.Message{message})
			if err == nil && len(receipts) != 1 {
				err = fmt.Errorf("store in %s: %d receipts for one message", spec.Name, len(receipts))
			}
			if err != nil {
				return err
			}
			if s.failed[i]++; receipts[0].Proof >= sinks.Accepted {
				s.failed[i] = 0
			}
			answer = s.record(nil, []*item{it}, i, receipts, copies[k:k+1], problems[k:k+1])
		}
		if err := commit(ctx, s.v.env, answer...); err != nil {
			return err
		}
	}
	return nil
}

// hopeless says why a message is not offered to sink i at all, "" where it is.
// A server that takes nothing is not asked for every message of a maildrop.
// And a run that is to end does not deliver a whole group first: that takes a
// server many times as long as it takes a disk.
func (s *settler) hopeless(i int) string {
	switch {
	case s.failed[i] >= failedInARow:
		return notTried
	case s.v.env.quiescing():
		return interrupted
	}
	return ""
}

// conclude tells the reckoning and whoever watches what became of the group.
func (s *settler) conclude(ctx context.Context, group []*item, copies []result, problems []failure) error {
	var changes []checkpoint.Change
	for k, it := range group {
		s.results = append(s.results, copies[k])
		fate := Stored
		if problems[k] != (failure{}) {
			fate = Failed
			if d := problems[k].detail; d != notTried && d != interrupted {
				changes = append(changes, s.v.attempts.fail(it.hint, string(ClassSink), problems[k].detail))
				s.v.reck.try(it.hint)
			}
		} else if change, ok := s.v.attempts.clear(it.hint); ok {
			changes = append(changes, change)
		}
		s.v.reck.settle(it.row.Ordinal, fate, problems[k])
		if fate == Stored {
			s.stored++
			s.v.reck.count(func(c *Counts) { c.Octets += it.message.Octets })
		}
		s.v.observeMessage(it.hint.uid, it.message.Octets, fate, problems[k].reason)
	}
	return commit(ctx, s.v.env, changes...)
}

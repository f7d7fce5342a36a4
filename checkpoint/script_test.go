package checkpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"sync"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/internal/sqlitevfs"
)

// ctx is for what must not end before it has an outcome.
var ctx = context.Background()

// step is one commit of the script that the power-cut tests play, or one
// maildrop to enter. It is durable when do returns nil.
type step struct {
	enter   string
	changes []checkpoint.Change
}

func (s step) do(ledger *checkpoint.SQLite) error {
	if s.enter != "" {
		_, err := ledger.Load(ctx, checkpointtest.Key(s.enter))
		return err
	}
	err := ledger.Commit(ctx, s.changes...)
	if err != nil && ledger.Commit(ctx) == nil {
		return fmt.Errorf("a commit failed and a later one did not: %w", err)
	}
	return err
}

func commit(changes ...checkpoint.Change) step { return step{changes: changes} }

// Maildrops' numbers, in the order in which the script enters them.
const (
	alice = 1
	bob   = 2
)

// closeAfter is the number of steps after which a life closes the ledger and
// opens it again.
const closeAfter = 7

// script has every kind of change, new rows and changed ones, and enough of
// them to split pages and fill overflow pages.
func script() []step {
	entry := func(kind string, body int) checkpoint.Change {
		return checkpoint.AddCustody{Entry: checkpoint.CustodyEntry{Maildrop: alice, Session: "s-" + kind, Kind: kind,
			At: checkpointtest.At(body), Body: bytes.Repeat([]byte("x"), body)}}
	}
	status := func(maildrop int64, state string) checkpoint.Change {
		return checkpoint.PutStatus{Maildrop: maildrop, Status: checkpoint.Status{State: state, Listed: 3, At: checkpointtest.At(9)}}
	}
	mark := func(ordinal int64, state checkpoint.MarkState) checkpoint.Change {
		return checkpoint.PutMark{Maildrop: alice, Ordinal: ordinal,
			Mark: checkpoint.Mark{State: state, Tries: 1, Session: "s-mark", Reply: "+OK", At: checkpointtest.At(2)}}
	}
	attempt := func(count int) checkpoint.Change {
		return checkpoint.PutAttempt{Maildrop: alice, Attempt: checkpoint.Attempt{UniqueID: "u", Count: count, Class: "server"}}
	}
	return []step{
		{enter: "alice"},
		commit(checkpoint.PutSink{Maildrop: alice, Name: "archive", Sink: checkpoint.Sink{ArchiveID: "a", Generation: 1}},
			entry("opened", 2), status(alice, "incomplete")),
		commit(messages(alice, 1, 3)...),
		commit(mark(1, checkpoint.Marking), mark(2, checkpoint.Marking)),
		commit(mark(1, checkpoint.Marked), attempt(1), entry("closed", 0)),
		commit(attempt(2)),
		commit(checkpoint.PutWeak{Maildrop: alice}, attempt(0)),
		{enter: "bob"},
		commit(append(messages(bob, 1, 60), status(bob, "complete"))...),
		commit(mark(1, checkpoint.Gone), status(alice, "complete"), entry("closed", 20_000)),
	}
}

// messages are new messages with two copies each.
func messages(maildrop, from, to int64) (changes []checkpoint.Change) {
	for n := from; n <= to; n++ {
		changes = append(changes, checkpoint.PutMessage{Maildrop: maildrop, Message: checkpointtest.Message(n)},
			checkpoint.PutCopy{Maildrop: maildrop, Ordinal: n, Copy: checkpointtest.Copy("archive")},
			checkpoint.PutCopy{Maildrop: maildrop, Ordinal: n, Copy: checkpointtest.Copy("smtp")})
	}
	return changes
}

// state is all that a ledger holds.
type state struct {
	status    []checkpoint.Status
	maildrops []*checkpoint.Maildrop
	custody   []checkpoint.CustodyEntry
}

// observe reads everything and has the file checked.
func observe(s *checkpoint.SQLite) (got state, err error) {

	if err := s.Check(ctx); err != nil {
		return state{}, err
	}
	if got.status, err = s.Status(ctx); err != nil {
		return state{}, err
	}
	for _, row := range got.status {
		m, err := s.Load(ctx, row.Key)
		if err != nil {
			return state{}, err
		}
		got.maildrops = append(got.maildrops, m)
	}
	for e, err := range s.Custody(ctx) {
		if err != nil {
			return state{}, err
		}
		got.custody = append(got.custody, e)
	}
	return got, nil
}

// history returns what a ledger holds after each number of steps.
var history = sync.OnceValues(func() (states []state, err error) {
	disk := durabletest.New()
	if err := durable.MkdirAll(disk, filepath.Dir(stateDir)); err != nil {
		return nil, err
	}
	err = withLedger(disk, func(s *checkpoint.SQLite) error {
		for n := range len(script()) + 1 {
			if n > 0 {
				if err := script()[n-1].do(s); err != nil {
					return fmt.Errorf("step %d: %w", n, err)
				}
			}
			now, err := observe(s)
			if err != nil {
				return fmt.Errorf("after step %d: %w", n, err)
			}
			states = append(states, now)
		}
		return nil
	})
	return states, err
})

// withLedger opens the ledger on disk, hands it to f, and closes it. It
// returns what went wrong anywhere.
func withLedger(disk *durabletest.FS, f func(*checkpoint.SQLite) error) error {
	name, unregister, err := sqlitevfs.Register(disk)
	if err != nil {
		return err
	}
	s, err := checkpoint.OpenSQLite(ctx, stateDir, &checkpoint.Options{FS: disk, VFS: name})
	if err == nil {
		err = errors.Join(f(s), s.Close())
	}
	return errors.Join(err, unregister())
}

// progress is what is known of a ledger from outside.
type progress struct {
	id    string // "" as long as no opening succeeded
	acked int    // steps that returned nil
	began int    // steps that were begun
}

// errBroken is in the error when a ledger did not keep a promise.
var errBroken = errors.New("promise broken")

// find returns the number of steps that the ledger holds: all that were
// acknowledged, the one that was begun whole or not at all, and nothing else.
func (p *progress) find(s *checkpoint.SQLite) (int, error) {
	states, err := history()
	if err != nil {
		return 0, err
	}
	if p.id != "" && s.ID() != p.id {
		return 0, fmt.Errorf("%w: it was ledger %s and is %s", errBroken, p.id, s.ID())
	}
	p.id = s.ID()
	got, err := observe(s)
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(states, func(s state) bool { return reflect.DeepEqual(s, got) })
	if at < p.acked || at > p.began {
		return 0, fmt.Errorf("%w: %d steps acknowledged, %d begun; it is as after %d (-1: as never)", errBroken, p.acked, p.began, at)
	}
	return at, nil
}

// live plays the script, from where the ledger on disk is, to its end, closing
// and opening once on the way. It stops at the first error. between runs after
// each opening and each step.
func (p *progress) live(disk *durabletest.FS, between func()) error {
	steps := script()
	for at := -1; at < len(steps); {
		err := withLedger(disk, func(s *checkpoint.SQLite) (err error) {
			if at, err = p.find(s); err != nil {
				return err
			}
			p.began = at
			between()
			for reopen := at < closeAfter; at < len(steps) && !(reopen && at == closeAfter); {
				p.began = at + 1
				if err := steps[at].do(s); err != nil {
					return err
				}
				at++
				p.acked = at
				between()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// check tells whether the ledger on disk opens, keeps every promise and closes.
func (p progress) check(disk *durabletest.FS) error {
	err := withLedger(disk, func(s *checkpoint.SQLite) error {
		_, err := p.find(s)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := disk.Lstat(filepath.Join(stateDir, "ledger.db-wal")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("closed, and the log is there: %v", err)
	}
	return nil
}

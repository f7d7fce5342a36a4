package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/sinks"
)

// RunPowerCuts cuts the power, or kills the process, at every single call that
// an archive makes to the file system, and likewise fails every single call
// with an input/output error and with a full disk. After each it opens the archive again and wants:
// no committed copy lost, and, once the messages have come again, each of them
// there once. The archive lives on the file system that on is given.
//
// That Count says how many messages there are makes RunPowerCuts see a file
// that a crash left behind, too.
func RunPowerCuts(t *testing.T, on func(durable.FS) Harness) {
	for _, committed := range []int{0, 1} {
		if committed == 0 && testing.Short() {
			continue // the longer half
		}
		t.Run(fmt.Sprintf("%d groups before", committed), func(t *testing.T) {
			t.Run("power cut", func(t *testing.T) { powerCuts(t, on, committed) })
			t.Run("input/output error", func(t *testing.T) { faults(t, on, committed, syscall.EIO) })
			t.Run("disk full", func(t *testing.T) { faults(t, on, committed, syscall.ENOSPC) })
		})
	}
}

// powerCutGroups are small, so that there are few calls, and odd.
var powerCutGroups = sync.OnceValue(func() [][]sinks.Message {
	mail := Mail(300, 1)
	return [][]sinks.Message{
		{Message(mail, Ordinal(1)), Message([]byte("bare\nLF"), Ordinal(2)), Message(nil, Ordinal(3))},
		{Message(mail, Ordinal(4), Occurrence(1)), Message([]byte("From x\r\n"), Ordinal(5)),
			Message(bytes.Repeat([]byte("a long line "), 6_000), Ordinal(6))},
		{Message([]byte("\r\n"), Ordinal(7))},
	}
})

// machine is a file system with an archive on it, and what the ledger holds.
type machine struct {
	fsys   *durabletest.FS
	ledger *Ledger
}

// newMachine has stored the first groups.
func newMachine(t *testing.T, on func(durable.FS) Harness, committed int) machine {
	t.Helper()
	m := machine{durabletest.New(), NewLedger("alice@example.net", "/torn")}
	if committed > 0 {
		if err := m.work(on, powerCutGroups()[:committed]); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// work opens, stores, commits and closes until a call fails. The ledger is on
// another machine: what Commit enters stays.
func (m machine) work(on func(durable.FS) Harness, groups [][]sinks.Message) error {
	sink, err := on(m.fsys).Open(m.ledger.Opening())
	if err != nil {
		return err
	}
	defer sink.Close()
	for _, group := range groups {
		receipts, err := sink.Store(context.Background(), group)
		if err != nil {
			return err
		}
		if n := vouched(receipts); n != len(group) {
			return fmt.Errorf("%d of %d messages are vouched for: %+v", n, len(group), receipts)
		}
		if err := m.ledger.Commit(group, receipts); err != nil {
			return err
		}
		if err := sink.Committed(context.Background()); err != nil {
			return err
		}
	}
	return sink.Close()
}

func powerCuts(t *testing.T, on func(durable.FS) Harness, committed int) {
	for k := 1; ; k++ {
		m := newMachine(t, on, committed)
		m.fsys.Hook(durabletest.CrashAt(k))
		err := m.work(on, powerCutGroups()[committed:])
		if err == nil {
			wantCalls(t, k)
			return
		}
		if !errors.Is(err, durabletest.ErrCrashed) {
			t.Fatalf("power cut at call %d: %v", k, err)
		}
		for name, fate := range fates() {
			survivor := machine{m.fsys.Crash(fate), m.ledger.Snapshot()}
			if err := survivor.recover(on); err != nil {
				t.Fatalf("power cut at call %d, %s: %v", k, name, err)
			}
		}
		m.fsys.Hook(nil)
		if err := m.recover(on); err != nil {
			t.Fatalf("killed at call %d: %v", k, err)
		}
	}
}

// fates are what may become of what was not synced.
func fates() map[string]durabletest.Fate {
	all := map[string]durabletest.Fate{
		"only what was synced is left": durabletest.LoseAll(),
		"all is left":                  durabletest.KeepAll(),
	}
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		all[fmt.Sprintf("random with seed %d", seed)] = durabletest.Random(seed)
	}
	return all
}

func faults(t *testing.T, on func(durable.FS) Harness, committed int, fault error) {
	failed := 0
	for k := 1; ; k++ {
		m := newMachine(t, on, committed)
		before := m.fsys.Calls()
		m.fsys.Hook(durabletest.FailAt("", k, fault))
		err := m.work(on, powerCutGroups()[committed:])
		if err != nil && !errors.Is(err, fault) {
			t.Fatalf("%v at call %d: %v", fault, k, err)
		}
		if err != nil {
			failed++
		}
		calls := m.fsys.Calls() - before
		m.fsys.Hook(nil)
		later := machine{m.fsys.Crash(durabletest.LoseAll()), m.ledger.Snapshot()}
		if err := m.recover(on); err != nil {
			t.Fatalf("%v at call %d, and on: %v", fault, k, err)
		}
		if err := later.recover(on); err != nil {
			t.Fatalf("%v at call %d, then a power cut: %v", fault, k, err)
		}
		if k > calls {
			wantCalls(t, failed)
			return
		}
	}
}

// recover opens the archive again, stores what the ledger lacks, and checks
// that everything is there once.
func (m machine) recover(on func(durable.FS) Harness) error {
	h := on(m.fsys)
	groups := powerCutGroups()
	var missing [][]sinks.Message
	for _, group := range groups {
		if !slices.ContainsFunc(m.ledger.Copies, func(c sinks.Copy) bool { return c.Ordinal == group[0].Ordinal }) {
			missing = append(missing, group)
		}
	}
	if len(m.ledger.Copies) > 0 {
		if err := CheckCopies(context.Background(), h.Read, m.ledger.Copies); err != nil {
			return fmt.Errorf("before the archive is opened: %w", err)
		}
	}
	if err := m.work(on, missing); err != nil {
		return fmt.Errorf("go on: %w", err)
	}
	if err := CheckCopies(context.Background(), h.Read, m.ledger.Copies); err != nil {
		return err
	}
	want := len(slices.Concat(groups...))
	if got, err := h.Count(); err != nil || got != want || len(m.ledger.Copies) != want {
		return fmt.Errorf("the archive holds %d messages (%v), the ledger %d, want %d", got, err, len(m.ledger.Copies), want)
	}
	again := on(m.fsys.Crash(durabletest.LoseAll()))
	if err := CheckCopies(context.Background(), again.Read, m.ledger.Copies); err != nil {
		return fmt.Errorf("after a further power cut: %w", err)
	}
	return nil
}

// wantCalls fails a test that cannot have tried much.
func wantCalls(t *testing.T, n int) {
	t.Helper()
	if n < 20 {
		t.Errorf("only %d calls were tried", n)
	}
}

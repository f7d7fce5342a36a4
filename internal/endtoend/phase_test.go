//go:build linux

package endtoend

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"popmigrate/checkpoint"
)

// ledgerView is what was seen of a ledger after a kill.
type ledgerView struct{ entries int64 }

// look tells from the ledger what a killed run was doing. It reads a copy:
// opening the ledger itself would already put in order what the kill left.
func (s *storm) look() string {
	s.t.Helper()
	dir := s.t.TempDir()
	for _, name := range []string{"ledger.db", "ledger.db-wal"} {
		if err := copyFile(filepath.Join(dir, name), filepath.Join(s.job.dir, "test.popmigrate", name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
	}
	ledger, err := checkpoint.OpenReadOnly(s.t.Context(), dir)
	if errors.Is(err, os.ErrNotExist) {
		return "1 before there was a ledger"
	}
	if err != nil {
		s.t.Fatalf("ledger after a kill: %v", err)
	}
	defer ledger.Close()
	defer os.RemoveAll(dir)
	var last checkpoint.CustodyEntry
	for entry, err := range ledger.Custody(s.t.Context()) {
		if err != nil {
			s.t.Fatalf("custody record after a kill: %v", err)
		}
		last = entry
	}
	before := s.seen.entries
	s.seen.entries = last.Seq
	drop, err := ledger.Load(s.t.Context(), checkpoint.Key{Job: "test", Name: "alice@127.0.0.1"})
	if err == nil && drop.ID == 0 {
		drop, err = ledger.Load(s.t.Context(), checkpoint.Key{Job: "test", Name: "alice"})
	}
	if err != nil {
		s.t.Fatalf("ledger after a kill: %v", err)
	}
	return phase(before, &last, drop)
}

// phase judges by the last session that the ledger knows.
func phase(before int64, last *checkpoint.CustodyEntry, drop *checkpoint.Maildrop) string {
	switch {
	case last.Seq == before:
		return "2 start-up, login, listing"
	case last.Kind == "closed":
		return "7 between sessions, or the end"
	}
	settled, marking, pending := false, false, false
	for i := range drop.Messages {
		m := &drop.Messages[i]
		open := m.Mark.State == checkpoint.Marking || m.Mark.State == checkpoint.Marked
		marking = marking || (open && m.Mark.Session == last.Session)
		pending = pending || open
		for _, c := range m.Copies {
			settled = settled || c.Session == last.Session
		}
	}
	switch {
	case marking:
		return "5 marking: DELE, QUIT"
	case settled:
		return "4 transfer and settle, some settled"
	case pending:
		return "6 audit, or planning with deletions to audit"
	}
	return "3 listed, nothing settled yet"
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

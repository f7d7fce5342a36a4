package checkpoint_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
)

// fill puts messages with two copies each into a maildrop named alice.
func fill(t testing.TB, s checkpoint.Store, messages int64) {
	t.Helper()
	m, err := s.Load(t.Context(), checkpointtest.Key("alice"))
	if err != nil {
		t.Fatal(err)
	}
	var changes []checkpoint.Change
	for n := int64(1); n <= messages; n++ {
		changes = append(changes, checkpoint.PutMessage{Maildrop: m.ID, Message: checkpointtest.Message(n)},
			checkpoint.PutCopy{Maildrop: m.ID, Ordinal: n, Copy: checkpointtest.Copy("archive")},
			checkpoint.PutCopy{Maildrop: m.ID, Ordinal: n, Copy: checkpointtest.Copy("spare")})
		if len(changes) >= 20_000 || n == messages {
			if err := s.Commit(t.Context(), changes...); err != nil {
				t.Fatal(err)
			}
			changes = changes[:0]
		}
	}
}

// use does everything once and returns the errors.
func use(t *testing.T, s *checkpoint.SQLite) (errs []error) {
	m, err := s.Load(t.Context(), checkpointtest.Key("alice"))
	errs = append(errs, err)
	_, err = s.Status(t.Context())
	errs = append(errs, err, s.Check(t.Context()))
	for _, err := range s.Custody(t.Context()) {
		errs = append(errs, err)
	}
	if m == nil {
		m = &checkpoint.Maildrop{ID: 1}
	}
	var changes []checkpoint.Change
	for n := int64(1); n <= noisy; n += 10 {
		changes = append(changes,
			checkpoint.PutCopy{Maildrop: m.ID, Ordinal: n, Copy: checkpointtest.Copy("archive")},
			checkpoint.PutMark{Maildrop: m.ID, Ordinal: n, Mark: checkpoint.Mark{State: checkpoint.Gone}})
	}
	errs = append(errs, s.Commit(t.Context(), changes...))
	return append(errs, s.Close())
}

// noisy is how many messages the ledger has that noise is written into.
const noisy = 600

// TestNoise overwrites pages: operations work or say that the ledger is damaged.
func TestNoise(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, noisy)
	s.Close()
	whole := read(t, filepath.Join(dir, "ledger.db"))
	const page = 4096
	random := rand.New(rand.NewPCG(3, 4))
	found := 0
	pages := len(whole) / page
	step := 3
	if testing.Short() {
		step = 15
	}
	for n := 1; n < pages; n += step {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		octets := append([]byte{}, whole...)
		for i := range page {
			octets[n*page+i] = byte(random.Uint32())
		}
		if err := os.WriteFile(filepath.Join(dir, "ledger.db"), octets, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := checkpoint.OpenSQLite(t.Context(), dir, nil)
		errs := []error{err}
		if err == nil {
			errs = use(t, s)
		}
		any := false
		for _, err := range errs {
			if err != nil && !errors.Is(err, checkpoint.ErrDamaged) {
				t.Errorf("page %d: %v", n, err)
			}
			any = any || err != nil
		}
		if any {
			found++
		}
	}
	if found < (pages/step)*9/10 {
		t.Errorf("damage to %d of %d pages was noticed", found, pages/step)
	}
}

// TestContradictions: rows that SQLite finds in order and a ledger cannot have.
func TestContradictions(t *testing.T) {
	for _, statement := range []string{
		"DELETE FROM copy WHERE ordinal = 7; DELETE FROM message WHERE ordinal = 7",
		"DELETE FROM copy WHERE ordinal = 20; DELETE FROM message WHERE ordinal = 20",
		"UPDATE maildrop SET messages = 21",
		"UPDATE maildrop SET messages = 1 << 60",
		"UPDATE message SET digest = x'00' WHERE ordinal = 7",
		"PRAGMA foreign_keys = 0; UPDATE copy SET ordinal = 99 WHERE ordinal = 20",
		"PRAGMA foreign_keys = 0; UPDATE copy SET ordinal = -1 WHERE ordinal = 20",
		"PRAGMA foreign_keys = 0; DELETE FROM name",
	} {
		dir := t.TempDir()
		s := open(t, dir)
		fill(t, s, 20)
		s.Close()
		execute(t, filepath.Join(dir, "ledger.db"), statement)
		s = open(t, dir)
		if _, err := s.Load(t.Context(), checkpointtest.Key("alice")); !errors.Is(err, checkpoint.ErrDamaged) {
			t.Errorf("%s: %v", statement, err)
		}
		s.Close()
	}
}

// TestCustodyTampering: whoever alters the record breaks the chain.
func TestCustodyTampering(t *testing.T) {
	// Entry 5 forged whole, its own hash included, so that only the links tell.
	forged := checkpoint.CustodyEntry{Seq: 5, Maildrop: 1, Session: "session", Kind: "opened",
		At: checkpointtest.At(4), Body: []byte("{}")}
	forge := fmt.Sprintf("UPDATE custody SET body = x'7b7d', prev = zeroblob(32), hash = x'%v' WHERE seq = 5", forged.Sum())
	for _, c := range []struct {
		statement string
		sound     int // entries before the break
	}{
		{forge, 4},
		{"SELECT 1", 9},
		{"UPDATE custody SET body = x'7b7d' WHERE seq = 4", 3},
		{"UPDATE custody SET kind = 'x' WHERE seq = 4", 3},
		{"UPDATE custody SET session = 'x' WHERE seq = 4", 3},
		{"UPDATE custody SET at = at + 1 WHERE seq = 4", 3},
		{"UPDATE custody SET maildrop = NULL WHERE seq = 4", 3},
		{"UPDATE custody SET session = 'sessio', kind = 'n' || kind WHERE seq = 4", 3},
		{"UPDATE custody SET hash = zeroblob(32) WHERE seq = 9", 8},
		{"UPDATE custody SET prev = zeroblob(32) WHERE seq = 9", 8},
		{"UPDATE custody SET hash = x'' WHERE seq = 9", 8},
		{"DELETE FROM custody WHERE seq = 1", 0},
		{"DELETE FROM custody WHERE seq = 5", 4},
		{"DELETE FROM custody WHERE seq = 5; UPDATE custody SET seq = seq - 1 WHERE seq > 5", 4},
		{"DELETE FROM custody WHERE seq = 9", 8},
		{"DELETE FROM custody", 0},
		{"UPDATE custody SET seq = 99 WHERE seq = 4; UPDATE custody SET seq = 4 WHERE seq = 5; UPDATE custody SET seq = 5 WHERE seq = 99", 3},
		{"INSERT INTO custody SELECT 10, maildrop, session, kind, at, body, hash, hash FROM custody WHERE seq = 9", 9},
		{"DELETE FROM meta WHERE name = 'custody_seq'", 9},
		{"UPDATE meta SET value = 'x' WHERE name = 'custody_hash'", 0},
	} {
		dir := t.TempDir()
		s := open(t, dir)
		m, err := s.Load(t.Context(), checkpointtest.Key("alice"))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 9 {
			err := s.Commit(t.Context(), checkpoint.AddCustody{Entry: checkpoint.CustodyEntry{Maildrop: m.ID,
				Session: "session", Kind: "opened", At: checkpointtest.At(n), Body: []byte(`{"octets":1}`)}})
			if err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		execute(t, filepath.Join(dir, "ledger.db"), c.statement)
		if s, err = checkpoint.OpenReadOnly(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		sound, broken := 0, error(nil)
		for _, err := range s.Custody(t.Context()) {
			if broken = err; err == nil {
				sound++
			}
		}
		s.Close()
		if sound != c.sound || errors.Is(broken, checkpoint.ErrDamaged) == (c.statement == "SELECT 1") {
			t.Errorf("%s: %d sound entries, then %v; want %d", c.statement, sound, broken, c.sound)
		}
	}
}

// FuzzOpen opens arbitrary octets as a ledger: no panic, and a file that is
// refused stays as it was.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	s, err := checkpoint.OpenSQLite(f.Context(), dir, nil)
	if err != nil {
		f.Fatal(err)
	}
	s.Close()
	whole, err := os.ReadFile(filepath.Join(dir, "ledger.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, int64(0))
	f.Add([]byte("SQLite format 3\x00"), int64(0))
	f.Add([]byte("text\n"), int64(-1))
	for _, at := range []int64{16, 18, 20, 28, 40, 56, 60, 68, 100, 103, 108, 4096, 4100, 8192} {
		f.Add([]byte{0xff, 0, 0x7f}, at)
	}
	// The octets are laid over a whole ledger at a place, or stand alone.
	f.Fuzz(func(t *testing.T, octets []byte, at int64) {
		file := octets
		if at >= 0 && at < int64(len(whole)) {
			file = append([]byte{}, whole...)
			copy(file[at:], octets)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := checkpoint.OpenSQLite(t.Context(), dir, nil)
		if err != nil {
			if got := read(t, path); string(got) != string(file) && errors.Is(err, checkpoint.ErrForeign) {
				t.Errorf("refused as foreign and changed: %v", err)
			}
			return
		}
		use(t, s)
	})
}

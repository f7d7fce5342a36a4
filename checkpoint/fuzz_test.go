package checkpoint_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
)

// image is what a crash leaves of a ledger: its file and its write-ahead log.
type image struct {
	database, log []byte
	states        [][]checkpoint.Message // after each commit
}

// crashed commits messages group by group and copies the files while the
// ledger is open. Those committed before a first closing are in the database
// file, the others in the log.
func crashed(f *testing.F, closed, open int) image {
	dir := f.TempDir()
	path := filepath.Join(dir, "ledger.db")
	s, err := checkpoint.OpenSQLite(f.Context(), dir, nil)
	if err != nil {
		f.Fatal(err)
	}
	var made image
	commit := func(groups int) {
		for range groups {
			m, err := s.Load(f.Context(), checkpointtest.Key("alice"))
			if err != nil {
				f.Fatal(err)
			}
			var changes []checkpoint.Change
			for n := range int64(perCommit) {
				ordinal := int64(len(m.Messages)) + n + 1
				changes = append(changes, checkpoint.PutMessage{Maildrop: m.ID, Message: checkpointtest.Message(ordinal)},
					checkpoint.PutCopy{Maildrop: m.ID, Ordinal: ordinal, Copy: checkpointtest.Copy("archive")})
			}
			if err := s.Commit(f.Context(), changes...); err != nil {
				f.Fatal(err)
			}
			if m, err = s.Load(f.Context(), checkpointtest.Key("alice")); err != nil {
				f.Fatal(err)
			}
			made.states = append(made.states, m.Messages)
		}
	}
	commit(closed)
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	if open > 0 {
		s, err = checkpoint.OpenSQLite(f.Context(), dir, nil)
		if err != nil {
			f.Fatal(err)
		}
		commit(open)
		made.log = read(f, path+"-wal")
		defer s.Close()
	}
	made.database = read(f, path)
	return made
}

// spoil flips, zeroes or cuts a stretch of octets.
func spoil(octets []byte, kind uint8, at uint32, length uint16, value byte) []byte {
	octets = append([]byte{}, octets...)
	at %= uint32(len(octets))
	stretch := octets[at:min(len(octets), int(at)+1+int(length))]
	switch kind % 4 {
	case 0:
		stretch[0] ^= value
	case 1:
		clear(stretch)
	case 2:
		return octets[:at]
	case 3:
		for i := range stretch {
			stretch[i] ^= value
		}
	}
	return octets
}

// FuzzDamage spoils a real ledger in one place. It opens or is refused with a
// reason, and in no case does the program that reads it end. Rows do not get
// lost unless opening, loading or checking says so: of the database file none
// at all, and of the log, whose torn end SQLite takes for a commit that never
// was, only whole commits from some point on.
func FuzzDamage(f *testing.F) {
	whole, torn := crashed(f, 4, 0), crashed(f, 2, 3)
	f.Fuzz(func(t *testing.T, inLog bool, kind uint8, at uint32, length uint16, value byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		made := whole
		if inLog {
			made = torn
			made.log = spoil(made.log, kind, at, length, value)
		} else {
			made.database = spoil(made.database, kind, at, length, value)
		}
		if err := os.WriteFile(path, made.database, 0o600); err != nil {
			t.Fatal(err)
		}
		if made.log != nil {
			if err := os.WriteFile(path+"-wal", made.log, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, err := checkpoint.OpenSQLite(ctx, dir, nil)
		if err != nil {
			known(t, err)
			return
		}
		defer s.Close()
		// Checked first: loading a maildrop that is not found makes one.
		checked := s.Check(ctx)
		m, loaded := s.Load(ctx, checkpointtest.Key("alice"))
		known(t, checked)
		known(t, loaded)
		if checked != nil || loaded != nil {
			return
		}
		if !inLog {
			if want := len(made.states[3]); len(m.Messages) != want {
				t.Errorf("%d messages of %d, and nothing says so", len(m.Messages), want)
			}
			return
		}
		for _, state := range made.states[1:] {
			if reflect.DeepEqual(m.Messages, state) {
				return
			}
		}
		t.Errorf("%d messages, the state after no commit", len(m.Messages))
	})
}

// known checks that an error is one that a person is told how to mend.
func known(t *testing.T, err error) {
	t.Helper()
	var told *checkpoint.Error
	if err != nil && (!errors.As(err, &told) || told.Hint == "") {
		t.Errorf("%v", err)
	}
}

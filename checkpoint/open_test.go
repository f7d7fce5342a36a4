package checkpoint_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
)

func TestOpenCreates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sub folder ?#%41 ü")
	s := open(t, dir)
	if _, err := s.Load(t.Context(), checkpointtest.Key("alice")); err != nil {
		t.Fatal(err)
	}
	id := s.ID()
	if len(id) != 32 {
		t.Errorf("id %q", id)
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]fs.FileMode{
			"": 0o700, "ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600, "lock": 0o600} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%q: %v, %v; want %v", name, info.Mode().Perm(), err, want)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("after close: %v, %v", entries, err)
	}
	s = open(t, dir)
	defer s.Close()
	if s.ID() != id {
		t.Errorf("id %s, then %s", id, s.ID())
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMeta(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, version := range []string{"1.0", "1.1"} {
		s, err := checkpoint.OpenSQLite(t.Context(), dir, &checkpoint.Options{JobDigest: "abc", Version: version,
			Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
		s.Close()
	}
	var got string
	query(t, dir, `SELECT group_concat(name || '=' || value, ' ') FROM
		(SELECT * FROM meta WHERE name <> 'ledger_id' ORDER BY name)`, &got)
	want := "created=2026-01-02T03:04:05Z created_version=1.0 job_digest=abc version=1.1"
	if got != want {
		t.Errorf("meta %q, want %q", got, want)
	}
}

// TestDurability asks for the settings on which every promise rests.
func TestDurability(t *testing.T) {
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1",
		"fullfsync": "1", "wal_autocheckpoint": "16000"} {
		if got := checkpoint.WriterPragma(t, pragma); got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	ledger := func(t *testing.T, statements string) []byte {
		dir := t.TempDir()
		open(t, dir).Close()
		execute(t, filepath.Join(dir, "ledger.db"), statements)
		return read(t, filepath.Join(dir, "ledger.db"))
	}
	database := func(t *testing.T, statements string) []byte {
		path := filepath.Join(t.TempDir(), "x.db")
		execute(t, path, statements)
		return read(t, path)
	}
	whole := func(t *testing.T) []byte { return ledger(t, "SELECT 1") }
	for _, c := range []struct {
		name  string
		octet func(*testing.T) []byte
		want  error
	}{
		{"text", func(*testing.T) []byte { return []byte("From: alice\n\nhello\n") }, checkpoint.ErrForeign},
		{"zeros", func(*testing.T) []byte { return make([]byte, 8192) }, checkpoint.ErrForeign},
		{"other database", func(t *testing.T) []byte { return database(t, "CREATE TABLE t (x)") }, checkpoint.ErrForeign},
		{"other database in WAL mode", func(t *testing.T) []byte {
			return database(t, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
		}, checkpoint.ErrForeign},
		{"newer", func(t *testing.T) []byte { return ledger(t, "PRAGMA user_version = 99") }, checkpoint.ErrNewer},
		{"no schema version", func(t *testing.T) []byte { return ledger(t, "PRAGMA user_version = 0") }, checkpoint.ErrDamaged},
		{"no id", func(t *testing.T) []byte { return ledger(t, "DELETE FROM meta") }, checkpoint.ErrDamaged},
		{"empty", func(*testing.T) []byte { return nil }, checkpoint.ErrDamaged},
		{"header only", func(t *testing.T) []byte { return whole(t)[:100] }, checkpoint.ErrDamaged},
		{"cut", func(t *testing.T) []byte { b := whole(t); return b[:len(b)/2&^4095] }, checkpoint.ErrDamaged},
		{"schema overwritten", func(t *testing.T) []byte {
			b := whole(t)
			copy(b[100:4096], bytes.Repeat([]byte{0xa5}, 3996))
			return b
		}, checkpoint.ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, octets := t.TempDir(), c.octet(t)
			path := filepath.Join(dir, "ledger.db")
			if err := os.WriteFile(path, octets, 0o600); err != nil {
				t.Fatal(err)
			}
			for name, open := range map[string]func() (*checkpoint.SQLite, error){
				"run":  func() (*checkpoint.SQLite, error) { return checkpoint.OpenSQLite(t.Context(), dir, nil) },
				"read": func() (*checkpoint.SQLite, error) { return checkpoint.OpenReadOnly(t.Context(), dir) },
			} {
				s, err := open()
				if err == nil {
					s.Close()
				}
				var e *checkpoint.Error
				if !errors.Is(err, c.want) || !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: %v; want %v, the path and a hint", name, err, c.want)
				}
			}
			if !bytes.Equal(read(t, path), octets) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestLogWithoutLedger: the -wal may hold all that was ever committed.
func TestLogWithoutLedger(t *testing.T) {
	dir := t.TempDir()
	wal := filepath.Join(dir, "ledger.db-wal")
	if err := os.WriteFile(wal, []byte("frames"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.OpenSQLite(t.Context(), dir, nil); !errors.Is(err, checkpoint.ErrDamaged) {
		t.Errorf("%v", err)
	}
	if string(read(t, wal)) != "frames" {
		t.Error("the log was changed")
	}
}

// TestCreationCrash: what a run that died while making a ledger left behind.
func TestCreationCrash(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ledger.db.new", "ledger.db.new-wal", "ledger.db.new-journal"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir).Close()
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%v", entries)
	}
}

func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if _, err := checkpoint.OpenReadOnly(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a ledger: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
	run := open(t, dir)
	m, err := run.Load(t.Context(), checkpointtest.Key("alice"))
	if err != nil {
		t.Fatal(err)
	}
	look := func() (messages int64) {
		s, err := checkpoint.OpenReadOnly(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.ID() != run.ID() {
			t.Errorf("id %s", s.ID())
		}
		if err := s.Commit(t.Context(), checkpoint.PutWeak{Maildrop: m.ID}); !errors.Is(err, checkpoint.ErrReadOnly) {
			t.Errorf("commit: %v", err)
		}
		bob, err := s.Load(t.Context(), checkpointtest.Key("bob"))
		if err != nil || bob.ID != 0 {
			t.Errorf("unknown maildrop: %+v, %v", bob, err)
		}
		list, err := s.Status(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("status: %v, %v", list, err)
		}
		return list[0].Messages
	}
	for n := int64(1); n < 4; n++ {
		if err := run.Commit(t.Context(), checkpoint.PutMessage{Maildrop: m.ID, Message: checkpointtest.Message(n)}); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != n {
			t.Errorf("%d messages beside a run, want %d", got, n)
		}
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != 3 {
		t.Errorf("%d messages after the run", got)
	}
	open(t, dir).Close() // whatever looking left must not be in the way
}

// Helpers that look at a ledger as another program would.

func execute(t testing.TB, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func query(t testing.TB, dir, query string, into ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(into...); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", query, err))
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	octets, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

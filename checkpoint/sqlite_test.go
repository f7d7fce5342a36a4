package checkpoint_test

import (
	"path/filepath"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/internal/sqlitevfs"
)

func TestSQLite(t *testing.T) {
	checkpointtest.Run(t, func(t *testing.T) (checkpoint.Store, func() checkpoint.Store) {
		dir := t.TempDir()
		return open(t, dir), func() checkpoint.Store { return open(t, dir) }
	})
}

// TestSQLiteOnDouble runs the suite on the double of the file system, so that
// what the power-cut tests say of it is said of the same ledger.
func TestSQLiteOnDouble(t *testing.T) {
	checkpointtest.Run(t, func(t *testing.T) (checkpoint.Store, func() checkpoint.Store) {
		disk := newDisk(t)
		options := &checkpoint.Options{FS: disk, VFS: register(t, disk)}
		open := func() checkpoint.Store {
			s, err := checkpoint.OpenSQLite(t.Context(), stateDir, options)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		return open(), open
	})
}

// stateDir is the ledger's folder on the double.
const stateDir = "/job/state"

// newDisk returns a double on which the folder of stateDir is durable.
func newDisk(t testing.TB) *durabletest.FS {
	t.Helper()
	disk := durabletest.New()
	if err := durable.MkdirAll(disk, filepath.Dir(stateDir)); err != nil {
		t.Fatal(err)
	}
	return disk
}

// register makes disk known to SQLite until the test ends; by then all
// ledgers on it must be closed.
func register(t testing.TB, disk durable.FS) string {
	t.Helper()
	name, unregister, err := sqlitevfs.Register(disk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unregister(); err != nil {
			t.Error(err)
		}
	})
	return name
}

// open opens a ledger that the caller closes.
func open(t testing.TB, dir string) *checkpoint.SQLite {
	t.Helper()
	s, err := checkpoint.OpenSQLite(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

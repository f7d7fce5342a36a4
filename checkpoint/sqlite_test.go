package checkpoint_test

import (
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
)

func TestSQLite(t *testing.T) {
	checkpointtest.Run(t, func(t *testing.T) (checkpoint.Store, func() checkpoint.Store) {
		dir := t.TempDir()
		return open(t, dir), func() checkpoint.Store { return open(t, dir) }
	})
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

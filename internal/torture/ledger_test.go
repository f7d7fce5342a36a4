package torture

import (
	"context"
	"os"
	"testing"

	"popmigrate/checkpoint"
)

var spoolRoot string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		panic(err)
	}
	spoolRoot = dir
	code := m.Run()
	os.RemoveAll(dir)
	if *table {
		printTable()
	}
	os.Exit(code)
}

// spoolDir is shared by all worlds: small messages never reach it.
func spoolDir(*testing.T) string { return spoolRoot + "/spool" }

func (w *world) makeLedgerDir() {
	dir, err := os.MkdirTemp(spoolRoot, "ledger")
	if err != nil {
		w.t.Fatal(err)
	}
	w.stateDir = dir
}

func (w *world) removeLedgerDir() { os.RemoveAll(w.stateDir) }

func (w *world) openLedger(ctx context.Context, l *life) (checkpoint.Store, func(), error) {
	ledger, err := checkpoint.OpenSQLite(ctx, w.stateDir, nil)
	if err != nil {
		return nil, nil, err
	}
	return mortal{ledger, l}, func() { ledger.Close() }, nil
}

type mortal struct {
	checkpoint.Store
	life *life
}

func (m mortal) Commit(ctx context.Context, changes ...checkpoint.Change) error {
	if m.life != nil {
		if err := m.life.event("commit"); err != nil {
			return err
		}
	}
	return m.Store.Commit(ctx, changes...)
}

package torture

import (
	"context"

	"popmigrate/checkpoint"
	"popmigrate/internal/durable"
	"popmigrate/internal/sqlitevfs"
)

// openLedger opens the SQLite ledger on the world's disk. The returned
// function closes it and takes the disk from SQLite.
func (w *world) openLedger(ctx context.Context) (*checkpoint.SQLite, func(), error) {
	return w.openLedgerOn(ctx, w.fs)
}

func (w *world) openLedgerOn(ctx context.Context, fsys durable.FS) (*checkpoint.SQLite, func(), error) {
	vfs, unregister, err := sqlitevfs.Register(fsys)
	if err != nil {
		w.t.Fatal(err)
	}
	ledger, err := checkpoint.OpenSQLite(ctx, stateDir, &checkpoint.Options{FS: fsys, VFS: vfs})
	if err != nil {
		if err := unregister(); err != nil {
			w.t.Error(err)
		}
		return nil, nil, err
	}
	return ledger, func() {
		ledger.Close() // a dead process's cannot
		if err := unregister(); err != nil {
			w.t.Error(err)
		}
	}, nil
}

package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"

	"popmigrate/internal/durable"
)

// mostTogether bounds the changes of one transaction that many commits share,
// so that the first of them does not wait for ever.
const mostTogether = 32768

// request is one caller's work for the writer: changes, or a maildrop to enter.
type request struct {
	changes []Change
	enter   *Key

	refusal error      // why this request alone is not carried out
	done    chan error // takes one outcome without blocking
}

// writer owns the one connection that writes. Its methods run on its own
// goroutine.
//
// What it remembers (counters, names, the custody record's end) is ahead of
// the file during a transaction. It needs no undoing: a request is checked
// before it changes anything, and after a failed transaction the writer never
// writes again.
type writer struct {
	path     string
	fsys     durable.FS
	conn     *sql.Conn
	requests chan *request // unbuffered: who has sent is in the writer's hands
	ended    chan struct{}
	failed   error // what made the store stop
	prepared *statements
	stage    *stage
}

func newWriter(ctx context.Context, conn *sql.Conn, ledger place) (*writer, error) {
	prepared := &statements{conn: conn}
	stage, err := newStage(ctx, prepared)
	if err != nil {
		return nil, errors.Join(err, prepared.close())
	}
	return &writer{
		path:     ledger.path,
		fsys:     ledger.fsys,
		conn:     conn,
		requests: make(chan *request),
		ended:    make(chan struct{}),
		prepared: prepared,
		stage:    stage,
	}, nil
}

// run serves requests until closing is closed.
func (w *writer) run(closing <-chan struct{}) {
	defer close(w.ended)
	for {
		select {
		case first := <-w.requests:
			w.serve(w.gather(first))
		case <-closing:
			return
		}
	}
}

// gather adds to the first request those that wait by now.
func (w *writer) gather(first *request) []*request {
	group := []*request{first}
	for changes := len(first.changes); changes < mostTogether; {
		select {
		case next := <-w.requests:
			group = append(group, next)
			changes += len(next.changes)
		default:
			return group
		}
	}
	return group
}

// serve carries a group out in one transaction and tells everyone the
// outcome. It is detached from the callers' contexts: the transaction is
// nobody's alone.
func (w *writer) serve(group []*request) {
	ctx := context.Background()
	if w.failed == nil {
		if err := w.transact(ctx, group); err != nil {
			// The error counts, not what the undoing says: SQLite may have undone it already.
			_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
			w.failed = newError("write ledger", w.path, err)
		}
	}
	for _, r := range group {
		if r.refusal != nil {
			r.done <- r.refusal
		} else {
			r.done <- w.failed
		}
	}
}

func (w *writer) transact(ctx context.Context, group []*request) error {
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, r := range group {
		if err := w.carryOut(ctx, r); err != nil {
			return err
		}
	}
	if err := w.stage.flush(ctx); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	if err := durable.Confirm(w.fsys, filepath.Dir(w.path)); err != nil {
		return err
	}
	w.stage.committed()
	return nil
}

// carryOut stages one request, or sets its refusal. An error is the store's.
func (w *writer) carryOut(ctx context.Context, r *request) (err error) {
	if r.enter != nil {
		return w.stage.enter(ctx, *r.enter)
	}
	if r.refusal, err = w.stage.admit(ctx, r.changes); err != nil || r.refusal != nil {
		return err
	}
	for _, c := range r.changes {
		if err := w.stage.apply(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// close empties the log into the file and gives the connection back. After a
// failure it asks for nothing more; SQLite's own closing may still try, and the
// next opening recovers what it could not.
func (w *writer) close() error {
	var err error
	if w.failed == nil {
		// Where a reader of another process stands in the way the log just
		// stays; that is a result, not an error.
		_, err = w.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	return errors.Join(err, w.prepared.close(), w.conn.Close())
}

package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"popmigrate/internal/durable"
)

// SQLite is a ledger in one file, written by one process at a time and
// readable by others meanwhile, with database tools too. Its folder must be
// on a local disk.
//
// All writing is done by one goroutine, which puts the commits that wait for
// it into one transaction and so shares one sync among all sessions. Reading
// has connections of its own and never waits for the writer.
type SQLite struct {
	place
	id       string
	readers  *sql.DB
	database *sql.DB  // the writer's; nil when open for reading
	writer   *writer  // nil when open for reading
	lock     *os.File // nil when open for reading

	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error
}

var _ Store = (*SQLite)(nil)

// Options are what a ledger is told of its user. The zero value will do.
type Options struct {
	JobDigest string           // of the job file, hexadecimal; noted in the ledger
	Version   string           // of the program; noted in the ledger
	Now       func() time.Time // nil means time.Now

	// For tests: another file system, and the name under which SQLite knows
	// it. Both or neither. With them no run lock is taken: the caller sees to
	// it that no two runs use the ledger.
	FS  durable.FS // nil means the system's
	VFS string     // "" means the system's
}

// OpenSQLite opens the ledger in the folder dir for a run, making folder
// (mode 0700; its parent must be there) and ledger (0600) where they are not.
// It takes the run lock first, and fails with an error wrapping ErrLocked that
// names the holder where another run has it. A file that is not a ledger
// (ErrForeign), is from a newer program (ErrNewer) or contradicts itself
// (ErrDamaged) is left as it is.
//
// A new ledger is made whole under another name, synced, and renamed, so a
// crash leaves either no ledger.db or a complete one. An empty ledger.db, or a
// ledger.db-wal without its ledger.db, is therefore never a beginning but
// something that lost its contents: both are refused as damaged.
func OpenSQLite(ctx context.Context, dir string, opts *Options) (*SQLite, error) {
	if opts == nil {
		opts = &Options{}
	}
	now := time.Now
	if opts.Now != nil {
		now = opts.Now
	}
	s := &SQLite{place: place{filepath.Join(dir, ledgerName), durable.OS{}, opts.VFS}, closing: make(chan struct{})}
	if opts.FS != nil {
		s.fsys = opts.FS
	}
	if err := s.openForRun(ctx, dir, opts, now()); err != nil {
		s.release()
		return nil, newError("open ledger", s.path, err)
	}
	go s.writer.run(s.closing)
	return s, nil
}

func (s *SQLite) openForRun(ctx context.Context, dir string, opts *Options, now time.Time) error {
	err := makeDir(s.fsys, dir)
	if err != nil {
		return err
	}
	if opts.FS == nil {
		if s.lock, err = takeLock(filepath.Join(dir, lockName), now); err != nil {
			return err
		}
	}
	if err := s.createIfAbsent(ctx, opts, now); err != nil {
		return err
	}
	if s.id, err = s.identify(ctx, 1); err != nil {
		return err
	}
	if s.readers, err = s.pool(forReading); err != nil {
		return err
	}
	if s.database, err = s.pool(forWriting); err != nil {
		return err
	}
	conn, err := s.database.Conn(ctx)
	if err != nil {
		return err
	}
	if err := s.prepareForRun(ctx, conn, opts); err != nil {
		return errors.Join(err, conn.Close())
	}
	if s.writer, err = newWriter(ctx, conn, s.place); err != nil {
		return errors.Join(err, conn.Close())
	}
	return nil
}

// OpenReadOnly opens the ledger in dir to look at it, while a run writes it or
// not. It takes no lock and makes no ledger; SQLite may leave its empty
// companions ledger.db-wal and ledger.db-shm beside it. Commit then fails with
// ErrReadOnly, and Load of an unknown maildrop returns an empty one with ID 0.
// Without a ledger the error wraps fs.ErrNotExist.
func OpenReadOnly(ctx context.Context, dir string) (*SQLite, error) {
	s := &SQLite{place: place{path: filepath.Join(dir, ledgerName), fsys: durable.OS{}}, closing: make(chan struct{})}
	err := s.openForReading(ctx)
	if err != nil {
		s.release()
		return nil, newError("open ledger", s.path, err)
	}
	return s, nil
}

func (s *SQLite) openForReading(ctx context.Context) error {
	if _, err := os.Stat(s.path); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", errNone, os.ErrNotExist)
	} else if err != nil {
		return err
	}
	var err error
	if s.id, err = s.identify(ctx, len(migrations)); err != nil {
		return err
	}
	s.readers, err = s.pool(forReading)
	return err
}

// ID returns the random id that the ledger was given when it was made: 32
// hexadecimal digits.
func (s *SQLite) ID() string { return s.id }

// Commit makes the changes durable, all or none, in order; it returns when
// they are synced. A change that cannot be (an unknown maildrop or message, an
// ordinal that leaves a gap, a value out of range) fails its own Commit only;
// any other error is the store's and comes back from every later Commit: then
// the changes may or may not be in the ledger, and only opening it again tells.
//
// When ctx ends before the writer has taken the changes over, Commit returns
// ctx's error and they are certainly not written. After that it waits for the
// outcome whatever becomes of ctx. The caller must not alter what the changes
// refer to until Commit has returned.
func (s *SQLite) Commit(ctx context.Context, changes ...Change) error {
	err := s.submit(ctx, &request{changes: changes, done: make(chan error, 1)})
	if err != nil {
		return newError("commit to ledger", s.path, err)
	}
	return nil
}

// submit hands a request to the writer and waits for its outcome.
func (s *SQLite) submit(ctx context.Context, r *request) error {
	if s.writer == nil {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writer.requests <- r:
		return <-r.done
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
}

// Close waits for commits that the writer has taken over, moves the
// write-ahead log into the file and gives up the lock. Commits still in the
// queue fail with ErrClosed. A second Close returns what the first did.
func (s *SQLite) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		if s.writer != nil {
			<-s.writer.ended
		}
		if err := s.release(); err != nil {
			s.closeErr = newError("close ledger", s.path, err)
		}
	})
	return s.closeErr
}

// release gives back whatever is open: readers first, so that the writer is
// the last connection and can empty the log; the lock last.
func (s *SQLite) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.database != nil {
		errs = append(errs, s.database.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// closed turns what reading a closed pool gives into ErrClosed.
func (s *SQLite) closed(err error) error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
		return err
	}
}

package checkpoint

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Error is what opening a ledger or an operation on it returns.
type Error struct {
	Op     string // "open ledger", "commit to ledger"…
	Object string // the ledger's path
	Err    error  // wraps one of the package's errors where one applies
	Hint   string // what a person can do about it; may be ""
}

func (e *Error) Error() string { return e.Op + " " + e.Object + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hints, by what a person can do.
const (
	hintLocked  = "wait for the other run to end, or stop it; the lock goes with its process"
	hintForeign = "nothing was changed; move the file away, or name another state directory"
	hintNewer   = "nothing was changed; use the newer popmigrate"
	hintOlder   = "a run of this popmigrate brings the ledger up to date"
	hintDamaged = "do not run again with it; keep the folder as it is, restore a copy, or rebuild it from the archives"
	hintFull    = "make room and run again; nothing that was acknowledged is lost"
	hintBusy    = "another program, perhaps a database tool, holds the ledger; end it and run again"
	hintFixed   = "give this user the right to write the file; if that is not it, its header is damaged: restore a copy"
	hintDisk    = "the disk that holds the ledger fails or is read-only, or too many files are open (ulimit -n); mend that and run again; nothing that was acknowledged is lost"
	hintNone    = "nothing was recorded here yet: is this the job's state directory?"
)

// newError gives a cause of any kind its place, its sentinel and its hint.
func newError(op, path string, err error) error {
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	err = classify(err)
	e := &Error{Op: op, Object: path, Err: err}
	for _, known := range []struct {
		cause error
		hint  string
	}{
		{ErrLocked, hintLocked},
		{ErrForeign, hintForeign},
		{ErrNewer, hintNewer},
		{errOlder, hintOlder},
		{ErrDamaged, hintDamaged},
		{ErrFull, hintFull},
		{errBusy, hintBusy},
		{errFixed, hintFixed},
		{errDisk, hintDisk},
		{errNone, hintNone},
	} {
		if errors.Is(err, known.cause) {
			e.Hint = known.hint
			break
		}
	}
	return e
}

var (
	errBusy  = errors.New("held by another program")
	errFixed = errors.New("the file cannot be written")
	errOlder = errors.New("ledger was written by an older popmigrate")
	errDisk  = errors.New("cannot be read or written")
	errNone  = errors.New("there is no ledger")
)

// classify wraps an error of SQLite's in the sentinel it stands for.
func classify(err error) error {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_FORMAT,
		sqlite3.SQLITE_CONSTRAINT, // changes are checked before, so it is the ledger that contradicts itself
		sqlite3.SQLITE_ERROR:      // statements are always the same, so it is the schema that they do not fit
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", errFixed, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%w: %w", errDisk, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}

// damaged says what in the ledger contradicts itself.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

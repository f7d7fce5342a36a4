package checkpoint

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"popmigrate/internal/durable"
)

// Names in the ledger's folder.
const (
	ledgerName = "ledger.db"
	lockName   = "lock"
	newSuffix  = ".new" // of a ledger in the making
)

// place is where a ledger's file lies.
type place struct {
	path string // of ledger.db, or of one in the making
	fsys durable.FS
	vfs  string // SQLite's name for fsys; "" is the system's
}

// access says how a database file is opened. Neither creates it.
type access struct {
	mode        string
	connections int
	pragmas     []string
}

// busyTimeout is how long, in milliseconds, a statement waits for another
// program, such as a database tool, to give up a lock.
const busyTimeout = "busy_timeout(10000)"

// cell_size_check finds damage where it lies instead of where it leads;
// fullfsync is what a sync needs on macOS to reach the disk.
var (
	forWriting = access{"rw", 1, []string{
		busyTimeout, "journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)",
		"foreign_keys(1)", "wal_autocheckpoint(16000)", "cache_size(-32768)", "cell_size_check(1)", "trusted_schema(0)",
	}}
	forReading = access{"ro", 4, []string{
		busyTimeout, "query_only(1)", "cache_size(-8192)", "cell_size_check(1)", "trusted_schema(0)",
	}}
)

// pool opens no connection yet.
func (p place) pool(how access) (*sql.DB, error) {
	path, err := filepath.Abs(p.path)
	if err != nil {
		return nil, err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	query := url.Values{"mode": {how.mode}, "_pragma": how.pragmas}
	if p.vfs != "" {
		query.Set("vfs", p.vfs)
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(how.connections)
	db.SetMaxIdleConns(how.connections)
	return db, nil
}

// identify returns the id of the ledger, or tells why it is none that
// this program can read, without changing it; oldest is the lowest schema
// version that will do. SQLite itself reads the header:
// a second descriptor of this process on the file would, when closed, give up
// the locks that SQLite holds through another (POSIX record locks).
func (p place) identify(ctx context.Context, oldest int) (id string, err error) {
	info, err := p.fsys.Lstat(p.path)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%w: not a regular file", ErrForeign)
	case info.Size() == 0:
		return "", damaged("the file is empty")
	}
	db, err := p.pool(forReading)
	if err != nil {
		return "", err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return "", foreign(err)
	}
	defer conn.Close()
	var application int64
	if err := conn.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application); err != nil {
		return "", foreign(err)
	}
	if application != applicationID {
		return "", fmt.Errorf("%w: a database of another program", ErrForeign)
	}
	version, err := schemaVersion(ctx, conn, len(migrations))
	if err != nil {
		return "", err
	}
	if version < 1 {
		return "", damaged("schema version %d", version)
	}
	if version < oldest {
		return "", fmt.Errorf("%w: schema version %d", errOlder, version)
	}
	err = conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'ledger_id'").Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = damaged("it has no id")
	}
	return id, err
}

// foreign finds out what it means that the header cannot be read. A ledger
// never has a rollback journal.
func foreign(err error) error {
	var failure *sqlite.Error
	if errors.As(err, &failure) {
		code := failure.Code()
		if code&0xff == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_READONLY_ROLLBACK {
			return fmt.Errorf("%w: %w", ErrForeign, err)
		}
	}
	return err
}

// createIfAbsent makes a whole new ledger where there is none. The run lock
// is held, so a ledger in the making is a dead run's.
func (p place) createIfAbsent(ctx context.Context, opts *Options, now time.Time) error {
	dir := filepath.Dir(p.path)
	if _, err := p.fsys.Lstat(p.path); err == nil {
		// A run whose sync of this directory failed may have made it. A power
		// cut must not take the ledger and leave the log that SQLite puts there.
		return durable.SyncDir(p.fsys, dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := p.fsys.Lstat(p.path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(damaged("%s is missing, but its -wal, which may hold what was committed, is there", ledgerName), err)
	}
	fresh := p
	fresh.path += newSuffix
	for _, companion := range []string{"", "-journal", "-wal", "-shm"} {
		if err := p.fsys.Remove(fresh.path + companion); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// Made here, because SQLite would give it mode 0644; what SQLite puts
	// beside it gets its mode from it.
	f, err := p.fsys.OpenFile(fresh.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, durable.FilePerm)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := fresh.fill(ctx, opts, now); err != nil {
		return err
	}
	if err := p.fsys.Rename(fresh.path, p.path); err != nil {
		return err
	}
	return durable.SyncDir(p.fsys, dir)
}

// fill writes schema and identity into an empty file, durably, and closes it.
func (p place) fill(ctx context.Context, opts *Options, now time.Time) (err error) {
	db, err := p.pool(forWriting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	if err := upgrade(ctx, conn, migrations); err != nil {
		return err
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	if err := putMeta(ctx, conn, map[string]string{
		"ledger_id":       hex.EncodeToString(id),
		"created":         now.UTC().Format(time.RFC3339),
		"created_version": opts.Version,
	}); err != nil {
		return err
	}
	// The log stays behind when the file gets its name, so it is emptied into
	// the file, which is synced then. SQLite's own closing does that too, but
	// keeps to itself that it could not.
	_, err = conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// prepareForRun checks that the settings took (a file system may lack what
// WAL needs), upgrades the schema and notes who runs.
//
// Before anything is written it makes the entry of the log durable. SQLite does
// too, but ignores that it could not; then a power cut would bring back the
// log of an earlier run, to be put over what this one wrote.
func (p place) prepareForRun(ctx context.Context, conn *sql.Conn, opts *Options) error {
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("no write-ahead log on this file system (journal mode %q)", mode)
	}
	if err := durable.SyncDir(p.fsys, filepath.Dir(p.path)); err != nil {
		return err
	}
	if err := p.renewLog(ctx, conn); err != nil {
		return err
	}
	if err := upgrade(ctx, conn, migrations); err != nil {
		return err
	}
	return putMeta(ctx, conn, map[string]string{"job_digest": opts.JobDigest, "version": opts.Version})
}

// renewLog writes over itself the log that a run left which did not close the
// ledger. If a sync failed in that run, the system may hold the end of the log
// in memory and take it for written: SQLite would read it, the next commit's
// sync would pass it over, and a power cut would take it away with every commit
// that was put behind it. Written anew it is synced with the next commit.
// Meanwhile nobody else can write the log.
func (p place) renewLog(ctx context.Context, conn *sql.Conn) (err error) {
	name := p.path + "-wal"
	info, err := p.fsys.Lstat(name)
	if err != nil || info.Size() == 0 {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		_, rollbackErr := conn.ExecContext(ctx, "ROLLBACK")
		err = errors.Join(err, rollbackErr)
	}()
	f, err := p.fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	piece := make([]byte, 1<<20)
	for offset := int64(0); ; {
		n, err := f.ReadAt(piece, offset)
		if err != nil && err != io.EOF {
			return err
		}
		if n == 0 {
			return nil
		}
		if _, err := f.WriteAt(piece[:n], offset); err != nil {
			return err
		}
		offset += int64(n)
	}
}

// putMeta writes the entries that are not yet so.
func putMeta(ctx context.Context, conn *sql.Conn, entries map[string]string) error {
	for name, value := range entries {
		_, err := conn.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value`, name, value)
		if err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes the folder where it is not, durably. One that is there may be
// the last thing that a killed run made, so its entry is synced in any case.
func makeDir(fsys durable.FS, dir string) error {
	err := fsys.Mkdir(dir, durable.DirPerm)
	if err != nil && !errors.Is(err, fs.ErrExist) { // if it is no folder, its first use will say so
		return err
	}
	made := err == nil
	err = durable.SyncDir(fsys, filepath.Dir(dir))
	if !made && errors.Is(err, fs.ErrPermission) {
		return nil // above what is ours: it was not made by us
	}
	return err
}

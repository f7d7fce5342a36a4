package sqlitevfs_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/internal/sqlitevfs"
)

// database opens a database at /d/x.db through a VFS on disk. finish closes
// it and takes the VFS back.
func database(t testing.TB, disk durable.FS, query string) (db *sql.DB, finish func()) {
	t.Helper()
	name, unregister, err := sqlitevfs.Register(disk)
	if err != nil {
		t.Fatal(err)
	}
	db, err = sql.Open("sqlite", "file:/d/x.db?vfs="+name+query)
	if err != nil {
		t.Fatal(err)
	}
	return db, func() {
		t.Helper()
		if err := errors.Join(db.Close(), unregister()); err != nil {
			t.Error(err)
		}
	}
}

func newDisk(t testing.TB) *durabletest.FS {
	t.Helper()
	disk := durabletest.New()
	if err := durable.MkdirAll(disk, "/d"); err != nil {
		t.Fatal(err)
	}
	return disk
}

func conn(t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func exec(t testing.TB, c *sql.Conn, statements string) {
	t.Helper()
	if err := try(c, statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

func try(c *sql.Conn, statements string) error {
	_, err := c.ExecContext(context.Background(), statements)
	return err
}

// code returns SQLite's extended result code.
func code(err error) int {
	var failure *sqlite.Error
	if errors.As(err, &failure) {
		return failure.Code()
	}
	return 0
}

// TestConnections: two connections see what the other committed, and lock
// each other out as they should, with a log and with a rollback journal.
func TestConnections(t *testing.T) {
	for _, mode := range []string{"wal", "delete", "truncate", "persist"} {
		t.Run(mode, func(t *testing.T) {
			db, finish := database(t, newDisk(t), "&_pragma=journal_mode("+mode+")")
			defer finish()
			a := conn(t, db)
			defer a.Close()
			exec(t, a, "CREATE TABLE t (x)")
			b := conn(t, db)
			defer b.Close()
			exec(t, a, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
			if err := try(b, "BEGIN IMMEDIATE"); code(err) != sqlite3.SQLITE_BUSY {
				t.Errorf("a second writer: %v", err)
			}
			if got := count(t, b); got != 0 {
				t.Errorf("%d rows before the commit", got)
			}
			exec(t, a, "COMMIT")
			exec(t, b, "BEGIN; SELECT count(*) FROM t")
			if got := count(t, b); got != 1 {
				t.Errorf("%d rows after the commit", got)
			}
			err := try(a, "INSERT INTO t VALUES (2)")
			if beside := mode == "wal"; (err == nil) != beside {
				t.Errorf("writing beside a reader: %v", err)
			}
			if got := count(t, b); got != 1 {
				t.Errorf("%d rows in a snapshot of 1", got)
			}
			exec(t, b, "COMMIT")
			exec(t, b, "INSERT INTO t VALUES (3)")
			if err := try(b, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA integrity_check"); err != nil {
				t.Error(err)
			}
		})
	}
}

func count(t testing.TB, c *sql.Conn) (n int) {
	t.Helper()
	if err := c.QueryRowContext(context.Background(), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestErrors: what SQLite is told, and that it may go on afterwards.
func TestErrors(t *testing.T) {
	disk := newDisk(t)
	db, finish := database(t, disk, "&_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	defer finish()
	c := conn(t, db)
	defer c.Close()
	exec(t, c, "CREATE TABLE t (x)")
	for _, test := range []struct {
		op   string
		err  error
		want int
	}{
		{"write", syscall.ENOSPC, sqlite3.SQLITE_FULL},
		{"write", syscall.EIO, sqlite3.SQLITE_IOERR_WRITE},
		{"sync", syscall.EIO, sqlite3.SQLITE_IOERR_FSYNC},
	} {
		disk.Hook(durabletest.FailAt(test.op, 1, test.err))
		if err := try(c, "INSERT INTO t VALUES (1)"); code(err) != test.want {
			t.Errorf("%s, %v: %v, want %d", test.op, test.err, err, test.want)
		}
		disk.Hook(nil)
	}
	if got := count(t, c); got != 0 {
		t.Errorf("%d rows", got)
	}
	exec(t, c, "INSERT INTO t VALUES (1)")
}

// TestUnregister refuses while a file is open, and afterwards SQLite does not
// know the name.
func TestUnregister(t *testing.T) {
	name, unregister, err := sqlitevfs.Register(newDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:/d/x.db?vfs="+name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := conn(t, db)
	if err := unregister(); err == nil || !strings.Contains(err.Error(), "open") {
		t.Errorf("with an open file: %v", err)
	}
	exec(t, c, "CREATE TABLE t (x)")
	c.Close()
	db.Close()
	if err := unregister(); err != nil {
		t.Error(err)
	}
	db, err = sql.Open("sqlite", "file:/d/x.db?vfs="+name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err == nil {
		t.Error("the name is still known")
	}
}

// Tests register in parallel; the race detector is what looks here.
func TestRegisterAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				name, unregister, err := sqlitevfs.Register(durable.OS{})
				if err != nil {
					t.Error(err)
					return
				}
				if err := unregister(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestTemporaryFiles: SQLite's temporary files are the system's.
func TestTemporaryFiles(t *testing.T) {
	disk := newDisk(t)
	db, finish := database(t, disk, "&_pragma=temp_store(file)&_pragma=cache_size(4)")
	defer finish()
	c := conn(t, db)
	defer c.Close()
	exec(t, c, `CREATE TEMP TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
		SELECT i, hex(randomblob(100)) AS x FROM n; CREATE INDEX temp.byx ON big (x)`)
	entries, err := durable.ReadDir(disk, "/d")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "x.db" {
			t.Errorf("on the disk: %v", e)
		}
	}
}

// TestOnSystem keeps a database on the real file system.
func TestOnSystem(t *testing.T) {
	name, unregister, err := sqlitevfs.Register(durable.OS{})
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/x.db"
	if runtime.GOOS == "windows" {
		t.Skip("a path with a drive letter is not what this test is about")
	}
	db, err := sql.Open("sqlite", "file:"+path+"?vfs="+name+"&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	c := conn(t, db)
	exec(t, c, "CREATE TABLE t (x); INSERT INTO t VALUES (1)")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != durable.FilePerm {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := os.Stat(path + "-shm"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("shared memory in a file: %v", err)
	}
	c.Close()
	if err := errors.Join(db.Close(), unregister()); err != nil {
		t.Error(err)
	}
}

func ExampleRegister() {
	disk := durabletest.New()
	name, unregister, err := sqlitevfs.Register(disk)
	if err != nil {
		fmt.Println(err)
		return
	}
	db, _ := sql.Open("sqlite", "file:/x.db?vfs="+name+"&_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	db.Exec("CREATE TABLE t (x)")
	disk.Hook(durabletest.CrashAt(1)) // from here on the machine is dead
	_, err = db.Exec("INSERT INTO t VALUES (1)")
	fmt.Println(err != nil)
	db.Close()
	unregister()
	left := disk.Crash(durabletest.LoseAll()) // what a restart finds
	_, err = left.Lstat("/x.db")
	fmt.Println(err == nil)
	// Output:
	// true
	// true
}

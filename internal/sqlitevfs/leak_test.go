package sqlitevfs

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"runtime"
	"strconv"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
)

// TestLeaks opens and closes databases many times, half of them on a machine
// that dies meanwhile, and looks at what is left: goroutines, handles, memory.
func TestLeaks(t *testing.T) {
	rounds := 4000
	if testing.Short() {
		rounds = 400
	}
	if s := os.Getenv("POPMIGRATE_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	goroutines := runtime.NumGoroutine()
	var before int64
	for n := range rounds {
		if n == rounds/4 {
			before = resident(t)
		}
		round(t, n%2*(n%40))
	}
	after := resident(t)
	if left := len(files.values) + len(volumes.values); left != 0 {
		t.Errorf("%d handles are left", left)
	}
	if now := runtime.NumGoroutine(); now > goroutines+2 {
		t.Errorf("%d goroutines, then %d", goroutines, now)
	}
	t.Logf("%d KiB resident after %d rounds, %d after %d", before>>10, rounds/4, after>>10, rounds)
	if after > before+8<<20 {
		t.Errorf("%d KiB resident after %d rounds, %d after %d", before>>10, rounds/4, after>>10, rounds)
	}
}

// round crashes at call crash, if that is not 0.
func round(t *testing.T, crash int) {
	disk := durabletest.New()
	if err := durable.MkdirAll(disk, "/d"); err != nil {
		t.Fatal(err)
	}
	if crash > 0 {
		disk.Hook(durabletest.CrashAt(crash))
	}
	name, unregister, err := Register(disk)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:/d/x.db?vfs="+name+"&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
	if err != nil && crash == 0 {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), unregister()); err != nil {
		t.Fatal(err)
	}
}

// resident returns the octets of this process in memory, 0 where the system
// does not say.
func resident(t *testing.T) int64 {
	runtime.GC()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Logf("no figure for memory: %v", err)
		return 0
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(statm)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

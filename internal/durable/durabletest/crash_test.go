package durabletest_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
)

// TestForgets shows that the double forgets each thing that was not synced:
// without it every crash test elsewhere would prove nothing.
func TestForgets(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, fsys *durabletest.FS) // starts with /d and /d/old ("old"), both durable
		want map[string]string                        // content by name; "-" means not there
	}{
		{"write", func(t *testing.T, fsys *durabletest.FS) {
			f := open(t, fsys, "/d/old", os.O_WRONLY)
			f.WriteAt([]byte("NEW"), 0)
		}, map[string]string{"/d/old": "old"}},
		{"synced write", func(t *testing.T, fsys *durabletest.FS) {
			f := open(t, fsys, "/d/old", os.O_WRONLY)
			f.WriteAt([]byte("NEW"), 0)
			check(t, f.Sync())
		}, map[string]string{"/d/old": "NEW"}},
		{"truncation", func(t *testing.T, fsys *durabletest.FS) {
			open(t, fsys, "/d/old", os.O_WRONLY|os.O_TRUNC)
		}, map[string]string{"/d/old": "old"}},
		{"entry of a synced file", func(t *testing.T, fsys *durabletest.FS) {
			put(t, fsys, "/d/new", "new")
		}, map[string]string{"/d/new": "-"}},
		{"synced entry of a file that was not", func(t *testing.T, fsys *durabletest.FS) {
			f := open(t, fsys, "/d/new", os.O_CREATE|os.O_WRONLY)
			f.Write([]byte("new"))
			check(t, durable.SyncDir(fsys, "/d"))
		}, map[string]string{"/d/new": ""}},
		{"file and entry synced", func(t *testing.T, fsys *durabletest.FS) {
			put(t, fsys, "/d/new", "new")
			check(t, durable.SyncDir(fsys, "/d"))
		}, map[string]string{"/d/new": "new"}},
		{"rename", func(t *testing.T, fsys *durabletest.FS) {
			check(t, fsys.Rename("/d/old", "/d/new"))
		}, map[string]string{"/d/old": "old", "/d/new": "-"}},
		{"synced rename", func(t *testing.T, fsys *durabletest.FS) {
			check(t, fsys.Rename("/d/old", "/d/new"))
			check(t, durable.SyncDir(fsys, "/d"))
		}, map[string]string{"/d/old": "-", "/d/new": "old"}},
		{"rename over directories, one synced", func(t *testing.T, fsys *durabletest.FS) {
			check(t, fsys.Mkdir("/d/sub", 0o700))
			check(t, fsys.Rename("/d/old", "/d/sub/new"))
			check(t, durable.SyncDir(fsys, "/d"))
		}, map[string]string{"/d/old": "-", "/d/sub/new": "-"}},
		{"removal", func(t *testing.T, fsys *durabletest.FS) {
			check(t, fsys.Remove("/d/old"))
		}, map[string]string{"/d/old": "old"}},
		{"directory", func(t *testing.T, fsys *durabletest.FS) {
			check(t, fsys.Mkdir("/d/sub", 0o700))
			put(t, fsys, "/d/sub/new", "new")
			check(t, durable.SyncDir(fsys, "/d/sub"))
		}, map[string]string{"/d/sub": "-"}},
		{"publish", func(t *testing.T, fsys *durabletest.FS) {
			check(t, durable.MkdirAll(fsys, "/d/x/y"))
			check(t, durable.Publish(fsys, "/d/x/y/id", holding("id")))
		}, map[string]string{"/d/x/y/id": "id"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys := start(t)
			test.do(t, fsys)
			survivor := fsys.Crash(durabletest.LoseAll())
			for name, want := range test.want {
				if want == "-" {
					wantNone(t, survivor, name)
				} else {
					wantFile(t, survivor, name, want)
				}
			}
		})
	}
}

func start(t *testing.T) *durabletest.FS {
	fsys := durabletest.New()
	check(t, durable.MkdirAll(fsys, "/d"))
	put(t, fsys, "/d/old", "old")
	check(t, durable.SyncDir(fsys, "/d"))
	return fsys
}

func open(t *testing.T, fsys durable.FS, name string, flag int) durable.File {
	t.Helper()
	f, err := fsys.OpenFile(name, flag, durable.FilePerm)
	check(t, err)
	return f
}

func holding(content string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}
}

// TestRandomFates wants every fate of an unsynced write and of two unsynced
// entries to come up, and nothing else.
func TestRandomFates(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(400) {
		fsys := start(t)
		f := open(t, fsys, "/d/old", os.O_WRONLY)
		f.WriteAt([]byte("NEW"), 3)
		check(t, fsys.Mkdir("/d/a", 0o700))
		check(t, fsys.Mkdir("/d/b", 0o700))
		survivor := fsys.Crash(durabletest.Random(seed))
		content, err := durable.ReadFile(survivor, "/d/old", 100)
		check(t, err)
		seen[fmt.Sprintf("%q", content)]++
		seen[strings.Join(names(t, survivor, "/d"), " ")]++
		again, _ := durable.ReadFile(fsys.Crash(durabletest.Random(seed)), "/d/old", 100)
		if string(again) != string(content) {
			t.Fatal("one seed, two fates")
		}
	}
	for _, want := range []string{`"old"`, `"oldN"`, `"oldNE"`, `"oldNEW"`, `"old\x00\x00\x00"`, "old", "a old", "b old", "a b old"} {
		if seen[want] == 0 {
			t.Errorf("never saw %s", want)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("unexpected: %v", seen)
	}
	fsys := start(t)
	open(t, fsys, "/d/old", os.O_WRONLY|os.O_TRUNC)
	check(t, fsys.Mkdir("/d/a", 0o700))
	survivor := fsys.Crash(durabletest.KeepAll())
	wantFile(t, survivor, "/d/old", "")
	if got := names(t, survivor, "/d"); len(got) != 2 {
		t.Fatalf("the death of the process alone lost entries: %q", got)
	}
}

func TestFailedSyncIsNotMadeGood(t *testing.T) {
	fsys := start(t)
	f := open(t, fsys, "/d/old", os.O_WRONLY)
	f.WriteAt([]byte("NEW"), 0)
	fsys.Hook(durabletest.FailAt("sync", 1, syscall.EIO))
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v", err)
	}
	check(t, f.Sync())
	wantFile(t, fsys, "/d/old", "NEW")
	wantFile(t, fsys.Crash(durabletest.LoseAll()), "/d/old", "old")
}

// TestFailedSyncIsOvertaken: what a failed sync gave up may yet survive, but
// not over what a later one made durable.
func TestFailedSyncIsOvertaken(t *testing.T) {
	fsys := start(t)
	f := open(t, fsys, "/d/old", os.O_RDWR)
	f.WriteAt([]byte("abcdefgh"), 0)
	check(t, f.Truncate(7))
	fsys.Hook(durabletest.FailAt("sync", 1, syscall.EIO))
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v", err)
	}
	f.WriteAt([]byte("CDEF"), 2)
	f.WriteAt([]byte("H"), 7)
	check(t, f.Sync())
	survived := map[byte]bool{}
	for seed := range uint64(100) {
		left := open(t, fsys.Crash(durabletest.Random(seed)), "/d/old", os.O_RDONLY)
		octets, err := io.ReadAll(left)
		check(t, err)
		if len(octets) != 8 || string(octets[2:6]) != "CDEF" || octets[7] != 'H' {
			t.Fatalf("seed %d: %q", seed, octets)
		}
		survived[octets[0]] = true
	}
	if !survived['a'] || !survived['o'] {
		t.Errorf("first octets %v", survived)
	}
}

// TestKilledSync: a process that is killed in a sync has given nothing up.
// TestGivesUp: a disk's syncs succeed and keep nothing; what needs the journal
// is refused, and then everything.
func TestGivesUp(t *testing.T) {
	fsys := durabletest.New()
	for _, dir := range []string{"/a", "/b"} {
		check(t, fsys.Mkdir(dir, 0o700))
		put(t, fsys, dir+"/old", "old")
		check(t, durable.SyncDir(fsys, dir))
	}
	check(t, durable.SyncDir(fsys, "/"))
	check(t, durable.Confirm(fsys, "/a"))
	fsys.Hook(durabletest.FailAt("sync", 1, &durabletest.GivesUp{Disk: "/a"}))
	write := func(name string) error {
		f := open(t, fsys, name, os.O_WRONLY)
		_, err := f.WriteAt([]byte("NEW"), 0)
		return errors.Join(err, f.Sync())
	}
	check(t, write("/a/old"))
	check(t, write("/a/old"))
	check(t, write("/b/old"))
	check(t, durable.Confirm(fsys, "/b"))
	if err := durable.Confirm(fsys, "/a"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("confirm: %v", err)
	}
	if err := write("/a/old"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("write and sync: %v", err)
	}
	if err := fsys.Remove("/a/old"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("remove: %v", err)
	}
	after := fsys.Crash(durabletest.LoseAll())
	for name, want := range map[string]string{"/a/old": "old", "/b/old": "NEW"} {
		if got, err := durable.ReadFile(after, name, 100); string(got) != want {
			t.Errorf("%s holds %q, want %q (%v)", name, got, want, err)
		}
	}
	check(t, durable.Confirm(after, "/a"))
}

func TestKilledSync(t *testing.T) {
	fsys := start(t)
	f := open(t, fsys, "/d/old", os.O_WRONLY)
	f.WriteAt([]byte("NEW"), 0)
	fsys.Hook(durabletest.CrashAt(1))
	if err := f.Sync(); !errors.Is(err, durabletest.ErrCrashed) {
		t.Fatalf("sync: %v", err)
	}
	fsys.Hook(nil)
	check(t, f.Sync())
	wantFile(t, fsys.Crash(durabletest.LoseAll()), "/d/old", "NEW")
}

// TestOverwritten: octets that were durable do not turn into zeros.
func TestOverwritten(t *testing.T) {
	fsys := start(t)
	open(t, fsys, "/d/old", os.O_WRONLY).WriteAt([]byte("NEWER"), 0)
	zeros := false
	for seed := range uint64(100) {
		octets, err := io.ReadAll(open(t, fsys.Crash(durabletest.Random(seed)), "/d/old", os.O_RDONLY))
		check(t, err)
		zeros = zeros || string(octets) == "old\x00\x00"
		if strings.Contains(string(octets[:3]), "\x00") {
			t.Fatalf("seed %d: %q", seed, octets)
		}
	}
	if !zeros {
		t.Error("never zeros at the end")
	}
}

func TestFaults(t *testing.T) {
	fsys := start(t)
	f := open(t, fsys, "/d/old", os.O_WRONLY)
	fsys.Hook(durabletest.FailAt("write", 2, syscall.ENOSPC))
	if _, err := f.WriteAt([]byte("1234"), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := f.WriteAt([]byte("5678"), 4); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: %d, %v", n, err)
	}
	wantFile(t, fsys, "/d/old", "123456")

	before := fsys.Calls()
	fsys.Hook(durabletest.CrashAt(2))
	if _, err := fsys.Lstat("/d"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := fsys.Lstat("/d"); !errors.Is(err, durabletest.ErrCrashed) {
			t.Fatalf("after the crash: %v", err)
		}
	}
	if got := fsys.Calls() - before; got != 3 {
		t.Fatalf("counted %d calls", got)
	}
	if _, err := fsys.Crash(durabletest.LoseAll()).Lstat("/d"); err != nil {
		t.Fatalf("the survivor still has the hook: %v", err)
	}
}

// TestPublishCrash cuts the power at each call of Publish: the target has its
// old content or its new one.
func TestPublishCrash(t *testing.T) {
	for k := 1; ; k++ {
		fsys := start(t)
		fsys.Hook(durabletest.CrashAt(k))
		err := durable.Publish(fsys, "/d/old", holding("new"))
		for seed := range uint64(20) {
			survivor := fsys.Crash(durabletest.Random(seed))
			content, readErr := durable.ReadFile(survivor, "/d/old", 100)
			check(t, readErr)
			if string(content) != "new" && (string(content) != "old" || err == nil) {
				t.Fatalf("crash at call %d (%v): target holds %q", k, err, content)
			}
		}
		if err == nil {
			if k < 5 {
				t.Fatalf("Publish made %d calls only", k-1)
			}
			return
		}
	}
}

// TestMkdirAllAfterKill: directories that a killed process left unsynced are
// made durable by the next MkdirAll that finds them.
func TestMkdirAllAfterKill(t *testing.T) {
	for k := 1; ; k++ {
		fsys := start(t)
		fsys.Hook(durabletest.CrashAt(k))
		err := durable.MkdirAll(fsys, "/d/a/b")
		fsys.Hook(nil) // the process died, the machine runs on
		check(t, durable.MkdirAll(fsys, "/d/a/b"))
		if _, err := fsys.Crash(durabletest.LoseAll()).Lstat("/d/a/b"); errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("killed at call %d: the directory is not durable", k)
		}
		if err == nil {
			return
		}
	}
}

// TestFlipped: a disk that stores one bit wrong says nothing.
func TestFlipped(t *testing.T) {
	fsys := start(t)
	f := open(t, fsys, "/d/old", os.O_WRONLY)
	fsys.Hook(durabletest.FailAt("write", 1, durabletest.ErrFlipped))
	if n, err := f.WriteAt([]byte("abc"), 0); n != 3 || err != nil {
		t.Fatalf("wrote %d octets, %v", n, err)
	}
	wantFile(t, fsys, "/d/old", "acc")
}

package sinks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
)

// maildirMessage is a message whose traits are set, as a maildir needs them.
func maildirMessage(ordinal int64, wire string) Message {
	m := testMessage(ordinal, wire)
	rest := strings.ReplaceAll(wire, "\r\n", "")
	m.BareLF, m.BareCR = strings.Contains(rest, "\n"), strings.Contains(rest, "\r")
	return m
}

// testMaildir is a maildir in a real directory.
type testMaildir struct {
	*testing.T
	cfg    MaildirConfig
	ledger *mboxLedger
	torn   string
}

func newTestMaildir(t *testing.T) testMaildir {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no maildirs")
	}
	return testMaildir{t, MaildirConfig{Dir: filepath.Join(t.TempDir(), "Maildir")}, &mboxLedger{id: "one"}, filepath.Join(t.TempDir(), "torn")}
}

func (d testMaildir) open() Sink {
	d.Helper()
	opening := d.ledger.opening()
	opening.Torn = d.torn
	s, err := OpenMaildir(d.Context(), d.cfg, opening)
	if err != nil {
		d.Fatal(err)
	}
	return s
}

// store stores without telling the ledger.
func (d testMaildir) store(group ...Message) []Receipt {
	d.Helper()
	s := d.open()
	defer s.Close()
	receipts, err := s.Store(d.Context(), group)
	if err != nil {
		d.Fatal(err)
	}
	return receipts
}

func (d testMaildir) commit(group ...Message) {
	d.Helper()
	d.ledger.commit(d.T, group, d.store(group...))
}

// files lists a folder.
func (d testMaildir) files(folder string) []string {
	d.Helper()
	entries, err := os.ReadDir(filepath.Join(d.cfg.Dir, folder))
	if err != nil {
		d.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// wantFiles checks how many files there are in tmp, new and cur.
func (d testMaildir) wantFiles(counts ...int) {
	d.Helper()
	got := []int{len(d.files("tmp")), len(d.files("new")), len(d.files("cur"))}
	if !slices.Equal(got, counts) {
		d.Errorf("%d files in tmp, new and cur, want %d", got, counts)
	}
}

// wantCopies reads every committed copy.
func (d testMaildir) wantCopies() {
	d.Helper()
	r, err := OpenMaildirReader(d.cfg)
	if err != nil {
		d.Fatal(err)
	}
	defer r.Close()
	for _, c := range d.ledger.copies {
		if got, err := readMaildir(d.T, r, c); err != nil || testDigest(got) != c.Digest {
			d.Errorf("message %d reads back as %.60q (%v)", c.Ordinal, got, err)
		}
	}
}

func readMaildir(t *testing.T, r Reader, c Copy) (string, error) {
	body, err := r.Read(t.Context(), c)
	if err != nil {
		return "", err
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	return string(content), err
}

func testDigest(wire string) Digest { return testMessage(1, wire).Digest }

// read is the reader of mail programs: it moves a file to cur and flags it.
func (d testMaildir) read(name, flags string) {
	d.Helper()
	from, to := filepath.Join(d.cfg.Dir, "new", name), filepath.Join(d.cfg.Dir, "cur", name+flags)
	if err := os.Rename(from, to); err != nil {
		d.Fatal(err)
	}
}

// TestMaildirMovesTwinAside: of messages alike a crash may leave any.
func TestMaildirMovesTwinAside(t *testing.T) {
	d := newTestMaildir(t)
	first := maildirMessage(1, "a\r\n")
	last := maildirMessage(2, "a\r\n")
	last.Occurrence = 1_000_000
	d.store(last)
	d.commit(first)
	d.wantFiles(0, 1, 0)
	d.wantCopies()
}

// TestMaildirMovesAside: what a crash left between rename and ledger is taken
// out, wherever a mail program has moved it; twins too.
func TestMaildirMovesAside(t *testing.T) {
	d := newTestMaildir(t)
	d.commit(maildirMessage(9, "kept\r\n"))
	a, b, twin := maildirMessage(1, "a\r\n"), maildirMessage(2, "b\nb"), maildirMessage(3, "a\r\n")
	twin.Occurrence = 1
	stays := string(d.store(a, b, twin)[0].Where)
	for _, name := range d.files("new") {
		if id, _ := maildirID(name); id != stays {
			d.read(name, ":2,FS")
		}
	}
	other := maildirMessage(4, "A\r\n")
	d.commit(other)
	d.wantFiles(0, 1, 1)
	d.wantCopies()
	aside, err := os.ReadDir(d.torn)
	if err != nil || len(aside) != 3 {
		t.Errorf("%d files moved aside (%v)", len(aside), err)
	}
}

// TestMaildirChanged: a file with the id and other octets is somebody's edit.
func TestMaildirChanged(t *testing.T) {
	d := newTestMaildir(t)
	m := maildirMessage(1, "a\r\n")
	d.store(m)
	edited := filepath.Join(d.cfg.Dir, "new", d.files("new")[0])
	if err := os.WriteFile(edited, []byte("edited\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.store(m)
	d.commit(m) // and crashed in between: the second variant went aside
	d.wantFiles(0, 2, 0)
	d.wantCopies()
	if content, err := os.ReadFile(edited); err != nil || string(content) != "edited\n" {
		t.Errorf("the edited file holds %q (%v)", content, err)
	}
}

// TestMaildirMovesAsideDurably cuts the power at each call of an opening that
// finds an uncommitted file: it is in the maildir or aside, never lost.
func TestMaildirMovesAsideDurably(t *testing.T) {
	m := maildirMessage(1, "a\r\n")
	for n := 1; ; n++ {
		fsys := durabletest.New()
		cfg := MaildirConfig{FS: fsys, Dir: "/Maildir"}
		ledger := &mboxLedger{id: "one"}
		s, err := OpenMaildir(t.Context(), cfg, ledger.opening())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Store(t.Context(), []Message{m}); err != nil {
			t.Fatal(err)
		}
		fsys.Hook(durabletest.CrashAt(n))
		_, err = OpenMaildir(t.Context(), cfg, ledger.opening())
		survivor := fsys.Crash(durabletest.LoseAll())
		found := 0
		for _, dir := range []string{"/Maildir/new", "/torn"} {
			entries, _ := durable.ReadDir(survivor, dir)
			for _, e := range entries {
				if content, _ := durable.ReadFile(survivor, dir+"/"+e.Name(), 100); string(content) == "a\n" {
					found++
				}
			}
		}
		if found == 0 {
			t.Fatalf("call %d: the file is gone", n)
		}
		if err == nil {
			return
		}
	}
}

// TestMaildirOfSomebody: other people's files stay as they are.
func TestMaildirOfSomebody(t *testing.T) {
	d := newTestMaildir(t)
	foreign := []string{"tmp/123.M1P2.host", "new/123.M1P2.host,S=5", "cur/123.M1P2.host:2,S", "cur/1.abc.popmigrate:2,",
		"tmp/1.popmigrate", "tmp/x." + strings.Repeat("a", 32) + ".popmigrate", "dovecot-uidlist"}
	for _, name := range append([]string{".Sent/cur/1.host:2,S"}, foreign...) {
		path := filepath.Join(d.cfg.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	d.commit(maildirMessage(1, "a\r\n"), maildirMessage(2, "b\r\n"))
	d.commit(maildirMessage(3, "c\r\n"))
	d.wantFiles(3, 4, 2)
	d.wantCopies()
	for _, name := range foreign {
		if content, err := os.ReadFile(filepath.Join(d.cfg.Dir, name)); err != nil || string(content) != name {
			t.Errorf("%s holds %q (%v)", name, content, err)
		}
	}
}

// TestMaildirSweeps: what a crash left in tmp goes, and nothing else.
func TestMaildirSweeps(t *testing.T) {
	d := newTestMaildir(t)
	m := maildirMessage(1, "a\r\n")
	d.commit(m)
	stem := maildirStem(m.Received, newMaildirID("alice@example.net", m.Digest, 0, 1))
	for _, name := range []string{stem, stem + ":2,S", "123.host"} {
		if err := os.WriteFile(filepath.Join(d.cfg.Dir, "tmp", name), []byte("a"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.open()
	if got := d.files("tmp"); !slices.Equal(got, []string{"123.host"}) {
		t.Errorf("tmp holds %q", got)
	}
}

// TestMaildirInUse: who moves, flags and deletes mail is no reason to stop; a
// reader finds what moved, also while it is open, and reports what is gone.
func TestMaildirInUse(t *testing.T) {
	d := newTestMaildir(t)
	d.commit(maildirMessage(1, "a\r\n"), maildirMessage(2, "b\r\n"), maildirMessage(3, "c\r\n"))
	r, err := OpenMaildirReader(d.cfg)
	if err != nil {
		t.Fatal(err)
	}
	first := d.ledger.copies[0]
	if got, err := readMaildir(t, r, first); err != nil || got != "a\r\n" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, name := range d.files("new") {
		d.read(name, ":2,S")
	}
	if got, err := readMaildir(t, r, first); err != nil || got != "a\r\n" {
		t.Fatalf("after it moved: %q, %v", got, err)
	}
	for _, name := range d.files("cur") {
		if id, _ := maildirID(name); id == string(first.Where) {
			if err := os.Remove(filepath.Join(d.cfg.Dir, "cur", name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var told *Error
	if _, err := readMaildir(t, r, first); !errors.Is(err, ErrDamaged) || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &told) || told.Hint == "" {
		t.Errorf("after it was deleted: %v", err)
	}
	d.commit(maildirMessage(4, "d\r\n"))
	d.wantFiles(0, 1, 2)
	d.ledger.copies = d.ledger.copies[1:]
	d.wantCopies()
}

// TestMaildirRefusals are refusals that the suite does not know.
func TestMaildirRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(d testMaildir)
		want  error
	}{
		"new is gone":  {func(d testMaildir) { os.RemoveAll(filepath.Join(d.cfg.Dir, "new")) }, ErrDamaged},
		"cur is gone":  {func(d testMaildir) { os.RemoveAll(filepath.Join(d.cfg.Dir, "cur")) }, ErrDamaged},
		"id is gone":   {func(d testMaildir) { os.Remove(filepath.Join(d.cfg.Dir, archiveFile)) }, ErrDamaged},
		"an mbox copy": {func(d testMaildir) { d.ledger.copies[0].Where = "000001.mbox@0+5:0+5" }, ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTestMaildir(t)
			d.commit(maildirMessage(1, "a\r\n"))
			test.spoil(d)
			if _, err := OpenMaildir(t.Context(), d.cfg, d.ledger.opening()); !errors.Is(err, test.want) {
				t.Errorf("open: %v, want %v", err, test.want)
			}
		})
	}
}

// TestMaildirFailedStoreLeavesNoTmp: a full disk gets its room back at once.
func TestMaildirFailedStoreLeavesNoTmp(t *testing.T) {
	d := newTestMaildir(t)
	group := make([]Message, 40)
	for i := range group {
		group[i] = maildirMessage(int64(i+1), fmt.Sprintf("%d\r\n", i))
	}
	group[39].Octets++
	s := d.open()
	if _, err := s.Store(t.Context(), group); err == nil {
		t.Fatal("a message with wrong octets was stored")
	}
	d.wantFiles(0, 0, 0)
}

// TestMaildirsTogether: however many maildirs store at once, the files on
// their way stay few.
func TestMaildirsTogether(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no maildirs")
	}
	synctest.Test(t, func(t *testing.T) {
		fsys := &gatedFS{FS: durabletest.New(), gate: make(chan struct{})}
		var stores errgroup.Group
		for n := range 10 {
			group := make([]Message, 2*maildirWorkers)
			for i := range group {
				group[i] = maildirMessage(int64(i+1), fmt.Sprintf("%d\r\n", i))
			}
			s, err := OpenMaildir(t.Context(), MaildirConfig{FS: fsys, Dir: fmt.Sprintf("/%d", n)}, (&mboxLedger{id: "one"}).opening())
			if err != nil {
				t.Fatal(err)
			}
			stores.Go(func() error {
				_, err := s.Store(t.Context(), group)
				return err
			})
		}
		synctest.Wait()
		if n := fsys.waiting.Load(); n != maildirInAll {
			t.Errorf("%d files are on their way at once, want %d", n, maildirInAll)
		}
		close(fsys.gate)
		if err := stores.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// gatedFS holds every new file up until the gate is closed.
type gatedFS struct {
	*durabletest.FS
	gate    chan struct{}
	waiting atomic.Int64
}

func (g *gatedFS) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	if strings.Contains(name, "/tmp/") && flag&os.O_CREATE != 0 {
		g.waiting.Add(1)
		<-g.gate
	}
	return g.FS.OpenFile(name, flag, perm)
}

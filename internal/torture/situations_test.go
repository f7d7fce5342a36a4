package torture

import (
	"io"
	"path"
	"strings"
	"testing"
	"testing/synctest"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/migrate"
	"popmigrate/pop3/pop3test"
)

// files returns the content of every file below dir, by name.
func files(fsys durable.FS, dir string) map[string]string {
	all := map[string]string{}
	entries, _ := durable.ReadDir(fsys, dir)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			for name, content := range files(fsys, name) {
				all[name] = content
			}
		} else if content, err := durable.ReadFile(fsys, name, 1<<30); err == nil {
			all[name] = string(content)
		}
	}
	return all
}

// remove removes dir and all below it.
func remove(fsys durable.FS, dir string) {
	entries, _ := durable.ReadDir(fsys, dir)
	for _, e := range entries {
		if name := path.Join(dir, e.Name()); e.IsDir() {
			remove(fsys, name)
		} else {
			fsys.Remove(name)
		}
	}
	fsys.Remove(dir)
}

// restore makes dir hold these files and nothing else.
func restore(t *testing.T, fsys durable.FS, dir string, content map[string]string) {
	t.Helper()
	remove(fsys, dir)
	for name, octets := range content {
		if err := durable.MkdirAll(fsys, path.Dir(name)); err != nil {
			t.Fatal(err)
		}
		if err := durable.Publish(fsys, name, func(w io.Writer) error {
			_, err := io.WriteString(w, octets)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// restoreMaildir is restore for the Maildir, whose folders may be empty.
func restoreMaildir(t *testing.T, w *world, content map[string]string) {
	t.Helper()
	restore(t, w.fs, maildirDir, content)
	for _, folder := range []string{"tmp", "new", "cur"} {
		w.fs.Mkdir(path.Join(maildirDir, folder), durable.DirPerm)
	}
}

// situation is what people do to a job between two runs.
type situation struct {
	name    string
	setting func(*setting) // of the job; nil: mbox and maildir

	// happens is called with a job that was run once; all its mail is stored
	// and, on the server, still there.
	happens func(t *testing.T, w *world)

	// refused is part of what the next run must say while it deletes nothing,
	// stores nothing and leaves the archives as they are; "" where it goes on.
	refused string

	// mend is what the error tells a person to do. Then all must be well.
	mend func(t *testing.T, w *world)
}

// empty starts again in empty directories, as the errors advise.
func empty(_ *testing.T, w *world) {
	remove(w.fs, "/job/archive")
	remove(w.fs, maildirDir)
	remove(w.fs, stateDir)
}

func TestSituations(t *testing.T) {
	var kept map[string]string // what mend puts back
	keep := func(w *world, dir string) { kept = files(w.fs, dir) }
	situations := []situation{
		{name: "the ledger is lost", refused: "do not belong together",
			happens: func(_ *testing.T, w *world) { remove(w.fs, stateDir) }, mend: empty},
		{name: "the ledger is yesterday's", refused: "older copy",
			happens: func(t *testing.T, w *world) {
				yesterday := files(w.fs, stateDir)
				w.deliver(letter(50))
				w.setting.policy = migrate.DeleteVerified
				w.live(plan{}) // stores letter 50 and deletes all
				keep(w, stateDir)
				restore(t, w.fs, stateDir, yesterday)
				w.deliver(letter(51))
			},
			mend: func(t *testing.T, w *world) { restore(t, w.fs, stateDir, kept) }},
		{name: "the ledger is yesterday's, nothing was deleted", refused: "older copy",
			happens: func(t *testing.T, w *world) {
				yesterday := files(w.fs, stateDir)
				w.deliver(letter(50))
				w.live(plan{})
				restore(t, w.fs, stateDir, yesterday)
			}, mend: empty},
		{name: "the ledger is yesterday's, a maildir alone", refused: "older copy",
			setting: func(s *setting) { s.noMbox = true },
			happens: func(t *testing.T, w *world) {
				yesterday := files(w.fs, stateDir)
				w.deliver(letter(50))
				w.setting.policy = migrate.DeleteVerified
				w.live(plan{})
				keep(w, stateDir)
				restore(t, w.fs, stateDir, yesterday)
			},
			mend: func(t *testing.T, w *world) { restore(t, w.fs, stateDir, kept) }},
		{name: "an archive of another ledger, which was opened less often", refused: "the archive has id",
			setting: func(s *setting) { s.noMbox = true },
			happens: func(_ *testing.T, w *world) {
				keep(w, maildirDir)
				empty(nil, w)
				for range 3 {
					w.live(plan{})
				}
				own := files(w.fs, maildirDir)
				restoreMaildir(t, w, kept)
				kept = own
			},
			mend: func(t *testing.T, w *world) { restoreMaildir(t, w, kept) }},
		{name: "two ledgers have one archive", refused: "do not belong together",
			happens: func(t *testing.T, w *world) {
				keep(w, stateDir)
				remove(w.fs, stateDir)
			},
			mend: func(t *testing.T, w *world) { restore(t, w.fs, stateDir, kept) }},
		{name: "the mbox archive was moved away", refused: "popmigrate.id",
			happens: func(_ *testing.T, w *world) {
				keep(w, archiveDir)
				remove(w.fs, archiveDir)
			},
			mend: func(t *testing.T, w *world) { restore(t, w.fs, archiveDir, kept) }},
		{name: "the Maildir was moved away", refused: "popmigrate.id",
			happens: func(_ *testing.T, w *world) {
				keep(w, maildirDir)
				remove(w.fs, maildirDir)
			},
			mend: func(t *testing.T, w *world) { restoreMaildir(t, w, kept) }},
		{name: "a segment is missing", refused: "is missing",
			happens: func(_ *testing.T, w *world) {
				keep(w, archiveDir)
				w.fs.Remove(archiveDir + "/000001.mbox")
			},
			mend: func(t *testing.T, w *world) { restore(t, w.fs, archiveDir, kept) }},
		{name: "a segment is cut", refused: "committed",
			happens: func(t *testing.T, w *world) {
				keep(w, archiveDir)
				cut := files(w.fs, archiveDir)
				name := archiveDir + "/000001.mbox"
				cut[name] = cut[name][:len(cut[name])-1]
				restore(t, w.fs, archiveDir, cut)
			},
			mend: func(t *testing.T, w *world) { restore(t, w.fs, archiveDir, kept) }},
		{name: "somebody wrote to the archive's id", refused: "archive is damaged",
			happens: func(t *testing.T, w *world) {
				keep(w, archiveDir)
				other := files(w.fs, archiveDir)
				id := archiveDir + "/popmigrate.id"
				other[id] = strings.Replace(other[id], `"id": "`, `"id": "0`, 1)
				restore(t, w.fs, archiveDir, other)
			},
			mend: func(t *testing.T, w *world) { restore(t, w.fs, archiveDir, kept) }},
		{name: "another client deletes on the server",
			happens: func(_ *testing.T, w *world) { w.takeAway() }},
		{name: "another client reads the target Maildir", happens: readMaildir},
		{name: "the power is cut after the run",
			happens: func(_ *testing.T, w *world) { w.fs = w.fs.Crash(durabletest.LoseAll()) }},
		{name: "the server restores what was deleted, under new unique-ids",
			happens: func(_ *testing.T, w *world) {
				before := w.drop.Contents()
				w.setting.policy = migrate.DeleteVerified
				w.live(plan{})
				for _, m := range before {
					w.drop.Deliver(pop3test.Message{UniqueID: "restored-" + m.UniqueID, Content: m.Content})
				}
			}},
	}
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) { s.play(t) })
	}
}

func (s *situation) play(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := plainJob
		begin.policy = migrate.DeleteNever
		if s.setting != nil {
			s.setting(&begin)
		}
		w := newWorld(t, begin, letters(4)...)
		defer w.end()
		if e := w.live(plan{}); !e.done() {
			t.Fatalf("first run: %s", e.why())
		}
		s.happens(t, w)
		w.setting.policy = migrate.DeleteVerified
		if s.refused != "" {
			s.refusal(t, w)
			s.mend(t, w)
		}
		w.heal()
		w.checkEnd()
		for _, v := range w.sorted() {
			t.Error(v)
		}
		y := score("situations")
		y.mu.Lock()
		defer y.mu.Unlock()
		y.runs, y.lives, y.violations = y.runs+1, y.lives+w.lives, y.violations+len(w.violations)
	})
}

// refusal wants the run to say what is wrong and to touch neither server nor
// archives.
func (s *situation) refusal(t *testing.T, w *world) {
	t.Helper()
	there, archives := len(w.drop.Contents()), files(w.fs, "/job/archive")
	for name, content := range files(w.fs, maildirDir) {
		if !strings.HasSuffix(name, "popmigrate.id") { // a sink opened before the one that refuses counts its opening
			archives[name] = content
		}
	}
	e := w.live(plan{})
	if e.done() || !strings.Contains(e.why(), s.refused) {
		t.Errorf("the run says: %s; wanted: %s", e.why(), s.refused)
	}
	if n := len(w.drop.Contents()); n != there {
		t.Errorf("%d messages on the server, %d before", n, there)
	}
	now := files(w.fs, "/job/archive")
	for name, content := range files(w.fs, maildirDir) {
		now[name] = content
	}
	for name, content := range archives {
		if now[name] != content && !strings.HasSuffix(name, "popmigrate.id") {
			t.Errorf("%s was changed", name)
		}
	}
}

// readMaildir does to the target Maildir what mail programs do: they move mail
// to cur, flag it, and put mail of others in.
func readMaildir(t *testing.T, w *world) {
	entries, err := durable.ReadDir(w.fs, maildirDir+"/new")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries[:2] {
		if err := w.fs.Rename(maildirDir+"/new/"+e.Name(), maildirDir+"/cur/"+e.Name()+":2,FS"); err != nil {
			t.Fatal(err)
		}
	}
	restore(t, w.fs, maildirDir+"/tmp", map[string]string{maildirDir + "/tmp/1.M2P3.host": "somebody's\n"})
}

//go:build linux

package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// digestOf is the digest of every file in and below some folders, with names
// and modes: what a refusal must not change.
func (r *trial) digestOf(names ...string) string {
	r.t.Helper()
	var all []string
	for _, name := range names {
		all = append(all, must(r.t, "sh", "-c", `[ -e "$1" ] || exit 0; find "$1" -type f -printf '%P %m ' -exec sha256sum '{}' ';' | sort`, "sh", r.path(name)))
	}
	return strings.Join(all, "\n")
}

// Archive and ledger that do not belong together, in every way a person gets
// there: refused with the remedy, nothing deleted, nothing altered; and put
// back as it was, the same command goes on.
func TestArchiveAndLedgerApart(t *testing.T) {
	notShort(t)
	move := func(from, to string) func(*trial) {
		return func(r *trial) { must(r.t, "mv", r.path(from), r.path(to)) }
	}
	for _, test := range []struct {
		name         string
		apart, again func(*trial)
		exit         int
		words        []string
		kept         []string // folders that must not change
	}{
		{"mbox moved away", move("archive", "elsewhere"), func(r *trial) { os.RemoveAll(r.path("archive")); move("elsewhere", "archive")(r) },
			6, []string{"archive/alice", "put it back"}, []string{"elsewhere", "Maildir"}},
		{"maildir moved away", move("Maildir", "elsewhere"), func(r *trial) { os.RemoveAll(r.path("Maildir")); move("elsewhere", "Maildir")(r) },
			6, []string{"Maildir", "put it back"}, []string{"elsewhere", "archive/alice/000001.mbox.zst"}},
		{"segment moved away", move("archive/alice/000001.mbox.zst", "segment"), move("segment", "archive/alice/000001.mbox.zst"),
			6, []string{"000001.mbox.zst", "restore it"}, []string{"archive", "Maildir"}},
		{"ledger removed", move("test.popmigrate", "elsewhere"), func(r *trial) { os.RemoveAll(r.path("test.popmigrate")); move("elsewhere", "test.popmigrate")(r) },
			6, []string{"archive/alice", "use the ledger that this archive was made with"}, []string{"archive", "Maildir", "elsewhere"}},
		{"older ledger", func(r *trial) {
			move("test.popmigrate", "elsewhere")(r)
			must(r.t, "cp", "-a", r.path("old"), r.path("test.popmigrate"))
		},
			func(r *trial) { os.RemoveAll(r.path("test.popmigrate")); move("elsewhere", "test.popmigrate")(r) },
			6, []string{"archive/alice", "older copy", "restore the newest copy"}, []string{"archive", "Maildir", "elsewhere"}},
		{"another ledger", func(r *trial) { move("test.popmigrate", "elsewhere")(r); otherLedger(r) },
			func(r *trial) { os.RemoveAll(r.path("test.popmigrate")); move("elsewhere", "test.popmigrate")(r) },
			6, []string{"archive/alice", "use the ledger that this archive was made with"}, []string{"archive", "Maildir", "elsewhere"}},
		{"another archive", func(r *trial) { move("archive", "elsewhere")(r); otherArchive(r) }, func(r *trial) { os.RemoveAll(r.path("archive")); move("elsewhere", "archive")(r) },
			6, []string{"archive/alice", "use the ledger that this archive was made with"}, []string{"archive", "elsewhere"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newTrial(t, 40, 2000)
			r.change("@DELETE@", "never")
			r.run(0)
			must(t, "cp", "-a", r.path("test.popmigrate"), r.path("old"))
			r.arrive(40, 2000)
			r.run(0)
			r.change()
			test.apart(r)
			before := r.digestOf(test.kept...)
			r.fails(test.exit, test.words...)
			if after := r.digestOf(test.kept...); after != before {
				t.Errorf("something was altered:\n%s\n%s", before, after)
			}
			if left := len(r.drop.Contents()); left != 80 {
				t.Errorf("%d messages left on the server, want 80", left)
			}
			test.again(r)
			r.completes()
		})
	}
}

// otherLedger makes a ledger of the same job that knows another archive.
func otherLedger(r *trial) {
	r.t.Helper()
	other := newTrial(r.t, 5, 500)
	other.run(0)
	must(r.t, "cp", "-a", other.path("test.popmigrate"), r.path("test.popmigrate"))
}

func otherArchive(r *trial) {
	r.t.Helper()
	other := newTrial(r.t, 5, 500)
	other.run(0)
	must(r.t, "cp", "-a", other.path("archive"), r.path("archive"))
}

// Other programs change the target Maildir between runs: what is moved and
// flagged is found; what is removed after it was verified is named by verify,
// and is nothing that a run takes up again.
func TestMaildirChangedByOthers(t *testing.T) {
	notShort(t)
	r := newTrial(t, 60, 2000)
	r.run(0)
	files, err := filepath.Glob(r.path("Maildir", "new", "*"))
	if err != nil || len(files) != 60 {
		t.Fatal(len(files), err)
	}
	// A mail program saw all of them, read some, flagged some.
	for i, file := range files {
		flags := []string{":2,", ":2,S", ":2,FRS"}[i%3]
		if err := os.Rename(file, r.path("Maildir", "cur", filepath.Base(file)+flags)); err != nil {
			t.Fatal(err)
		}
	}
	// It keeps files of its own, and delivers mail.
	for name, content := range map[string]string{"cur/1700000000.own.host:2,S": "Subject: own\n\n", "new/1700000001.own.host": "Subject: own too\n\n",
		"dovecot.index.log": "x", "dovecot-uidlist": "3 V1 N2 G0\n"} {
		if err := os.WriteFile(r.path("Maildir", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.arrive(20, 2000)
	r.run(0)
	if out, err := r.command("verify").CombinedOutput(); err != nil {
		t.Errorf("verify after moves and flags: %v\n%s", err, out)
	}
	if got := fromMaildir(t, r.path("Maildir")); len(got) != 82 {
		t.Errorf("%d messages in the maildir, want 80 and 2 of the other program's", len(got))
	}
	// It removes one. Runs go on: the other sink holds the message.
	gone, _ := filepath.Glob(r.path("Maildir", "cur", "*:2,FRS"))
	if err := os.Remove(gone[0]); err != nil {
		t.Fatal(err)
	}
	r.arrive(20, 2000)
	last, exit, output := r.attempt()
	t.Logf("run after a removal: exit %d, %+v %s", exit, last, firstReason(output))
	out, err := r.command("verify").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Maildir") || !strings.Contains(string(out), "Exit 6") {
		t.Errorf("verify after a removal: %v\n%s", err, out)
	}
	t.Logf("verify after a removal:\n%s", out)
	if exit != 0 || len(r.drop.Contents()) != 0 {
		t.Errorf("run after a removal: exit %d, %d left\n%s", exit, len(r.drop.Contents()), brief(output))
	}
}

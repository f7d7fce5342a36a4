package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/internal/durable"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// keep is a real archive on the disk of a test.
type keep struct {
	spec SinkSpec
	dir  string
}

// mboxKeep has a frame for each message, so that damage hits one.
func mboxKeep(dir, name string, fsys durable.FS, compression ...sinks.Compression) *keep {
	cfg := sinks.MboxConfig{FS: fsys, Dir: filepath.Join(dir, name), FrameOctets: 1}
	if len(compression) > 0 {
		cfg.Compression = compression[0]
	}
	return &keep{dir: cfg.Dir, spec: SinkSpec{Name: name, Kind: "mbox",
		Open:     func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) { return sinks.OpenMbox(ctx, cfg, o) },
		OpenRead: func(context.Context) (sinks.Reader, error) { return sinks.OpenMboxReader(cfg) },
		Verify:   func(ctx context.Context, c sinks.Check) error { return sinks.VerifyMbox(ctx, cfg, c) },
		Mend:     func(ctx context.Context, m sinks.Mending) error { return sinks.MendMbox(ctx, cfg, m) },
		Salvage: func(_ context.Context, quarantine, maildrop string) (*sinks.Salvage, error) {
			return sinks.OpenMboxSalvage(cfg, quarantine, maildrop)
		},
	}}
}

func maildirKeep(dir, name string, fsys durable.FS) *keep {
	cfg := sinks.MaildirConfig{FS: fsys, Dir: filepath.Join(dir, name)}
	return &keep{dir: cfg.Dir, spec: SinkSpec{Name: name, Kind: "maildir",
		Open:     func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) { return sinks.OpenMaildir(ctx, cfg, o) },
		OpenRead: func(context.Context) (sinks.Reader, error) { return sinks.OpenMaildirReader(cfg) },
		Verify:   func(ctx context.Context, c sinks.Check) error { return sinks.VerifyMaildir(ctx, cfg, c) },
		Mend:     func(ctx context.Context, m sinks.Mending) error { return sinks.MendMaildir(ctx, cfg, m) },
		Salvage: func(_ context.Context, quarantine, maildrop string) (*sinks.Salvage, error) {
			return sinks.OpenMaildirSalvage(cfg, quarantine, maildrop)
		},
	}}
}

// use makes these the account's sinks.
func (b *bench) use(keeps ...*keep) {
	account := Account{Name: "alice", User: "alice", Connector: &b.source, Server: b.source.Server, Host: "127.0.0.1"}
	for _, k := range keeps {
		account.Sinks = append(account.Sinks, k.spec)
	}
	b.job.Accounts = []Account{account}
}

// repairMail has six messages; the second one needs a sidecar in an mbox.
func repairMail() []pop3test.Message {
	messages := mail(6)
	messages[1].Content = []byte("Message-ID: <1@example.org>\r\n\r\nbare\nLF\r\n")
	return messages
}

// verified wants every archive to be sound, and returns the unique-ids of the
// messages that it holds.
func (b *bench) verified(k *keep) (uids []string) {
	b.t.Helper()
	drop := b.ledger()
	state := drop.Sinks[k.spec.Name]
	err := k.spec.Verify(b.t.Context(), sinks.Check{
		Mark: &sinks.Mark{ArchiveID: state.ArchiveID, Generation: state.Generation}, Copies: VerifiedCopies(drop, k.spec.Name),
		Read: func(c sinks.Copy, sound bool) { uids = append(uids, c.UniqueID) },
		Found: func(f sinks.Finding) {
			if !f.Note {
				b.t.Errorf("after the repair: %s: %v", f.File, f.Err)
			}
		}})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(uids)
	return uids
}

// TestRepairFromServer: the server still has everything.
func TestRepairFromServer(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			b := newBench(t, pop3test.Config{}, repairMail()...)
			k := d.keep(b, "archive")
			b.use(k)
			b.run()
			d.spoil(b, k)
			b.job.Delete = DeleteVerified
			b.repair = RepairDamaged
			r := b.run()
			d.want(t, &r.Repair, Repair{FromServer: int64(len(d.gone())), FromQuarantine: int64(d.sound + len(d.rescued))})
			if !r.Complete || r.Counts.Gone != 6 {
				t.Errorf("complete %v, gone %d, %s %s", r.Complete, r.Counts.Gone, r.Class, r.Reason)
			}
			if got := b.verified(k); !slices.Equal(got, allUIDs()) {
				t.Errorf("the archive holds %q", got)
			}
			b.repairAgain(k, 0)
		})
	}
}

// TestRepairFromSink: another sink has everything, the server nothing.
func TestRepairFromSink(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			b := newBench(t, pop3test.Config{}, repairMail()...)
			k, other := d.keep(b, "archive"), mboxKeep(b.dir, "other", durable.OS{})
			b.use(k, other)
			b.job.Delete = DeleteVerified
			b.run()
			d.spoil(b, k)
			b.repair = RepairDamaged
			r := b.run()
			d.want(t, &r.Repair, Repair{FromSinks: int64(len(d.bad) + d.sound)})
			for _, k := range []*keep{k, other} {
				if got := b.verified(k); !slices.Equal(got, allUIDs()) {
					t.Errorf("%s holds %q", k.spec.Name, got)
				}
			}
			b.repairAgain(k, 0)
		})
	}
}

// TestRepairLost: nobody has them any more. What is sound is kept, what is not
// is told, and never counted as held.
func TestRepairLost(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			b := newBench(t, pop3test.Config{}, repairMail()...)
			k := d.keep(b, "archive")
			b.use(k)
			b.job.Delete = DeleteVerified
			b.run()
			d.spoil(b, k)
			b.repair = RepairDamaged
			r := b.run()
			held := slices.DeleteFunc(allUIDs(), func(uid string) bool { return slices.Contains(d.uids(), uid) })
			d.want(t, &r.Repair, Repair{FromQuarantine: int64(d.sound + len(d.rescued)), Lost: int64(len(d.gone()))})
			var told []string
			for _, l := range r.Repair.Remaining {
				told = append(told, l.UniqueID)
				i := l.Message - 1
				if l.Listed || l.Elsewhere || l.Where == "" || l.Damage == "" || !d.maildir && !strings.Contains(d.name, "index") && l.MessageID != fmt.Sprintf("<%d@example.org>", i) {
					t.Errorf("told: %+v", l)
				}
			}
			if slices.Sort(told); !slices.Equal(told, d.uids()) {
				t.Errorf("told to be lost: %q, want %q", told, d.uids())
			}
			if got := b.verified(k); !slices.Equal(got, held) {
				t.Errorf("the archive holds %q, want %q", got, held)
			}
			b.repairAgain(k, int64(len(d.gone())))
			b.repair = RepairNothing
			if r := b.run(); r.Counts.Stored+r.Counts.Known != 0 || r.Repair.Lost != int64(len(d.gone())) || !r.Complete {
				t.Errorf("a run after it: %+v %+v", r.Counts, r.Repair)
			}
			// One comes back: a restored backup of the server.
			if len(d.gone()) > 0 {
				b.drop.Deliver(repairMail()[d.gone()[0]])
				if r := b.run(); r.Repair.FromServer != 1 || r.Repair.Lost != int64(len(d.gone())-1) || r.Counts.Stored != 1 {
					t.Errorf("when one came back: %+v %+v", r.Counts, r.Repair)
				}
			}
		})
	}
}

// want compares a repair with the damage done.
func (d *damage) want(t *testing.T, got *Repair, want Repair) {
	t.Helper()
	want.Damaged, want.SetAside, want.Files = int64(len(d.bad)), int64(d.sound), d.files
	g := *got
	g.Remaining = nil
	if fmt.Sprint(g) != fmt.Sprint(want) {
		t.Errorf("repair: %+v, want %+v", g, want)
	}
}

// repairAgain wants nothing more to be found.
func (b *bench) repairAgain(k *keep, lost int64) {
	b.t.Helper()
	r := b.run()
	r.Repair.Remaining = nil
	if want := (Repair{Lost: lost}); fmt.Sprint(r.Repair) != fmt.Sprint(want) {
		b.t.Errorf("second repair: %+v, want %+v", r.Repair, want)
	}
	b.verified(k)
}

// TestRepairQuarantine: what was damaged is still there, under a name that tells.
func TestRepairQuarantine(t *testing.T) {
	b := newBench(t, pop3test.Config{}, repairMail()...)
	k := mboxKeep(b.dir, "archive", durable.OS{})
	b.use(k)
	b.run()
	for range 2 { // the second time a segment with another number
		segment := k.one(t, "*.mbox.zst")
		change(t, segment, func(c []byte) []byte { c[len(c)-1] ^= 1; return c })
		damaged, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		b.repair = RepairDamaged
		b.run()
		aside, _ := filepath.Glob(filepath.Join(b.dir, "quarantine", "archive", "alice", "*Z*", filepath.Base(segment)))
		if len(aside) != 1 {
			t.Fatalf("aside: %q", aside)
		}
		if content, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(content, damaged) {
			t.Errorf("%s is not what was damaged (%v)", aside[0], err)
		}
	}
}

// TestDamageWithoutRepair: a run stops before any DELE and says what helps.
func TestDamageWithoutRepair(t *testing.T) {
	b := newBench(t, pop3test.Config{}, repairMail()...)
	k := mboxKeep(b.dir, "archive", durable.OS{})
	b.use(k)
	b.run()
	discard(t, k.one(t, "*.mbox.zst"))
	b.job.Delete = DeleteVerified
	if r := b.run(); r.Class != ClassArchive || !strings.Contains(r.Hint, "run --repair") {
		t.Errorf("%s: %s (%s)", r.Class, r.Reason, r.Hint)
	}
	if n := b.commands("DELE"); n > 0 {
		t.Errorf("%d DELE", n)
	}
}

// TestRepairAbsent: an archive that is not there at all needs a second word.
func TestRepairAbsent(t *testing.T) {
	for _, d := range []damage{{}, {maildir: true}} {
		b := newBench(t, pop3test.Config{}, repairMail()...)
		k := d.keep(b, "archive")
		b.use(k)
		b.run()
		if err := os.Rename(k.dir, k.dir+".elsewhere"); err != nil {
			t.Fatal(err)
		}
		b.repair = RepairDamaged
		b.job.Delete = DeleteVerified
		r := b.run()
		if r.Class != ClassArchive || !strings.Contains(r.Hint, "mounted?") || !strings.Contains(r.Hint, "--archive-is-gone") || r.Repair.Damaged != 0 {
			t.Errorf("%s: %s (%s) %+v", r.Class, r.Reason, r.Hint, r.Repair)
		}
		if n := b.commands("DELE"); n > 0 {
			t.Errorf("%d DELE", n)
		}
		if _, err := os.Stat(k.dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something was made: %v", err)
		}
		b.repair = RepairAbsent
		if r := b.run(); !r.Complete || r.Repair.Damaged != 6 || r.Repair.FromServer != 6 {
			t.Errorf("%+v %+v", r, r.Repair)
		}
		if got := b.verified(k); !slices.Equal(got, allUIDs()) {
			t.Errorf("the archive holds %q", got)
		}
	}
}

// TestRepairLeavesUnreadable: a file that cannot be read now is not damaged.
func TestRepairLeavesUnreadable(t *testing.T) {
	b := newBench(t, pop3test.Config{}, repairMail()...)
	k := mboxKeep(b.dir, "archive", durable.OS{})
	verify := k.spec.Verify
	b.use(k)
	b.run()
	k.spec.Verify = func(ctx context.Context, c sinks.Check) error {
		c.Found(sinks.Finding{File: "x", Err: &fs.PathError{Op: "read", Path: "x", Err: io.ErrUnexpectedEOF}})
		return verify(ctx, c)
	}
	b.use(k)
	b.repair = RepairDamaged
	if r := b.run(); r.Class != ClassArchive || r.Repair.Damaged != 0 || !strings.Contains(r.Hint, "nothing was given up") {
		t.Errorf("%s: %s (%s)", r.Class, r.Reason, r.Hint)
	}
}

// TestRepairWithoutServer restores what is at hand though nobody can log in.
func TestRepairWithoutServer(t *testing.T) {
	b := newBench(t, pop3test.Config{}, repairMail()...)
	k := mboxKeep(b.dir, "archive", durable.OS{})
	b.use(k)
	b.run()
	damages[0].spoil(b, k)
	b.drop.SetPassword("another")
	b.repair = RepairDamaged
	r := b.run()
	if r.Class != ClassCredential || r.Repair.FromQuarantine != 5 || r.Repair.Lost != 1 {
		t.Errorf("%s %+v", r.Class, r.Repair)
	}
	if got := b.verified(k); len(got) != 5 {
		t.Errorf("the archive holds %q", got)
	}
	if b.drop.SetPassword("secret"); b.run().Repair.FromServer != 1 {
		t.Error("the last one did not come from the server")
	}
}

// TestLostInCustody: the record says what was given up.
func TestLostInCustody(t *testing.T) {
	b := newBench(t, pop3test.Config{}, repairMail()...)
	k := mboxKeep(b.dir, "archive", durable.OS{})
	b.use(k)
	b.run()
	damages[0].spoil(b, k)
	b.repair = RepairDamaged
	b.run()
	store, err := checkpoint.OpenSQLite(t.Context(), b.dir+"/state", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	found := false
	for e, err := range store.Custody(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found = found || e.Kind == "repair" && bytes.Contains(e.Body, []byte(`"damaged":1,"given_up":6,"messages":[{"message":4,"unique_id":"uid-0003"`))
	}
	if !found {
		t.Error("no entry of kind repair")
	}
}

// TestRepairComesBack: what was given up and then restored from a backup is
// taken, from the archive or from a folder in quarantine.
func TestRepairComesBack(t *testing.T) {
	for _, d := range []damage{{}, {maildir: true}} {
		b := newBench(t, pop3test.Config{}, repairMail()...)
		k := d.keep(b, "archive")
		b.use(k)
		b.job.Delete = DeleteVerified
		b.run()
		pattern := "*.mbox.zst"
		if d.maildir {
			pattern = "new"
		}
		gone := k.one(t, pattern)
		if err := os.Rename(gone, b.dir+"/backup"); err != nil {
			t.Fatal(err)
		}
		b.repair = RepairDamaged
		if r := b.run(); r.Repair.Lost == 0 {
			t.Fatalf("%+v", r.Repair)
		}
		discard(t, gone)
		if err := os.Rename(b.dir+"/backup", gone); err != nil {
			t.Fatal(err)
		}
		b.repair = RepairNothing
		if r := b.run(); r.Repair.Lost != 0 || r.Repair.FromQuarantine == 0 {
			t.Errorf("maildir %v: %+v", d.maildir, r.Repair)
		}
		if got := b.verified(k); !slices.Equal(got, allUIDs()) {
			t.Errorf("the archive holds %q", got)
		}
	}
}

package sinks

import (
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"popmigrate/internal/durable/durabletest"
)

// TestMboxDamageIsFound spoils an archive in every way and wants Verify and
// Reader to name the file.
func TestMboxDamageIsFound(t *testing.T) {
	const segment = "/archive/alice/000002.mbox"
	tests := []struct {
		name  string
		spoil func(t *testing.T, fsys *durabletest.FS, l *mboxLedger)
		file  string
		bad   []int64 // ordinals reported; nil: the layout alone is wrong
	}{
		{"flipped bit", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, segment+".zst", func(b []byte) []byte { b[10] ^= 4; return b })
		}, "000002.mbox.zst", []int64{4}},
		{"cut", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, segment+".zst", func(b []byte) []byte { return b[:len(b)-1] })
		}, "000002.mbox.zst", []int64{7}},
		{"swapped frames", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			p, _ := parsePlace(l.copies[4].Where)
			q, _ := parsePlace(l.copies[6].Where)
			edit(t, fsys, segment+".zst", func(b []byte) []byte {
				return slices.Concat(b[:p.frame.at], b[q.frame.at:], b[p.frame.at:q.frame.at])
			})
		}, "000002.mbox.zst", []int64{5, 6, 7}},
		{"zeros", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, segment+".zst", func(b []byte) []byte { return make([]byte, len(b)) })
		}, "000002.mbox.zst", []int64{4, 5, 6, 7}},
		{"missing segment", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) { remove(t, fsys, segment+".zst") }, "000002.mbox.zst", []int64{4, 5, 6, 7}},
		{"surplus", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, segment+".zst", func(b []byte) []byte { return append(b, 'x') })
		}, "000002.mbox.zst", nil},
		{"stray segment", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, "/archive/alice/000007.mbox", func([]byte) []byte { return []byte("From a b\n\n\n") })
		}, "000007.mbox", nil},
		{"copy that is not known, in a frame", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			l.copies = slices.Delete(l.copies, 5, 6)
		}, "000002.mbox.zst", nil},
		{"frame that is not known", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			l.copies = slices.Delete(l.copies, 3, 4)
		}, "000002.mbox.zst", nil},
		{"sidecar damaged", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, "/archive/alice/"+rawName(l.copies[1].Digest, ".zst"), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, ".eml.zst", []int64{2}},
		{"sidecar missing", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			remove(t, fsys, "/archive/alice/"+rawName(l.copies[1].Digest, ".zst"))
		}, ".eml.zst", []int64{2}},
		{"ledger with another digest", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) { l.copies[0].Digest[0] ^= 1 }, "000001.mbox.zst", []int64{1}},
		{"ledger with another place", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			l.copies[5].Where = l.copies[4].Where
		}, "000002.mbox.zst", []int64{6}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys, cfg, ledger := twoSegments(t)
			wantSound(t, cfg, ledger)
			test.spoil(t, fsys, ledger)
			var bad []int64
			named := false
			for _, f := range verifyMbox(t, cfg, ledger, nil) {
				named = named || strings.HasSuffix(f.File, test.file) && (f.Note || errors.Is(f.Err, ErrDamaged))
				if f.Copy == nil {
					continue
				}
				bad = append(bad, f.Copy.Ordinal)
				if !errors.Is(f.Err, ErrDamaged) || !strings.HasSuffix(f.File, test.file) || !strings.Contains(f.Err.Error(), f.Copy.UniqueID) {
					t.Errorf("copy %d: %s: %v", f.Copy.Ordinal, f.File, f.Err)
				}
			}
			if !slices.Equal(bad, test.bad) {
				t.Errorf("reported %v, want %v", bad, test.bad)
			}
			if !named {
				t.Errorf("no finding names %s", test.file)
			}
			readAll(t, cfg, ledger, test.bad)
		})
	}
}

// readAll wants Reader to refuse, or to give something else, for the bad copies only.
func readAll(t *testing.T, cfg MboxConfig, l *mboxLedger, bad []int64) {
	r, err := OpenMboxReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range l.copies {
		var wire Digest
		body, err := r.Read(t.Context(), c)
		if err == nil {
			_, wire, _, err = digestsOf(body)
		}
		if sound := err == nil && wire == c.Digest; sound == slices.Contains(bad, c.Ordinal) {
			t.Errorf("copy %d: %v, digest %v", c.Ordinal, err, wire)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("copy %d: %v", c.Ordinal, err)
		}
	}
}

func TestMboxSample(t *testing.T) {
	fsys, cfg, ledger := twoSegments(t)
	edit(t, fsys, "/archive/alice/000001.mbox.zst", func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	var seen []int64
	err := VerifyMbox(t.Context(), cfg, Check{Copies: slices.Values(ledger.copies), Pick: func(c Copy) bool { return c.Ordinal > 4 },
		Read: func(c Copy, sound bool) { seen = append(seen, c.Ordinal) }, Found: func(f Finding) { t.Errorf("%s: %v", f.File, f.Err) }})
	if err != nil || !slices.Equal(seen, []int64{5, 6, 7}) {
		t.Errorf("saw %v, %v", seen, err)
	}
}

// TestMboxReadErrorIsNoDamage: a disk that cannot be read now says nothing
// about the copies on it.
func TestMboxReadErrorIsNoDamage(t *testing.T) {
	fsys, cfg, ledger := twoSegments(t)
	r, err := OpenMboxReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fsys.Hook(durabletest.FailAt("read", 1, syscall.EIO))
	if _, err := r.Read(t.Context(), ledger.copies[0]); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrDamaged) {
		t.Errorf("read: %v", err)
	}
	body, err := r.Read(t.Context(), ledger.copies[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Error(err)
	}
}

func TestIndexCopiesReportsDamage(t *testing.T) {
	fsys, cfg, ledger := twoSegments(t)
	edit(t, fsys, "/archive/alice/000001.index.jsonl", func(b []byte) []byte {
		b[3] = 0
		return b
	})
	var good, bad int
	for _, err := range IndexCopies(fsys, cfg.Dir) {
		if err == nil {
			good++
		} else if bad++; !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "line 1") {
			t.Error(err)
		}
	}
	if good != len(ledger.copies)-1 || bad != 1 {
		t.Errorf("%d good, %d bad", good, bad)
	}
}

// verifyMbox returns everything that is found.
func verifyMbox(t testing.TB, cfg MboxConfig, l *mboxLedger, read func(Copy, bool)) (findings []Finding) {
	t.Helper()
	err := VerifyMbox(t.Context(), cfg, Check{Mark: &Mark{l.id, l.generation}, Copies: slices.Values(l.copies), Read: read,
		Found: func(f Finding) { findings = append(findings, f) }})
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

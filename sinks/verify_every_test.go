package sinks

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"popmigrate/internal/digest"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
)

// damagedArchive is an archive that is spoiled and mended again and again.
type damagedArchive struct {
	*testing.T
	fsys   durable.FS
	dir    string
	ledger *mboxLedger
	verify func(*testing.T, Check) error
	reader func() (Reader, error) // that takes whatever decodes
}

// smallMbox has two segments with several frames each and several messages in
// some frames, a sidecar, a message without a final line end, and a large one
// that is streamed.
func smallMbox(t *testing.T, compression Compression) *damagedArchive {
	fsys := durabletest.New()
	cfg := testCfg(fsys)
	cfg.Compression, cfg.FrameOctets, cfg.SegmentOctets, cfg.large = compression, 220, 1, 1000
	ledger := &mboxLedger{id: "0123456789abcdef0123456789abcdef"}
	sink := mustOpen(t, cfg, ledger)
	mustStore(t, sink, ledger, testGroup(1, "Message-ID: <1@x>\r\n\r\nFrom b\r\n", "bare\nLF\r\n", "no line end"))
	mustClose(t, sink)
	sink = mustOpen(t, cfg, ledger)
	mustStore(t, sink, ledger, testGroup(4, "Subject: four\r\n\r\n>From x\r\n", "five\r\n", strings.Repeat("six six\r\n", 20)))
	mustClose(t, sink)
	return &damagedArchive{T: t, fsys: fsys, dir: cfg.Dir, ledger: ledger, verify: func(t *testing.T, c Check) error { return VerifyMbox(t.Context(), cfg, c) },
		reader: func() (Reader, error) {
			r, err := newMboxReader(cfg)
			if err == nil {
				r.salvaging = true
			}
			return r, err
		}}
}

func smallMaildir(t *testing.T) *damagedArchive {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no maildirs")
	}
	fsys := durabletest.New()
	cfg := MaildirConfig{FS: fsys, Dir: "/Maildir"}
	ledger := &mboxLedger{id: "0123456789abcdef0123456789abcdef"}
	s, err := OpenMaildir(t.Context(), cfg, ledger.opening())
	if err != nil {
		t.Fatal(err)
	}
	group := []Message{maildirMessage(1, "Subject: 1\r\n\r\na\r\n"), maildirMessage(2, "bare\nLF\r\n"), maildirMessage(3, "no line end"), maildirMessage(4, "CR\rx\r\n")}
	receipts, err := s.Store(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	ledger.commit(t, group, receipts)
	return &damagedArchive{T: t, fsys: fsys, dir: cfg.Dir, ledger: ledger, verify: func(t *testing.T, c Check) error { return VerifyMaildir(t.Context(), cfg, c) },
		reader: func() (Reader, error) { return OpenMaildirReader(cfg) }}
}

func (a *damagedArchive) findings() (findings []Finding) {
	a.Helper()
	err := a.verify(a.T, Check{Mark: &Mark{a.ledger.id, a.ledger.generation}, Copies: slices.Values(a.ledger.copies),
		Found: func(f Finding) { findings = append(findings, f) }})
	if err != nil {
		a.Fatalf("verify: %v", err)
	}
	return findings
}

// files returns the paths of all files but README.txt, which is not part of the archive.
func (a *damagedArchive) files() (names []string) {
	for name := range snapshot(a.T, a.fsys, a.dir) {
		if filepath.Base(name) != readmeFile {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// hit returns the ordinals of the messages that can no longer be had from the
// archive as it is, whatever checksums say.
func (a *damagedArchive) hit() (ordinals []int64) {
	a.Helper()
	r, err := a.reader()
	if err != nil {
		a.Fatal(err)
	}
	defer r.Close()
	for _, c := range a.ledger.copies {
		body, err := r.Read(a.Context(), c)
		wire := Digest{}
		if err == nil {
			_, wire, _, err = digestsOf(body)
		}
		if p, notMbox := parsePlace(c.Where); err == nil && notMbox == nil && p.raw {
			var entry io.ReadCloser
			var lf Digest
			p.sum = checksum{}
			if entry, err = r.(*mboxReader).openEntry(c, p); err == nil {
				_, _, lf, err = digestsOf(entry)
			}
			if lf != digest.Of([]byte("bare\nLF\n")) {
				wire = lf
			}
		}
		if err != nil || wire != c.Digest {
			ordinals = append(ordinals, c.Ordinal)
		}
	}
	return ordinals
}

// wantFound wants the file to be named, and exactly the messages that are hit.
func (a *damagedArchive) wantFound(what, name string) {
	a.Helper()
	named := false
	var bad []int64
	for _, f := range a.findings() {
		named = named || f.File == name
		if f.Copy == nil {
			continue
		}
		bad = append(bad, f.Copy.Ordinal)
		if want := fmt.Sprintf("uid-%d", f.Copy.Ordinal); f.Note || f.Copy.UniqueID != want || !strings.Contains(f.Err.Error(), want) {
			a.Errorf("%s: finding does not name unique-id %s: %v", what, want, f.Err)
		}
	}
	if !named {
		a.Errorf("%s: no finding names %s", what, name)
	}
	slices.Sort(bad)
	if hit := a.hit(); !slices.Equal(bad, hit) {
		a.Errorf("%s: findings of %s name the messages %v, hit are %v", what, name, bad, hit)
	}
}

// with spoils a file, runs do and mends the file.
func (a *damagedArchive) with(name string, change func([]byte) []byte, do func()) {
	a.Helper()
	content, err := durable.ReadFile(a.fsys, name, 1<<30)
	if err != nil {
		a.Fatal(err)
	}
	edit(a.T, a.fsys, name, change)
	do()
	edit(a.T, a.fsys, name, func([]byte) []byte { return content })
}

func everyArchive(t *testing.T, test func(a *damagedArchive)) {
	for _, compression := range []Compression{Zstd, Gzip, Uncompressed} {
		t.Run(string(compression), func(t *testing.T) { test(smallMbox(t, compression)) })
	}
	t.Run("maildir", func(t *testing.T) { test(smallMaildir(t)) })
}

// bits are those to be flipped, one at a time, in a file. What is not
// compressed is the same whatever the segments are.
func (a *damagedArchive) bits(name string) []byte {
	segment, _ := parsePlace(a.ledger.copies[0].Where)
	compressed := compressionOf(segment.segment) != Uncompressed
	switch {
	case compressed && compressionOf(name) == Uncompressed:
		return nil
	case compressed || testing.Short():
		return []byte{1, 0x20}
	}
	return []byte{1, 2, 4, 8, 16, 32, 64, 128}
}

// TestVerifyEveryOctet flips, cuts and inserts at every octet of every file of
// an archive, and wants the file and the messages to be named each time.
func TestVerifyEveryOctet(t *testing.T) {
	everyArchive(t, func(a *damagedArchive) {
		if found := a.findings(); len(found) > 0 {
			a.Fatalf("a sound archive: %v", found)
		}
		tried := 0
		for _, name := range a.files() {
			content, bits := a.read(name), a.bits(name)
			for at := range content[:min(len(content), len(content)*len(bits))] {
				if testing.Short() && at%11 != 0 {
					continue
				}
				for _, bit := range bits {
					tried++
					a.with(name, func(b []byte) []byte { b[at] ^= bit; return b }, func() {
						a.wantFound(fmt.Sprintf("octet %d ^ %#x", at, bit), name)
					})
				}
				tried += 2
				a.with(name, func(b []byte) []byte { return b[:at] }, func() { a.wantFound(fmt.Sprintf("cut at %d", at), name) })
				for _, c := range []byte{0, content[at]} { // the latter may hide in a run of equal octets
					what := fmt.Sprintf("insert %q at %d", c, at)
					a.with(name, func(b []byte) []byte { return slices.Insert(b, at, c) }, func() { a.wantFound(what, name) })
				}
				if a.Failed() {
					return
				}
			}
			a.with(name, func(b []byte) []byte { return append(b, '\n') }, func() { a.wantFound("append", name) })
		}
		a.Logf("%d changes", tried)
	})
}

// TestVerifyEveryFile removes, swaps and adds files.
func TestVerifyEveryFile(t *testing.T) {
	everyArchive(t, func(a *damagedArchive) {
		names := a.files()
		for i, name := range names {
			content := a.read(name)
			remove(a.T, a.fsys, name)
			a.wantRemoved(name)
			edit(a.T, a.fsys, name, func([]byte) []byte { return content })
			for _, other := range names[i+1:] {
				a.with(name, func([]byte) []byte { return a.read(other) }, func() {
					a.with(other, func([]byte) []byte { return content }, func() {
						a.wantFound("swapped with "+name, other)
						a.wantFound("swapped with "+other, name)
					})
				})
			}
			if id, ours := maildirID(filepath.Base(name)); !ours && id == "" && strings.HasPrefix(name, "/Maildir") {
				continue // a maildir may hold whatever somebody puts there
			}
			stray := filepath.Join(filepath.Dir(name), "9"+filepath.Base(name))
			edit(a.T, a.fsys, stray, func([]byte) []byte { return content })
			a.wantFound("stray", stray)
			remove(a.T, a.fsys, stray)
		}
		if found := a.findings(); len(found) > 0 {
			a.Errorf("after it was mended: %v", found)
		}
	})
}

func (a *damagedArchive) read(name string) []byte {
	content, err := durable.ReadFile(a.fsys, name, 1<<30)
	if err != nil {
		a.Fatal(err)
	}
	return content
}

// wantRemoved wants a file that is missing to be named; of a maildir, by the
// id in its name.
func (a *damagedArchive) wantRemoved(name string) {
	a.Helper()
	if id, ours := maildirID(filepath.Base(name)); ours {
		name = filepath.Join(a.dir, maildirPattern(id))
	}
	a.wantFound("removed", name)
}

// TestVerifyFrames swaps, duplicates and removes frames of a segment.
func TestVerifyFrames(t *testing.T) {
	for _, compression := range []Compression{Zstd, Gzip, Uncompressed} {
		t.Run(string(compression), func(t *testing.T) {
			a := smallMbox(t, compression)
			var frames []place
			for _, c := range a.ledger.copies {
				p, err := parsePlace(c.Where)
				if err != nil {
					t.Fatal(err)
				}
				if len(frames) == 0 || p.frameID() != frames[len(frames)-1].frameID() {
					frames = append(frames, p)
				}
			}
			if len(frames) < 4 {
				t.Fatalf("only %d frames", len(frames))
			}
			for i, p := range frames {
				name := filepath.Join(a.dir, p.segment)
				stretch := func(b []byte, p place) []byte { return b[p.frame.at:p.frame.end()] }
				a.with(name, func(b []byte) []byte { return slices.Insert(b, int(p.frame.end()), stretch(b, p)...) },
					func() { a.wantFound("duplicated frame", name) })
				a.with(name, func(b []byte) []byte { return slices.Delete(b, int(p.frame.at), int(p.frame.end())) },
					func() { a.wantFound("removed frame", name) })
				for _, q := range frames[i+1:] {
					if q.segment != p.segment {
						continue
					}
					swap := func(b []byte) []byte {
						return slices.Concat(b[:p.frame.at], stretch(b, q), b[p.frame.end():q.frame.at], stretch(b, p), b[q.frame.end():])
					}
					a.with(name, swap, func() { a.wantFound("swapped frames", name) })
				}
			}
		})
	}
}

// TestVerifyAbsent: an archive of which nothing is there is one finding.
func TestVerifyAbsent(t *testing.T) {
	for _, a := range []*damagedArchive{smallMbox(t, Zstd), smallMaildir(t)} {
		for _, name := range a.files() {
			remove(t, a.fsys, name)
		}
		found := a.findings()
		if len(found) != 1 || !isErr(found[0].Err, ErrAbsent, ErrDamaged) || found[0].File != a.dir {
			t.Errorf("%s: %v", a.dir, found)
		}
		if err := a.fsys.Rename(a.dir, "/elsewhere"); err != nil {
			t.Fatal(err)
		}
		if again := a.findings(); len(again) != 1 || !isErr(again[0].Err, ErrAbsent) {
			t.Errorf("%s: %v", a.dir, again)
		}
		if err := a.fsys.Rename("/elsewhere", "/elsewhere "+filepath.Base(a.dir)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVerifyForeign: another ledger's archive, and one that a newer ledger opened.
func TestVerifyForeign(t *testing.T) {
	for _, spoil := range []func(l *mboxLedger){func(l *mboxLedger) { l.id = "two" }, func(l *mboxLedger) { l.generation-- }} {
		a := smallMbox(t, Zstd)
		spoil(a.ledger)
		if found := a.findings(); len(found) != 1 || !isErr(found[0].Err, ErrForeign) || filepath.Base(found[0].File) != archiveFile {
			t.Errorf("found %v", found)
		}
	}
}

// TestVerifyByIndexAlone wants the same of an archive without its ledger,
// where a message is hit.
func TestVerifyByIndexAlone(t *testing.T) {
	a := smallMbox(t, Uncompressed)
	byIndex := func() (n int) {
		copies := func(yield func(Copy) bool) {
			for c, err := range IndexCopies(a.fsys, a.dir) {
				if err != nil {
					n++
				} else if !yield(c) {
					return
				}
			}
		}
		if err := a.verify(t, Check{Copies: copies, Found: func(Finding) { n++ }}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := byIndex(); n > 0 {
		t.Fatalf("%d findings in a sound archive", n)
	}
	for _, name := range a.files() {
		for at := range a.read(name) {
			if testing.Short() && at%11 != 0 {
				continue
			}
			a.with(name, func(b []byte) []byte { b[at] ^= 0x20; return b }, func() {
				if byIndex() == 0 {
					t.Errorf("octet %d of %s may change unnoticed", at, name)
				}
			})
		}
	}
}

func isErr(err error, targets ...error) bool {
	for _, target := range targets {
		if !errors.Is(err, target) {
			return false
		}
	}
	return true
}

package sinks

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
)

// edit replaces what a file holds by what change makes of it.
func edit(t *testing.T, fsys durable.FS, name string, change func([]byte) []byte) {
	t.Helper()
	content, err := durable.ReadFile(fsys, name, 1<<30)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	f, err := fsys.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, durable.FilePerm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(change(slices.Clone(content))); err != nil {
		t.Fatal(err)
	}
	mustClose(t, f)
}

func remove(t *testing.T, fsys durable.FS, name string) {
	t.Helper()
	if err := fsys.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// snapshot is the content of every file below the archive.
func snapshot(t *testing.T, fsys durable.FS, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := durable.ReadDir(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := dir + "/" + e.Name()
		if e.IsDir() {
			for k, v := range snapshot(t, fsys, name) {
				files[k] = v
			}
			continue
		}
		content, err := durable.ReadFile(fsys, name, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	return files
}

// TestMboxOpeningRefuses has a row for each rule. A refused opening changes
// nothing, names a file or folder, and says what to do.
func TestMboxOpeningRefuses(t *testing.T) {
	const dir = "/archive/alice/"
	tests := []struct {
		name  string
		spoil func(t *testing.T, fsys *durabletest.FS, l *mboxLedger)
		want  error
		says  string
	}{
		{"another id", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) { l.id = "two" }, ErrForeign, "id"},
		{"older ledger by generation", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) { l.generation-- }, ErrForeign, "generation 3"},
		{"ledger lost", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) { *l = mboxLedger{id: "new"} }, ErrForeign, "id"},
		{"mail without id", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			remove(t, fsys, dir+archiveFile)
			l.copies = nil
		}, ErrForeign, "knows nothing"},
		{"id gone", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) { remove(t, fsys, dir+archiveFile) }, ErrDamaged, archiveFile},
		{"archive gone", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			if err := fsys.Rename("/archive/alice", "/archive/elsewhere"); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, archiveFile},
		{"unreadable id", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, dir+archiveFile, func(b []byte) []byte { return b[:len(b)/2] })
		}, ErrDamaged, archiveFile},
		{"another format", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, dir+archiveFile, func(b []byte) []byte {
				mark, _ := parseMark(b)
				mark.Format = "maildir"
				b, _ = mark.encode()
				return b
			})
		}, ErrForeign, "maildir"},
		{"segment missing", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) { remove(t, fsys, dir+"000001.mbox.zst") }, ErrDamaged, "000001.mbox.zst"},
		{"segment cut", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			edit(t, fsys, dir+"000002.mbox.zst", func(b []byte) []byte { return b[:len(b)-1] })
		}, ErrDamaged, "000002.mbox.zst"},
		{"sidecar missing", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			remove(t, fsys, dir+rawName(l.copies[1].Digest, "000001.mbox.zst"))
		}, ErrDamaged, ".eml.zst"},
		{"older ledger by index", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			l.copies = l.copies[:3]
			l.generation += 5
		}, ErrForeign, "000002.index.jsonl"},
		{"older ledger by index of one segment", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) {
			l.copies = l.copies[:len(l.copies)-1]
			l.generation += 5
		}, ErrForeign, "000002.index.jsonl"},
		{"places of another sink", func(t *testing.T, fsys *durabletest.FS, l *mboxLedger) { l.copies[0].Where = "new/x" }, ErrForeign, "new/x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys, cfg, ledger := twoSegments(t)
			test.spoil(t, fsys, ledger)
			before := snapshot(t, fsys, "/archive")
			sink, err := OpenMbox(t.Context(), cfg, ledger.opening())
			if err == nil {
				sink.Close()
				t.Fatal("opened")
			}
			var described *Error
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !errors.As(err, &described) || described.Hint == "" {
				t.Errorf("%v\nhint: %v", err, described)
			}
			if after := snapshot(t, fsys, "/archive"); !mapsEqual(before, after) {
				t.Error("the refused opening changed the archive")
			}
		})
	}
}

func mapsEqual(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// twoSegments returns an archive of three messages, one with a sidecar, in
// one segment and four in a second, opened twice by its ledger.
func twoSegments(t *testing.T) (*durabletest.FS, MboxConfig, *mboxLedger) {
	t.Helper()
	fsys := durabletest.New()
	cfg := testCfg(fsys)
	ledger := &mboxLedger{id: "one"}
	for _, group := range [][]Message{testGroup(1, sampleMail(1, 3000), "b\nc\r\n", "From x\r\n"), testGroup(4, sampleMail(2, 300<<10), "d", "e\r\n")} {
		cfg.SegmentOctets = 100
		sink := mustOpen(t, cfg, ledger)
		mustStore(t, sink, ledger, group)
		mustClose(t, sink)
	}
	cfg.SegmentOctets = 1 << 30
	sink := mustOpen(t, cfg, ledger)
	mustStore(t, sink, ledger, testGroup(7, "f\r\n"))
	mustClose(t, sink)
	return fsys, cfg, ledger
}

// TestMboxOpeningMends has a row for each thing that a crash may leave, and
// for changes that cost nothing.
func TestMboxOpeningMends(t *testing.T) {
	const dir = "/archive/alice/"
	unchanged := map[string]string{}
	tests := []struct {
		name  string
		spoil func(t *testing.T, fsys *durabletest.FS)
		torn  map[string]string // what is moved aside
	}{
		{"nothing", func(t *testing.T, fsys *durabletest.FS) {}, unchanged},
		{"index missing", func(t *testing.T, fsys *durabletest.FS) { remove(t, fsys, dir+"000001.index.jsonl") }, unchanged},
		{"index torn", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000002.index.jsonl", func(b []byte) []byte { return b[:len(b)-30] })
		}, unchanged},
		{"index with zeros", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000002.index.jsonl", func(b []byte) []byte { return append(b[:len(b)-300], make([]byte, 300)...) })
		}, unchanged},
		{"index without its last line", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000002.index.jsonl", func(b []byte) []byte {
				lines := strings.SplitAfter(string(b), "\n")
				return []byte(strings.Join(lines[:len(lines)-2], ""))
			})
		}, unchanged},
		{"index twice", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000001.index.jsonl", func(b []byte) []byte { return append(b, b...) })
		}, unchanged},
		{"index of garbage", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000001.index.jsonl", func(b []byte) []byte { return []byte("{}\nnull\n" + strings.Repeat("x", 1<<18)) })
		}, unchanged},
		{"stray files", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+archiveFile+durable.TempSuffix, func(b []byte) []byte { return []byte("x") })
			edit(t, fsys, dir+"raw/00.eml.zst"+durable.TempSuffix, func(b []byte) []byte { return []byte("x") })
			edit(t, fsys, dir+"000009.index.jsonl", func(b []byte) []byte { return []byte("{") })
		}, unchanged},
		{"torn tail", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000002.mbox.zst", func(b []byte) []byte { return append(b, "tail"...) })
		}, map[string]string{"000002.mbox.zst": "tail"}},
		{"torn tails, one in an old segment", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000001.mbox.zst", func(b []byte) []byte { return append(b, "old"...) })
			edit(t, fsys, dir+"000002.mbox.zst", func(b []byte) []byte { return append(b, "tail"...) })
		}, map[string]string{"000001.mbox.zst": "old", "000002.mbox.zst": "tail"}},
		{"segment that no copy names", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000003.mbox.zst", func(b []byte) []byte { return []byte("whole") })
		}, map[string]string{"000003.mbox.zst": "whole"}},
		{"empty segment that no copy names", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000003.mbox.zst", func(b []byte) []byte { return nil })
		}, unchanged},
		{"segment of the same number", func(t *testing.T, fsys *durabletest.FS) {
			edit(t, fsys, dir+"000002.mbox.gz", func(b []byte) []byte { return []byte("other") })
		}, map[string]string{"000002.mbox.gz": "other"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys, cfg, ledger := twoSegments(t)
			want := snapshot(t, fsys, "/archive")
			test.spoil(t, fsys)
			sink := mustOpen(t, cfg, ledger)
			mustStore(t, sink, ledger, nil)
			got := snapshot(t, fsys, "/archive")
			delete(want, dir+archiveFile)
			delete(got, dir+archiveFile)
			for name := range want {
				if got[name] != want[name] {
					t.Errorf("%s differs:\n%.300q\n%.300q", name, got[name], want[name])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d files, want %d", len(got), len(want))
			}
			torn := map[string]string{}
			for name, content := range snapshot(t, fsys.Crash(durabletest.LoseAll()), "/torn") {
				name = strings.TrimPrefix(name, "/torn/alice@example.net-")
				torn[name[:strings.LastIndexByte(name, '-')]] = content
			}
			if !mapsEqual(torn, test.torn) {
				t.Errorf("moved aside: %q, want %q", torn, test.torn)
			}
			mustStore(t, sink, ledger, testGroup(8, "g\r\n"))
			mustClose(t, sink)
			wantSound(t, cfg, ledger)
			wantIndexed(t, cfg, ledger)
		})
	}
}

// TestMboxTornTailsDoNotReplaceEachOther: two crashes at one place leave two files.
func TestMboxTornTailsDoNotReplaceEachOther(t *testing.T) {
	fsys, cfg, ledger := twoSegments(t)
	for _, tail := range []string{"first", "second"} {
		edit(t, fsys, "/archive/alice/000002.mbox.zst", func(b []byte) []byte { return append(b, tail...) })
		mustClose(t, mustOpen(t, cfg, ledger))
	}
	var found []string
	for _, content := range snapshot(t, fsys, "/torn") {
		found = append(found, content)
	}
	slices.Sort(found)
	if !slices.Equal(found, []string{"first", "second"}) {
		t.Errorf("moved aside: %q", found)
	}
}

// TestMboxOtherCompression: an archive may go on in another compression.
func TestMboxOtherCompression(t *testing.T) {
	fsys, cfg, ledger := twoSegments(t)
	for i, compression := range []Compression{Gzip, Uncompressed, Zstd} {
		cfg.Compression = compression
		sink := mustOpen(t, cfg, ledger)
		mustStore(t, sink, ledger, testGroup(int64(8+i), "x\nx\r\n"+string(compression)))
		mustClose(t, sink)
	}
	if _, err := fsys.Lstat("/archive/alice/000005.mbox.zst"); err != nil {
		t.Error(err)
	}
	wantSound(t, cfg, ledger)
	wantIndexed(t, cfg, ledger)
}

func TestMboxIndexFields(t *testing.T) {
	fsys, _, ledger := twoSegments(t)
	content, err := durable.ReadFile(fsys, "/archive/alice/000001.index.jsonl", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	for i := 0; ; i++ {
		var line map[string]any
		if err := decoder.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"segment", "frame", "at", "ordinal", "unique_id", "octets", "sha256", "sha256_lf", "message_id", "date", "from", "session"} {
			if line[key] == nil {
				t.Errorf("line %d lacks %s", i, key)
			}
		}
		if line["sha256"] != ledger.copies[i].Digest.String() || (line["raw"] == true) != (i == 1) {
			t.Errorf("line %d: %v", i, line)
		}
	}
}

// TestMboxAnotherWriter: a mail program that opened the segment has changed it.
func TestMboxAnotherWriter(t *testing.T) {
	fsys, cfg, ledger := twoSegments(t)
	sink := mustOpen(t, cfg, ledger)
	edit(t, fsys, "/archive/alice/000002.mbox.zst", func(b []byte) []byte { return append(b, "X-UID: 1"...) })
	if _, err := sink.Store(t.Context(), testGroup(8, "x\r\n")); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Fatalf("store: %v", err)
	}
	mustClose(t, sink)
}

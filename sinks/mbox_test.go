package sinks

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
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"popmigrate/internal/digest"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/internal/header"
)

// mboxLedger is as much of a ledger as an archive needs.
type mboxLedger struct {
	id         string
	generation int64
	copies     []Copy
}

func (l *mboxLedger) opening() Opening {
	l.generation++
	return Opening{Maildrop: "alice@example.net", ArchiveID: l.id, Generation: l.generation, Copies: slices.Values(l.copies), Torn: "/torn"}
}

// commit enters what a Store call vouched for.
func (l *mboxLedger) commit(t testing.TB, group []Message, receipts []Receipt) {
	t.Helper()
	if len(receipts) != len(group) {
		t.Fatalf("%d receipts for %d messages", len(receipts), len(group))
	}
	for i, r := range receipts {
		if r.Proof != Verified {
			t.Fatalf("message %d: %v %s", group[i].Ordinal, r.Proof, r.Reason)
		}
		m := group[i]
		l.copies = append(l.copies, Copy{Ordinal: m.Ordinal, UniqueID: m.UniqueID, Session: m.Session, Octets: m.Octets, Digest: m.Digest, Where: r.Where})
	}
}

// clone returns an independent copy, as a backup of a ledger is.
func (l *mboxLedger) clone() *mboxLedger {
	return &mboxLedger{l.id, l.generation, slices.Clone(l.copies)}
}

func testMessage(ordinal int64, wire string) Message {
	octets := []byte(wire)
	f := header.Scan(octets)
	return Message{
		Ordinal: ordinal, UniqueID: fmt.Sprintf("uid-%d", ordinal), Session: "s1",
		Envelope: Envelope{Sender: "a@example.org", Received: time.Unix(1e9, 0)},
		Summary:  Summary{MessageID: f.MessageID, From: f.From, Date: f.Date},
		Octets:   int64(len(wire)), Digest: digest.Of(octets),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(octets)), nil },
	}
}

func testGroup(first int64, wires ...string) []Message {
	var group []Message
	for i, wire := range wires {
		group = append(group, testMessage(first+int64(i), wire))
	}
	return group
}

func testCfg(fsys durable.FS) MboxConfig {
	return MboxConfig{FS: fsys, Dir: "/archive/alice", Codecs: testCodecs}
}

var testCodecs = NewCodecs()

func mustOpen(t testing.TB, cfg MboxConfig, l *mboxLedger) Sink {
	t.Helper()
	sink, err := OpenMbox(t.Context(), cfg, l.opening())
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func mustStore(t testing.TB, sink Sink, l *mboxLedger, group []Message) {
	t.Helper()
	receipts, err := sink.Store(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	l.commit(t, group, receipts)
	if err := sink.Committed(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// wantSound verifies everything the ledger holds, and the index against it.
func wantSound(t testing.TB, cfg MboxConfig, l *mboxLedger) {
	t.Helper()
	n := 0
	for _, f := range verifyMbox(t, cfg, l, func(Copy, bool) { n++ }) {
		if !f.Note {
			t.Errorf("%s: %v", f.File, f.Err)
		}
	}
	if n != len(l.copies) {
		t.Fatalf("verify: %d of %d copies", n, len(l.copies))
	}
}

func wantIndexed(t testing.TB, cfg MboxConfig, l *mboxLedger) {
	t.Helper()
	var got []Copy
	for c, err := range IndexCopies(cfg.FS, cfg.Dir) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	if !slices.Equal(got, l.copies) {
		t.Fatalf("index lists %d copies\n%v\nledger holds %d\n%v", len(got), got, len(l.copies), l.copies)
	}
}

func hostileWires() []string {
	var wires []string
	all := hostile()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		wires = append(wires, all[name])
	}
	return wires
}

// TestMboxStore stores hostile and ordinary mail in every compression, reopens,
// stores more, and reads all of it back by every way there is.
func TestMboxStore(t *testing.T) {
	wires := append(hostileWires(), sampleMail(1, 70_000), strings.Repeat("0123456789abcde\r\n", 10_000), sampleMail(2, 5000), "a\nb\r\n"+sampleMail(3, 150_000))
	for range 100 {
		wires = append(wires, sampleMail(uint64(len(wires)), 5000))
	}
	for _, compression := range []Compression{Zstd, Gzip, Uncompressed} {
		t.Run(string(compression), func(t *testing.T) {
			fsys := durabletest.New()
			cfg := testCfg(fsys)
			cfg.Compression = compression
			cfg.SegmentOctets = 100 << 10
			cfg.large = 100_000
			ledger := &mboxLedger{id: "one"}
			group := testGroup(1, wires...)
			third := len(group) / 3
			for _, part := range [][]Message{group[:third], group[third : 2*third], group[2*third:]} {
				sink := mustOpen(t, cfg, ledger)
				mustStore(t, sink, ledger, part[:len(part)/2])
				mustStore(t, sink, ledger, part[len(part)/2:])
				mustClose(t, sink)
			}
			wantSound(t, cfg, ledger)
			wantIndexed(t, cfg, ledger)
			if ledger.copies[len(ledger.copies)-1].Where[:6] == "000001" {
				t.Error("no segment was rolled")
			}
			wantPlainMbox(t, fsys, cfg, len(group))
			r, err := OpenMboxReader(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for i, c := range ledger.copies {
				body, err := r.Read(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(body)
				if err != nil || string(got) != wires[i] {
					t.Fatalf("message %d: %d octets of %d, %v", i, len(got), len(wires[i]), err)
				}
				mustClose(t, body)
			}
		})
	}
}

// wantPlainMbox reads the segments as zstdcat or zcat do and counts separators.
func wantPlainMbox(t *testing.T, fsys durable.FS, cfg MboxConfig, want int) {
	t.Helper()
	got := 0
	entries, _ := durable.ReadDir(fsys, cfg.Dir)
	for _, e := range entries {
		if _, ok := segmentNumber(e.Name()); !ok {
			continue
		}
		stored, err := durable.ReadFile(fsys, cfg.path(e.Name()), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		var r io.Reader = bytes.NewReader(stored)
		switch cfg.Compression {
		case Zstd:
			r, err = zstd.NewReader(r)
		case Gzip:
			r, err = gzip.NewReader(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("From ")) || !bytes.HasSuffix(text, []byte("\n\n")) || bytes.Contains(text, []byte("From a@example.org Sun Sep  9 01:46:40 2001\r")) {
			t.Errorf("%s is no mbox: %.40q…", e.Name(), text)
		}
		got += bytes.Count(append([]byte("\n"), text...), []byte("\nFrom "))
	}
	if got != want {
		t.Errorf("a naive splitter finds %d messages, want %d", got, want)
	}
}

// TestMboxReceipts checks what is said about storage.
func TestMboxReceipts(t *testing.T) {
	fsys := durabletest.New()
	cfg := testCfg(fsys)
	ledger := &mboxLedger{id: "one"}
	sink := mustOpen(t, cfg, ledger)
	group := testGroup(1, sampleMail(1, 4000), sampleMail(2, 4000), "a\nb\r\n", sampleMail(3, 300<<10))
	receipts, err := sink.Store(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	ledger.commit(t, group, receipts)
	mustClose(t, sink)
	if receipts[0].StoredOctets == 0 || receipts[1].StoredOctets != 0 || receipts[3].StoredOctets == 0 {
		t.Errorf("a shared frame counts at its first message: %+v", receipts)
	}
	segment, err := fsys.Lstat(cfg.path("000001.mbox.zst"))
	if err != nil {
		t.Fatal(err)
	}
	sidecar, err := fsys.Lstat(cfg.path(rawName(group[2].Digest, "000001.mbox.zst")))
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, r := range receipts {
		sum += r.StoredOctets
	}
	if sum != segment.Size()+sidecar.Size() || receipts[2].StoredOctets != sidecar.Size() {
		t.Errorf("receipts say %d octets, there are %d and %d", sum, segment.Size(), sidecar.Size())
	}
	if _, err := fsys.Lstat(cfg.path("000001.index.jsonl")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the index ran ahead of the ledger")
	}
	for _, name := range []string{"README.txt", archiveFile} {
		if _, err := fsys.Lstat(cfg.path(name)); err != nil {
			t.Error(err)
		}
	}
	wantSound(t, cfg, ledger)
}

func TestPlaces(t *testing.T) {
	for _, w := range []Where{"000001.mbox.zst@0+65123:0+5001", "000001.mbox@12+1:1+1,raw", "1234567.mbox.gz@0+1:0+1,raw,noeol", "000042.mbox.zst@5+6:7+8,noeol"} {
		p, err := parsePlace(w)
		if err != nil || p.where() != w {
			t.Errorf("%s: %+v, %v", w, p, err)
		}
	}
	for _, w := range []Where{"", "000001.mbox.zst", "000001.mbox.zst@0+1", "1.mbox@0+1:0+1", "000000.mbox@0+1:0+1", "000001.mbox.xz@0+1:0+1",
		"000001.mbox@00+1:0+1", "000001.mbox@-1+1:0+1", "000001.mbox@+1+1:0+1", "000001.mbox@0+0:0+1", "000001.mbox@0+1:0+1,noeol,raw", "000001.mbox@0+1:0+1,x",
		"000001.mbox@0+1:0+1 ", "../000001.mbox@0+1:0+1", "000001.mbox@9223372036854775807+1:0+1", "000001.mbox@0+1:0+1:0+1"} {
		if p, err := parsePlace(w); err == nil {
			t.Errorf("%q was taken for %+v", w, p)
		}
	}
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"alice@example.net": "alice@example.net", "../x": "%2E.%2Fx", "a/b\\c": "a%2Fb%5Cc", "ä": "%C3%A4", "": "",
	} {
		if got := fileName(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// TestMboxOnDisk runs a whole life on a real file system.
func TestMboxOnDisk(t *testing.T) {
	dir := t.TempDir()
	cfg := MboxConfig{FS: durable.OS{}, Dir: filepath.Join(dir, "archive", "alice"), Codecs: testCodecs}
	ledger := &mboxLedger{id: "one"}
	sink := mustOpen(t, cfg, ledger)
	mustStore(t, sink, ledger, testGroup(1, hostileWires()...))
	mustClose(t, sink)

	segment := filepath.Join(cfg.Dir, "000001.mbox.zst")
	f, err := os.OpenFile(segment, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("torn"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, f)
	o := ledger.opening()
	o.Torn = filepath.Join(dir, "torn")
	sink, err = OpenMbox(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	mustStore(t, sink, ledger, testGroup(100, "a\r\n"))
	mustClose(t, sink)
	torn, err := os.ReadDir(o.Torn)
	if err != nil || len(torn) != 1 || !strings.HasPrefix(torn[0].Name(), "alice@example.net-000001.mbox.zst-") {
		t.Fatalf("moved aside: %v, %v", torn, err)
	}
	wantSound(t, cfg, ledger)
	wantIndexed(t, cfg, ledger)
}

// TestMboxRefusesFalseMessages: what differs from its announcement is not stored.
func TestMboxRefusesFalseMessages(t *testing.T) {
	broken := errors.New("spool broken")
	for name, spoil := range map[string]func(*Message){
		"digest":       func(m *Message) { m.Digest[3] ^= 1 },
		"fewer octets": func(m *Message) { m.Octets++ },
		"more octets":  func(m *Message) { m.Octets-- },
		"unreadable":   func(m *Message) { m.Open = func() (io.ReadCloser, error) { return nil, broken } },
	} {
		for _, wire := range []string{"a\r\nb\r\n", "a\nb\r\n", sampleMail(1, 150_000)} {
			fsys := durabletest.New()
			cfg := testCfg(fsys)
			cfg.large = 100_000
			ledger := &mboxLedger{id: "one"}
			sink := mustOpen(t, cfg, ledger)
			mustStore(t, sink, ledger, testGroup(1, "first\r\n"))
			group := testGroup(2, "x\r\n", wire)
			spoil(&group[1])
			if receipts, err := sink.Store(t.Context(), group); err == nil || receipts != nil {
				t.Fatalf("%s: stored", name)
			}
			before := fsys.Calls()
			if _, err := sink.Store(t.Context(), testGroup(2, "x\r\n")); err == nil || fsys.Calls() != before {
				t.Fatalf("%s: the abandoned segment was used again", name)
			}
			mustClose(t, sink)
			sink = mustOpen(t, cfg, ledger)
			mustStore(t, sink, ledger, testGroup(2, "x\r\n", wire))
			mustClose(t, sink)
			wantSound(t, cfg, ledger)
			wantIndexed(t, cfg, ledger)
		}
	}
}

func TestMboxCancelled(t *testing.T) {
	fsys := durabletest.New()
	cfg := testCfg(fsys)
	ledger := &mboxLedger{id: "one"}
	sink := mustOpen(t, cfg, ledger)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sink.Store(ctx, testGroup(1, "a\r\n")); !errors.Is(err, context.Canceled) {
		t.Fatalf("store: %v", err)
	}
	mustClose(t, sink)
	if _, err := OpenMbox(ctx, cfg, ledger.opening()); !errors.Is(err, context.Canceled) {
		t.Fatalf("open: %v", err)
	}
}

package sinks

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMaildirFiles looks at what other programs see.
func TestMaildirFiles(t *testing.T) {
	for _, test := range []struct{ wire, file, octets string }{
		{"a\r\nb\r\n", "a\nb\n", ",S=4,W=6"},
		{"no line end", "no line end", ",S=11,W=11"},
		{"", "", ",S=0,W=0"},
		{"\r\n\r\n", "\n\n", ",S=2,W=4"},
		{"bare\nLF\r\n", "bare\nLF\r\n", ",S=9"},
		{"bare\rCR\r\n", "bare\rCR\r\n", ",S=9"},
		{"CR\r\r\n", "CR\r\r\n", ",S=5"},
		{"\n", "\n", ",S=1"},
		{strings.Repeat("x", 70_000) + "\r\n" + strings.Repeat("\r\n", 70_000), strings.Repeat("x", 70_000) + "\n" + strings.Repeat("\n", 70_000), ",S=140001,W=210002"},
	} {
		d := newTestMaildir(t)
		m := maildirMessage(1, test.wire)
		m.Received = time.Unix(1058174813, 0)
		receipts := d.store(m)
		names := d.files("new")
		if len(names) != 1 || !strings.HasPrefix(names[0], "1058174813.") || !strings.HasSuffix(names[0], ".popmigrate"+test.octets) {
			t.Fatalf("%.20q: files %q, want one with %s", test.wire, names, test.octets)
		}
		d.wantFiles(0, 1, 0)
		path := filepath.Join(d.cfg.Dir, "new", names[0])
		content, err := os.ReadFile(path)
		if err != nil || string(content) != test.file {
			t.Errorf("%.20q: the file holds %.60q (%v)", test.wire, content, err)
		}
		if receipts[0].StoredOctets != int64(len(test.file)) {
			t.Errorf("%.20q: %d octets stored", test.wire, receipts[0].StoredOctets)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 || !info.ModTime().Equal(m.Received) {
			t.Errorf("%.20q: mode %v, time %v (%v)", test.wire, info.Mode(), info.ModTime(), err)
		}
	}
}

// TestMaildirIDs: the id is the message's alone.
func TestMaildirIDs(t *testing.T) {
	m := testMessage(1, "a\r\n")
	again := testMessage(99, "a\r\n")
	again.UniqueID, again.Session, again.Received = "other", "other", time.Unix(5, 0)
	twin := testMessage(1, "a\r\n")
	twin.Occurrence = 1
	other := testMessage(1, "b\r\n")
	name := func(maildrop string, m *Message, variant int) string {
		return newMaildirID(maildrop, m.Digest, m.Occurrence, variant)
	}
	id := name("alice", &m, 1)
	if name("alice", &again, 1) != id {
		t.Error("the same message has two ids")
	}
	ids := map[string]bool{id: true}
	for _, different := range []string{
		name("bob", &m, 1), name("alice", &m, 2), name("alice", &m, 3), name("alice", &twin, 1), name("alice", &other, 1),
	} {
		if ids[different] || !isMaildirID(different) {
			t.Errorf("id %q is not new or not an id", different)
		}
		ids[different] = true
	}
}

func FuzzMaildirForm(f *testing.F) {
	for _, seed := range []string{"", "\r\n", "a\r\nb", "a\nb\r\n", "a\rb", "\r\r\n", "\n\n", strings.Repeat("x\r\n", 50)} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, wire []byte, portion uint8) {
		m := maildirMessage(1, string(wire))
		form := maildirPlace{wire: m.BareLF || m.BareCR}
		scratch := new(maildirScratch)
		var file bytes.Buffer
		onDisk, err := writeMaildir(&file, form, &m, scratch)
		if err != nil || onDisk != int64(file.Len()) {
			t.Fatalf("%d octets written, %d counted: %v", file.Len(), onDisk, err)
		}
		if !form.wire && bytes.ContainsRune(file.Bytes(), '\r') {
			t.Fatalf("LF form %q has a CR", file.Bytes())
		}
		read, err := compareMaildir(bytes.NewReader(file.Bytes()), form, &m, scratch)
		if err != nil || read != onDisk {
			t.Fatalf("%q reads back differently: %v", file.Bytes(), err)
		}
		decoder := maildirDecoder{file: bytes.NewReader(file.Bytes()), asIs: form.wire, buffer: make([]byte, 1+portion%5)}
		var back []byte
		for p := make([]byte, 1+portion/64); ; {
			n, err := decoder.Read(p)
			back = append(back, p[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(back, wire) {
			t.Fatalf("%q decodes to %q, want %q", file.Bytes(), back, wire)
		}
	})
}

func FuzzMaildirNames(f *testing.F) {
	id := strings.Repeat("a", 32)
	for _, seed := range []string{"", id, id + ",wire", id + "-2", "1." + id + ".popmigrate,S=1:2,S", "1." + id + "-12.popmigrate"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseMaildirPlace(Where(s)); err == nil && string(p.where()) != s {
			t.Errorf("%q is read as %q", s, p.where())
		}
		if got, ours := maildirID(s); ours && (!isMaildirID(got) || !strings.Contains(s, "."+got+".popmigrate")) {
			t.Errorf("%q has the id %q", s, got)
		}
	})
}

package migrate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/sinks"
)

// one returns the only file that matches.
func (k *keep) one(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(k.dir, pattern))
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %q, %v", pattern, names, err)
	}
	return names[0]
}

func change(t *testing.T, name string, change func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func discard(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}

// holding returns the maildir file that holds a text.
func (k *keep) holding(t *testing.T, text string) string {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(k.dir, "new", "*"))
	for _, name := range names {
		if content, err := os.ReadFile(name); err == nil && bytes.Contains(content, []byte(text)) {
			return name
		}
	}
	t.Fatalf("no file holds %q", text)
	return ""
}

// frameOf returns where the frame of a message begins, and how long it is.
func (b *bench) frameOf(k *keep, uid string) (at, octets int) {
	b.t.Helper()
	for c := range VerifiedCopies(b.ledger(), k.spec.Name) {
		if c.UniqueID == uid {
			_, place, _ := strings.Cut(string(c.Where), "@")
			if n, err := fmt.Sscanf(place, "%d+%d", &at, &octets); n != 2 {
				b.t.Fatal(err)
			}
		}
	}
	return at, octets
}

type damage struct {
	name    string
	maildir bool
	plain   bool // an mbox that is not compressed
	spoil   func(b *bench, k *keep)
	bad     []int // messages whose copies are damaged
	sound   int   // others that share their segment, and can be salvaged
	files   int64 // indexes, ids, folders
	rescued []int // of bad: read from a sidecar that is sound, though the segment is not
}

var damages = []damage{
	{name: "flipped octet in a frame", spoil: func(b *bench, k *keep) {
		at, octets := b.frameOf(k, "uid-0003")
		change(b.t, k.one(b.t, "*.mbox.zst"), func(c []byte) []byte { c[at+octets/2] ^= 4; return c })
	}, bad: []int{3}, sound: 5},
	{name: "missing segment", spoil: func(b *bench, k *keep) { discard(b.t, k.one(b.t, "*.mbox.zst")) },
		bad: []int{0, 1, 2, 3, 4, 5}, rescued: []int{1}},
	{name: "missing segment and index", spoil: func(b *bench, k *keep) {
		discard(b.t, k.one(b.t, "*.mbox.zst"))
		discard(b.t, k.one(b.t, "*.jsonl"))
	}, bad: []int{0, 1, 2, 3, 4, 5}, rescued: []int{1}},
	{name: "cut segment", spoil: func(b *bench, k *keep) {
		at, octets := b.frameOf(k, "uid-0004")
		change(b.t, k.one(b.t, "*.mbox.zst"), func(c []byte) []byte { return c[:at+octets-1] })
	}, bad: []int{4, 5}, sound: 4},
	{name: "damaged sidecar", spoil: func(b *bench, k *keep) {
		change(b.t, k.one(b.t, "raw/*"), func(c []byte) []byte { c[len(c)/2] ^= 1; return c })
	}, bad: []int{1}, sound: 5},
	{name: "missing sidecar", spoil: func(b *bench, k *keep) { discard(b.t, k.one(b.t, "raw/*")) }, bad: []int{1}, sound: 5},
	{name: "start of a frame", spoil: func(b *bench, k *keep) {
		at, _ := b.frameOf(k, "uid-0002")
		change(b.t, k.one(b.t, "*.mbox.zst"), func(c []byte) []byte { c[at] ^= 1; return c })
	}, bad: []int{2}, sound: 5},
	{name: "flipped octet, not compressed", plain: true, spoil: func(b *bench, k *keep) { // reads well, and differs
		at, octets := b.frameOf(k, "uid-0002")
		change(b.t, k.one(b.t, "*.mbox"), func(c []byte) []byte { c[at+octets-10] ^= 1; return c })
	}, bad: []int{2}, sound: 5},
	{name: "From_ line", plain: true, spoil: func(b *bench, k *keep) { // which belongs to no message
		at, _ := b.frameOf(k, "uid-0002")
		change(b.t, k.one(b.t, "*.mbox"), func(c []byte) []byte { c[at+7] ^= 1; return c })
	}, sound: 6},
	{name: "damaged index", spoil: func(b *bench, k *keep) {
		change(b.t, k.one(b.t, "*.jsonl"), func(c []byte) []byte { c[len(c)/2] ^= 1; return c })
	}, files: 1},
	{name: "damaged id", spoil: func(b *bench, k *keep) {
		change(b.t, k.one(b.t, "popmigrate.id"), func(c []byte) []byte { c[len(c)/2] ^= 1; return c })
	}, files: 1},
	{name: "missing id", spoil: func(b *bench, k *keep) { discard(b.t, k.one(b.t, "popmigrate.id")) }, files: 1},
	{name: "damaged id and segment", spoil: func(b *bench, k *keep) {
		discard(b.t, k.one(b.t, "popmigrate.id"))
		change(b.t, k.one(b.t, "*.mbox.zst"), func(c []byte) []byte { return make([]byte, len(c)) })
	}, bad: []int{0, 1, 2, 3, 4, 5}, rescued: []int{1}, files: 1},
	{name: "missing file", maildir: true, spoil: func(b *bench, k *keep) { discard(b.t, k.holding(b.t, "<3@example.org>")) }, bad: []int{3}},
	{name: "changed file", maildir: true, spoil: func(b *bench, k *keep) {
		change(b.t, k.holding(b.t, "<3@example.org>"), func(c []byte) []byte { c[len(c)-5] ^= 1; return c })
	}, bad: []int{3}},
	{name: "folder new gone", maildir: true, spoil: func(b *bench, k *keep) {
		file := k.holding(b.t, "<3@example.org>")
		if err := os.Rename(file, filepath.Join(k.dir, "cur", filepath.Base(file)+":2,S")); err != nil {
			b.t.Fatal(err)
		}
		discard(b.t, filepath.Join(k.dir, "new"))
	}, bad: []int{0, 1, 2, 4, 5}, files: 1},
	{name: "missing id of a maildir", maildir: true, spoil: func(b *bench, k *keep) { discard(b.t, k.one(b.t, "popmigrate.id")) }, files: 1},
}

func (d *damage) keep(b *bench, name string) *keep {
	if d.maildir {
		return maildirKeep(b.dir, name, durable.OS{})
	}
	if d.plain {
		return mboxKeep(b.dir, name, durable.OS{}, sinks.Uncompressed)
	}
	return mboxKeep(b.dir, name, durable.OS{})
}

// gone are the messages of which the archive has no sound copy left.
func (d *damage) gone() []int {
	return slices.DeleteFunc(slices.Clone(d.bad), func(i int) bool { return slices.Contains(d.rescued, i) })
}

func (d *damage) uids() (uids []string) {
	for _, i := range d.gone() {
		uids = append(uids, fmt.Sprintf("uid-%04d", i))
	}
	slices.Sort(uids)
	return uids
}

func allUIDs() (uids []string) {
	for i := range 6 {
		uids = append(uids, fmt.Sprintf("uid-%04d", i))
	}
	return uids
}

package realservers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// delivered numbers the files of all maildrops, so that their names differ
// and sort in the order of delivery.
var delivered atomic.Int64

// fillMaildir puts messages into a Maildir, octet for octet.
func fillMaildir(t testing.TB, dir string, uid, gid int, messages ...[]byte) {
	t.Helper()
	for _, sub := range []string{"", "tmp", "new", "cur"} {
		makeDir(t, filepath.Join(dir, sub), uid, gid)
	}
	for _, content := range messages {
		name := fmt.Sprintf("17%08d.M1P1.test", delivered.Add(1))
		temporary := filepath.Join(dir, "tmp", name)
		if err := os.WriteFile(temporary, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(temporary, uid, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temporary, filepath.Join(dir, "new", name)); err != nil {
			t.Fatal(err)
		}
	}
}

// fillMbox appends messages to an mbox as a delivery agent does: ">" before
// a line that begins with "From ", a final line end, an empty line.
func fillMbox(t testing.TB, name string, uid, gid int, messages ...[]byte) {
	t.Helper()
	var text bytes.Buffer
	for _, content := range messages {
		text.WriteString("From sender@example.net Mon Nov  2 10:00:00 2026\n")
		for line := range bytes.Lines(content) {
			if bytes.HasPrefix(line, []byte("From ")) {
				text.WriteByte('>')
			}
			text.Write(line)
		}
		if !bytes.HasSuffix(content, []byte("\n")) {
			text.WriteByte('\n')
		}
		text.WriteByte('\n')
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o660)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Chown(uid, gid); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(text.Bytes()); err != nil {
		t.Fatal(err)
	}
}

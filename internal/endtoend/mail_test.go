//go:build linux

package endtoend

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"popmigrate/internal/realservers"
)

// letter is message i, about so many octets, with LF line ends as a Maildir has them.
func letter(i, octets int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Return-Path: <sender%d@example.net>\nReceived: from a by b; Mon, %d Nov 2026 10:00:00 +0000\n", i, 1+i%28)
	fmt.Fprintf(&b, "Message-ID: <%d@example.net>\nFrom: Sender <sender%d@example.net>\nSubject: letter %d\n\n", i, i, i)
	r := rand.New(rand.NewPCG(uint64(i), 7))
	for b.Len() < octets {
		for range 10 {
			fmt.Fprintf(&b, "%x ", r.Uint32())
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// hostile are messages that tools have lost, cut or changed.
func hostile() map[string][]byte {
	long := bytes.Repeat([]byte("0123456789abcdef"), 50<<20/16)
	return map[string][]byte{
		"crlf-only":   []byte("\n"),
		"no-newline":  []byte("Subject: a\n\nno final newline"),
		"from-lines":  []byte("Subject: b\n\nFrom here on\n>From there\n>>From x\n From y\nFrom \n"),
		"from-header": []byte("From somebody Mon Nov  2 10:00:00 2026\nSubject: c\n\nx\n"),
		"dots":        []byte("Subject: d\n\n.\n..\n...\n.x\n\n.\n"),
		"nul":         []byte("Subject: e\n\na\x00b\x00\x00c\n"),
		"eight-bit":   append([]byte("Subject: f\xe4\xf6\xfc\n\n"), allOctets()...),
		"bare-cr":     []byte("Subject: g\n\na\rb\r\rc\n"),
		"blank-tail":  []byte("Subject: h\n\nx\n\n\n\n"),
		"header-only": []byte("Subject: i\nX: y\n"),
		"body-only":   []byte("no header at all\n\nx\n"),
		"twin-1":      []byte("Subject: twin\n\nsame\n"),
		"twin-2":      []byte("Subject: twin\n\nsame\n"),
		"long-line":   append(append([]byte("Subject: j\n\n"), long...), '\n'),
		"long-header": []byte("Subject: k\nX: " + strings.Repeat("y", 9000) + "\n\nx\n"),
	}
}

func allOctets() []byte {
	var b []byte
	for c := 1; c < 256; c++ {
		if c != '\n' && c != '\r' {
			b = append(b, byte(c))
		}
	}
	return append(b, '\n')
}

// wire is what Dovecot sends for a Maildir file: CR before every LF that has
// none, and a final line end.
func wire(file []byte) string {
	text := strings.ReplaceAll(strings.ReplaceAll(string(file), "\r\n", "\n"), "\n", "\r\n")
	if !strings.HasSuffix(text, "\r\n") {
		text += "\r\n"
	}
	return text
}

// tally counts equal messages.
type tally map[string]int

func (want tally) compare(t *testing.T, what string, got tally) {
	t.Helper()
	lost, twice, strange := 0, 0, 0
	for m, n := range want {
		if got[m] < n {
			lost += n - got[m]
		} else if got[m] > n {
			twice += got[m] - n
		}
	}
	for m, n := range got {
		if want[m] == 0 {
			strange += n
			t.Errorf("%s: never served: %.80q", what, m)
		}
	}
	if lost+twice+strange > 0 {
		t.Errorf("%s: %d lost, %d too often, %d never served", what, lost, twice, strange)
	}
}

// fromArchive reads an mbox archive without any code of the project: the
// segments through zstdcat, split at separator lines, unquoted, with CRLF.
func fromArchive(t *testing.T, dir string) tally {
	t.Helper()
	if _, err := exec.LookPath("zstdcat"); err != nil {
		realservers.Skip(t, "zstdcat is not installed")
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*.mbox.zst"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments in %s (%v)", dir, err)
	}
	found := tally{}
	for _, segment := range segments {
		text, err := exec.Command("zstdcat", segment).Output()
		if err != nil {
			t.Fatalf("zstdcat %s: %v", segment, err)
		}
		for _, part := range strings.Split("\n"+strings.TrimSuffix(string(text), "\n"), "\nFrom ")[1:] {
			_, body, _ := strings.Cut(part, "\n")
			if !strings.HasSuffix(body, "\n") {
				t.Errorf("%s: no empty line behind a message", segment)
			}
			found[unquote(body)]++
		}
	}
	return found
}

// unquote turns the text between two separators into the wire form. The split
// took the line end of the empty line behind the message away.
func unquote(body string) string {
	body = strings.TrimSuffix(body, "\n")
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		if rest := strings.TrimLeft(line, ">"); rest != line && strings.HasPrefix(rest, "From ") {
			lines[i] = line[1:]
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// fromMaildir reads a Maildir without any code of the project.
func fromMaildir(t *testing.T, dir string) tally {
	t.Helper()
	found := tally{}
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			content, err := os.ReadFile(filepath.Join(dir, sub, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			message := string(content)
			if strings.Contains(entry.Name(), ",W=") { // else the file is the wire form
				message = strings.ReplaceAll(message, "\n", "\r\n")
			}
			found[message]++
		}
	}
	return found
}

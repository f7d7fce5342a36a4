package sinks_test

import (
	"bufio"
	"bytes"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"popmigrate/internal/digest"
	"popmigrate/internal/realservers"
	"popmigrate/sinks"
	"popmigrate/sinks/sinktest"
)

// TestMaildirInDovecot gives the files of a maildir to Dovecot. The octets
// that it lists come from the S and W in their names, and it logs an error
// when a name is wrong. What it serves is the wire form again, but for the
// messages whose line ends POP3 cannot keep.
func TestMaildirInDovecot(t *testing.T) {
	server := realservers.StartDovecot(t, "alice")
	dir := filepath.Join(t.TempDir(), "Maildir")
	sink, err := sinks.OpenMaildir(t.Context(), sinks.MaildirConfig{Dir: dir}, sinktest.NewLedger("alice", "").Opening())
	if err != nil {
		t.Fatal(err)
	}
	messages := sinktest.Messages()[1:] // not the empty one: Dovecot serves it as one CRLF, which another message is
	if _, err := sink.Store(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "new", "*"))
	if err != nil || len(files) != len(messages) {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		server.Seed("alice", filepath.Base(name), content)
	}
	served := retrieveAll(t, server.Addr, "alice", "pw-alice")
	for i, m := range messages {
		if m.BareLF || m.BareCR || m.NoFinalEOL {
			continue
		}
		if listed, ok := served[m.Digest]; !ok || listed != m.Octets {
			t.Errorf("message %q of %d octets: Dovecot serves it unchanged: %v, listed with %d", sinktest.Corpus()[i+1].Name, m.Octets, ok, listed)
		}
	}
	for _, line := range strings.Split(server.Log(), "\n") {
		if strings.Contains(line, "Error") || strings.Contains(line, "Warning") {
			t.Errorf("Dovecot logged: %s", line)
		}
	}
}

// retrieveAll returns the octets that a maildrop's messages are listed with,
// by the digest of what is served.
func retrieveAll(t *testing.T, address, user, password string) map[sinks.Digest]int64 {
	t.Helper()
	conn, err := textproto.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ok := func(command string) string {
		t.Helper()
		if command != "" {
			conn.PrintfLine("%s", command)
		}
		line, err := conn.ReadLine()
		if err != nil || !strings.HasPrefix(line, "+OK") {
			t.Fatalf("%.8s: %q (%v)", command, line, err)
		}
		return line
	}
	ok("")
	ok("USER " + user)
	ok("PASS " + password)
	ok("LIST")
	listing, err := conn.ReadDotLines()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[sinks.Digest]int64{}
	for _, line := range listing {
		number, octets, _ := strings.Cut(line, " ")
		ok("RETR " + number)
		content := digest.Of(readMessage(t, conn.R))
		if listed[content], err = strconv.ParseInt(octets, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	ok("QUIT")
	return listed
}

// readMessage reads to CRLF.CRLF and undoes dot-stuffing.
func readMessage(t *testing.T, r *bufio.Reader) []byte {
	t.Helper()
	content := []byte("\r\n")
	for !bytes.HasSuffix(content, []byte("\r\n.\r\n")) {
		line, err := r.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, line...)
	}
	content = content[:len(content)-3]
	return bytes.ReplaceAll(content, []byte("\r\n."), []byte("\r\n"))[2:]
}

//go:build linux

package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"popmigrate/internal/realservers"
)

// Real messages through a real server, octet for octet in both sinks. The
// folder in POPMIGRATE_CORPUS comes from fetch-corpus.sh.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("POPMIGRATE_CORPUS")
	if dir == "" {
		t.Skip("POPMIGRATE_CORPUS names no folder of messages; make real-long fetches one")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages in %s (%v)", dir, err)
	}
	d := realservers.StartDovecot(t, "alice")
	served := tally{}
	for i, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d.Seed("alice", fmt.Sprintf("1700000000.c%05d.test", i), content)
		served[wire(content)]++
	}
	j := newJob(t, dovecotJob, append(tlsWords(d)["implicit"], "@MORE@", "")...)
	n := int64(len(files))
	s := j.run(0)
	if s.Listed != n || s.Stored != n || s.Verified != 2*n {
		t.Errorf("%+v", s)
	}
	t.Logf("%d messages in %.2f s", n, s.Seconds)
	served.compare(t, "archive", fromArchive(t, filepath.Join(j.dir, "archive", "alice")))
	served.compare(t, "maildir", fromMaildir(t, filepath.Join(j.dir, "Maildir")))
}

//go:build linux

package endtoend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"popmigrate/pop3/pop3test"
)

const trialJob = `
job "test" {
  account "alice" {
    password = "pw-alice"
  }
  source "pop3" {
    server = "@SERVER@"
    tls    = "none"
    allow_cleartext = true
  }
  sink "mbox" "archive" { dir = "archive" }
  sink "maildir" "copy" { dir = "Maildir" }
  limits {
    attempts = 2
    backoff  = "50ms"
    memory   = "1MiB"
    @LIMITS@
  }
  delete = "@DELETE@"
}
`

// trial is a job with one maildrop on a server in this process.
type trial struct {
	*job
	server *pop3test.Server
	drop   *pop3test.Maildrop
	served tally
	marked atomic.Int64 // DELE received
	text   func(words ...string) string
}

// newTrial fills alice's maildrop with letters of about so many octets each.
// What is marked is counted, so the rules of the maildrop are the trial's;
// those of the server are free.
func newTrial(t *testing.T, letters, octets int) *trial {
	t.Helper()
	server, err := pop3test.Start(pop3test.Config{NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	r := &trial{server: server, served: tally{}, drop: server.AddMaildrop("alice", "pw-alice")}
	r.drop.SetRules(pop3test.Rule{Command: "DELE", Do: pop3test.Call(func() { r.marked.Add(1) })})
	r.text = func(words ...string) string {
		words = append(words, "@SERVER@", server.Addr(), "@LIMITS@", "", "@DELETE@", "verified")
		return strings.NewReplacer(words...).Replace(trialJob)
	}
	r.job = newJob(t, r.text())
	r.arrive(letters, octets)
	return r
}

// arrive adds letters to the maildrop.
func (r *trial) arrive(letters, octets int) {
	for range letters {
		content := wire(letter(len(r.served), octets))
		r.drop.Deliver(pop3test.Message{Content: []byte(content)})
		r.served[content]++
	}
}

// change writes the job file anew; words are replaced in pairs.
func (r *trial) change(words ...string) { r.write("job.hcl", r.text(words...)) }

// path is a place in the job's directory.
func (r *trial) path(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

// archives are the folders of the trial's sinks.
func (r *trial) archives() map[string]tally {
	r.t.Helper()
	return map[string]tally{"archive": lenientArchive(r.path("archive", "alice")), "maildir": fromMaildir(r.t, r.path("Maildir"))}
}

// safe wants every message that was served on the server still, or in each
// sink exactly once.
func (r *trial) safe() {
	r.t.Helper()
	left := tally{}
	for _, m := range r.drop.Contents() {
		left[string(m.Content)]++
	}
	gone := tally{}
	for m, n := range r.served {
		if n > left[m] {
			gone[m] = n - left[m]
		}
	}
	if len(gone) == 0 {
		return
	}
	for what, got := range r.archives() {
		for m, n := range gone {
			if got[m] != n {
				r.t.Errorf("%s holds a message that is gone from the server %d times, want %d: %.60q", what, got[m], n, m)
			}
		}
	}
}

// complete wants each message that was served once in each sink, none on the
// server, and a sound ledger.
func (r *trial) complete() {
	r.t.Helper()
	r.arrived()
	if out, err := r.command("verify").CombinedOutput(); err != nil {
		r.t.Errorf("verify: %v\n%s", err, out)
	}
}

// arrived wants each message that was served once in each sink, and none on
// the server.
func (r *trial) arrived() {
	r.t.Helper()
	for what, got := range r.archives() {
		r.served.compare(r.t, what, got)
	}
	if left := len(r.drop.Contents()); left != 0 {
		r.t.Errorf("%d messages left on the server", left)
	}
}

// fails runs the job and wants this exit code, all of these words in what is
// printed, and no DELE.
func (r *trial) fails(exit int, words ...string) {
	r.t.Helper()
	before := r.marked.Load()
	_, got, output := r.attempt()
	if got != exit {
		r.t.Errorf("exit %d, want %d\n%s", got, exit, brief(output))
	}
	for _, word := range words {
		if !strings.Contains(output, word) {
			r.t.Errorf("nothing is said of %q:\n%s", word, brief(output))
		}
	}
	if marked := r.marked.Load() - before; marked != 0 {
		r.t.Errorf("%d DELE were sent", marked)
	}
	r.safe()
}

// completes runs the job and wants that nothing is left to do.
func (r *trial) completes() {
	r.t.Helper()
	if last, exit, output := r.attempt(); exit != 0 || !last.balanced() {
		r.t.Fatalf("exit %d, %+v\n%s", exit, last, brief(output))
	}
	r.complete()
}

// lenientArchive is fromArchive for an archive that may end in half a frame.
func lenientArchive(dir string) tally {
	found := tally{}
	segments, _ := filepath.Glob(filepath.Join(dir, "*.mbox.zst"))
	for _, segment := range segments {
		text, _ := exec.Command("zstdcat", segment).Output() // what comes before the damage
		for _, part := range strings.Split("\n"+strings.TrimSuffix(string(text), "\n"), "\nFrom ")[1:] {
			_, body, _ := strings.Cut(part, "\n")
			found[unquote(body)]++
		}
	}
	return found
}

// brief leaves the lines about single messages out.
func brief(output string) string {
	var kept []string
	for _, line := range strings.Split(output, "\n") {
		if !strings.Contains(line, `"class":"message"`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// root skips a test that has to change what only root may.
func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("file systems are mounted as root only")
	}
}

// must runs a command of the system.
func must(t *testing.T, words ...string) string {
	t.Helper()
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// memoryDisk mounts a tmpfs of so many KiB on dir until the test ends.
func memoryDisk(t *testing.T, dir string, kib int) {
	t.Helper()
	root(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("mode=700,size=%dk", kib), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v %s", err, out)
	}
	t.Cleanup(func() { must(t, "umount", dir) })
}

// enlarge gives a memoryDisk room.
func enlarge(t *testing.T, dir string) {
	t.Helper()
	must(t, "mount", "-o", "remount,size=200m", dir)
}

//go:build linux

package endtoend

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"popmigrate/internal/realservers"
)

const dovecotJob = `
job "test" {
  account "alice" {
    user     = "alice"
    password = "pw-alice"
  }
  source "pop3" {
    server = "@SERVER@"
    @TLS@
  }
  sink "mbox" "archive" { dir = "archive" }
  sink "maildir" "copy" { dir = "Maildir" }
  @MORE@
}
`

func tlsWords(d *realservers.Dovecot) map[string][]string {
	return map[string][]string{
		"implicit": {"@SERVER@", d.TLSAddr, "@TLS@", fmt.Sprintf("tls_ca = %q", d.CAFile)},
		"starttls": {"@SERVER@", d.Addr, "@TLS@", fmt.Sprintf("tls = \"starttls\"\n tls_ca = %q", d.CAFile)},
		"none":     {"@SERVER@", d.Addr, "@TLS@", "tls = \"none\"\n allow_cleartext = true"},
	}
}

// seed fills alice's maildrop and returns what the server will send.
func seed(d *realservers.Dovecot, letters, octets int, more map[string][]byte) tally {
	served := tally{}
	put := func(name string, content []byte) {
		d.Seed("alice", name, content)
		served[wire(content)]++
	}
	for i := range letters {
		put(fmt.Sprintf("1700000000.l%06d.test", i), letter(i, octets))
	}
	for name, content := range more {
		put("1700000001."+name+".test", content)
	}
	return served
}

// Hostile mail over each kind of TLS: every octet in both sinks, then deleted.
func TestHostileMail(t *testing.T) {
	notShort(t)
	for _, mode := range []string{"implicit", "starttls", "none"} {
		t.Run(mode, func(t *testing.T) {
			d := realservers.StartDovecot(t, "alice")
			served := seed(d, 200, 5000, hostile())
			n := int64(200 + len(hostile()))
			j := newJob(t, dovecotJob, append(tlsWords(d)[mode], "@MORE@", "")...)
			if s := j.run(0); s.Listed != n || s.Stored != n || s.Verified != 2*n {
				t.Errorf("first run: %+v", s)
			}
			served.compare(t, "archive", fromArchive(t, filepath.Join(j.dir, "archive", "alice")))
			served.compare(t, "maildir", fromMaildir(t, filepath.Join(j.dir, "Maildir")))
			if s := j.run(0); s.Known != n || s.Stored != 0 {
				t.Errorf("second run: %+v", s)
			}
			j.write("job.hcl", strings.NewReplacer(append(tlsWords(d)[mode], "@MORE@", `delete = "verified"`)...).Replace(dovecotJob))
			if s := j.run(0); s.Known != n || s.Gone != n {
				t.Errorf("deleting run: %+v", s)
			}
			if left := d.Left("alice"); len(left) != 0 {
				t.Errorf("%d messages left on the server", len(left))
			}
			served.compare(t, "archive after deletion", fromArchive(t, filepath.Join(j.dir, "archive", "alice")))
		})
	}
}

// Killed at ten random moments and run again: none lost, none twice. The
// deleting run is killed too.
func TestKilledAndRunAgain(t *testing.T) {
	notShort(t)
	const letters = 10_000
	d := realservers.StartDovecot(t, "alice")
	served := seed(d, letters, 5000, nil)
	words := append(tlsWords(d)["implicit"], "@MORE@", `delete = "verified"`)
	j := newJob(t, dovecotJob, words...)
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	kills := 0
	for range 10 {
		c := j.command("run", "--quiet")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		select {
		case <-time.After(time.Duration(100+r.IntN(3000)) * time.Millisecond):
			c.Process.Signal(syscall.SIGKILL)
			<-ended
			kills++
		case <-ended:
		}
	}
	s := j.run(0)
	t.Logf("%d kills; last run: %+v", kills, s)
	if kills < 3 {
		t.Errorf("only %d kills hit a running program", kills)
	}
	served.compare(t, "archive", fromArchive(t, filepath.Join(j.dir, "archive", "alice")))
	served.compare(t, "maildir", fromMaildir(t, filepath.Join(j.dir, "Maildir")))
	if left := d.Left("alice"); len(left) != 0 {
		t.Errorf("%d messages left on the server", len(left))
	}
	verify := j.command("verify")
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// Other programs read the decompressed archive and count the same.
func TestOtherProgramsReadTheArchive(t *testing.T) {
	notShort(t)
	for _, needed := range []string{"zstdcat", "python3", "mutt"} {
		if _, err := exec.LookPath(needed); err != nil {
			realservers.Skip(t, needed+" is not installed")
		}
	}
	d := realservers.StartDovecot(t, "alice")
	ordinary := hostile()
	for _, odd := range []string{"long-line", "from-header", "body-only", "crlf-only"} {
		delete(ordinary, odd) // readers differ on what begins a message there
	}
	served := seed(d, 300, 3000, ordinary)
	n := 0
	for _, count := range served {
		n += count
	}
	j := newJob(t, dovecotJob, append(tlsWords(d)["none"], "@MORE@", "")...)
	j.run(0)
	text, err := exec.Command("zstdcat", filepath.Join(j.dir, "archive", "alice", "000001.mbox.zst")).Output()
	if err != nil {
		t.Fatal(err)
	}
	mbox := filepath.Join(j.dir, "plain.mbox")
	if err := os.WriteFile(mbox, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, reader := range map[string][]string{
		"python": {"python3", "-c", "import mailbox,sys; print(len(mailbox.mbox(sys.argv[1])))", mbox},
		"mutt":   {"python3", "-c", countInMutt, mbox},
	} {
		out, err := exec.Command(reader[0], reader[1:]...).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(n) {
			t.Errorf("%s counts %s, want %d (%v)", name, strings.TrimSpace(string(out)), n, err)
		}
	}
}

// countInMutt opens a folder in mutt on a terminal and prints the number in
// its status line.
const countInMutt = `
import os, pty, re, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ['TERM'] = 'vt100'
    os.execvp('mutt', ['mutt', '-R', '-n', '-F', '/dev/null', '-e', 'set folder=/tmp record="" postponed=""',
                       '-e', 'set status_format="COUNT=%m"', '-f', sys.argv[1]])
seen, end = b'', time.time() + 30
while time.time() < end:
    if select.select([fd], [], [], 1)[0]:
        try: seen += os.read(fd, 65536)
        except OSError: break
    found = re.search(rb'COUNT=(\d+)', seen)
    if found:
        print(found.group(1).decode())
        break
os.kill(pid, 9)
`

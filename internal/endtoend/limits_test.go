//go:build linux

package endtoend

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"popmigrate/pop3/pop3test"
)

// Fewer open files than the sessions need: what cannot be done is said, with
// what helps, and the next run with more of them completes.
func TestFewOpenFiles(t *testing.T) {
	notShort(t)
	for _, files := range []int{20, 40, 80} {
		t.Run(fmt.Sprint(files), func(t *testing.T) {
			server, err := pop3test.Start(pop3test.Config{NoLog: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			var list strings.Builder
			list.WriteString("name,user,password\n")
			drops := make([]*pop3test.Maildrop, 64)
			for i := range drops {
				user := fmt.Sprintf("user%02d", i)
				drops[i] = server.AddMaildrop(user, "pw", pop3test.Message{Content: []byte(wire(letter(i, 3000)))},
					pop3test.Message{Content: []byte(wire(letter(1000+i, 2_000_000)))})
				fmt.Fprintf(&list, "%s,%s,pw\n", user, user)
			}
			j := newJob(t, `
job "test" {
  accounts { csv = "accounts.csv" }
  source "pop3" {
    server = "@SERVER@"
    tls    = "none"
    allow_cleartext = true
  }
  sink "mbox" "archive" { dir = "archive" }
  sink "maildir" "copy" { dir = "mail/${account.user}" }
  limits {
    sessions          = 64
    sessions_per_host = 64
    backoff           = "10ms"
    host_pause        = "10ms"
  }
  delete = "verified"
}`, "@SERVER@", server.Addr())
			j.write("accounts.csv", list.String())
			name, err := program()
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command("prlimit", fmt.Sprintf("--nofile=%d:%d", files, files), name, "run", j.file)
			out, _ := c.CombinedOutput()
			output := string(out)
			t.Logf("exit %d:\n%s", c.ProcessState.ExitCode(), tail(output, 1500))
			if c.ProcessState.ExitCode() != 0 && !strings.Contains(output, "ulimit -n") {
				t.Errorf("no remedy is named")
			}
			last := j.run(0)
			if !last.balanced() {
				t.Errorf("%+v", last)
			}
			for i, drop := range drops {
				if len(drop.Contents()) != 0 {
					t.Errorf("maildrop %d: %d left", i, len(drop.Contents()))
				}
				want := tally{wire(letter(i, 3000)): 1, wire(letter(1000+i, 2_000_000)): 1}
				want.compare(t, "archive", fromArchive(t, fmt.Sprintf("%s/archive/user%02d", j.dir, i)))
				want.compare(t, "maildir", fromMaildir(t, fmt.Sprintf("%s/mail/user%02d", j.dir, i)))
			}
		})
	}
}

func tail(text string, octets int) string { return text[max(0, len(text)-octets):] }

// A message of 100 MB and more in 200 MiB of memory.
func TestLargeMessageInLittleMemory(t *testing.T) {
	notShort(t)
	server, err := pop3test.Start(pop3test.Config{NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	large := []byte("Subject: large\r\n\r\n" + strings.Repeat("0123456789 abcdefghijklmnopqrstuvwxyz\r\n", 100<<20/38))
	long := []byte("Subject: one line\r\n\r\n" + strings.Repeat("0123456789abcdef", 100<<20/16) + "\r\n")
	drop := server.AddMaildrop("alice", "pw-alice", pop3test.Message{Content: large}, pop3test.Message{Content: long})
	j := newJob(t, strings.NewReplacer("@SERVER@", server.Addr(), "@LIMITS@", "", "@DELETE@", "verified").Replace(trialJob))
	c := j.command("run", "--quiet")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	peak, err := peakMemory(c.Process.Pid, ended)
	if err != nil || peak>>10 > 200 {
		t.Errorf("%v; peak memory %d MiB, want less than 200", err, peak>>10)
	}
	t.Logf("peak memory %d MiB", peak>>10)
	if left := len(drop.Contents()); left != 0 {
		t.Errorf("%d left", left)
	}
	if out, err := j.command("verify").CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

//go:build linux

package endtoend

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
)

// Two hundred maildrops over 64 sessions: complete, one session per maildrop,
// and memory that does not grow with them.
func TestTwoHundredMaildrops(t *testing.T) {
	notShort(t)
	const maildrops, letters = 200, 100
	server, err := pop3test.Start(pop3test.Config{NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	var list strings.Builder
	list.WriteString("name,user,password,customer\n")
	drops := make([]*pop3test.Maildrop, maildrops)
	for i := range drops {
		user := fmt.Sprintf("user%03d", i)
		messages := make([]pop3test.Message, letters)
		for k := range messages {
			messages[k].Content = []byte(wire(letter(i*letters+k, 5000)))
		}
		drops[i] = server.AddMaildrop(user, "pw-"+user, messages...)
		fmt.Fprintf(&list, "%s,%s,pw-%s,C%d\n", user, user, user, i)
	}
	j := newJob(t, `
job "test" {
  accounts { csv = "accounts.csv" }
  source "pop3" {
    server = "@SERVER@"
    tls = "none"
    allow_cleartext = true
  }
  sink "mbox" "archive" { dir = "archive" }
  limits {
    sessions          = 64
    sessions_per_host = 64
  }
  delete = "verified"
}`, "@SERVER@", server.Addr())
	j.write("accounts.csv", list.String())
	c := j.command("run")
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	peak, err := peakMemory(c.Process.Pid, ended)
	if err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	for i, drop := range drops {
		if left := len(drop.Contents()); left != 0 {
			t.Errorf("maildrop %d: %d left", i, left)
		}
		if most := drop.Stats().MaxSessions; most > 1 {
			t.Errorf("maildrop %d: %d sessions at once", i, most)
		}
	}
	t.Logf("%d maildrops of %d × 5 KB, at most %d sessions at once: peak memory %d MiB\n%s",
		maildrops, letters, server.Stats().MaxOpen, peak>>10, output.String())
	if peak == 0 || peak>>10 > 200 {
		t.Errorf("peak memory %d MiB, want less than 200", peak>>10)
	}
}

// peakMemory returns the most memory that a process ever had, in KiB, as the
// system last said before it ended. (What the system says afterwards counts
// the memory of the parent, too.)
func peakMemory(pid int, ended <-chan error) (kib int64, err error) {
	ask := time.NewTicker(10 * time.Millisecond)
	defer ask.Stop()
	for {
		select {
		case err := <-ended:
			return kib, err
		case <-ask.C:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
				fmt.Sscan(rest, &kib)
			}
		}
	}
}

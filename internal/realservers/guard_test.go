package realservers

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// helper is set in a process of the test's own that is to be killed.
const helper = "POPMIGRATE_TEST_START_AND_WAIT"

// What a killed test started is ended, and what it wrote is removed.
func TestKilledTestLeavesNothingBehind(t *testing.T) {
	for _, name := range []string{"dovecot", "postfix"} {
		t.Run(name, func(t *testing.T) {
			need(t, name)
			c := exec.Command(os.Args[0], "-test.run=^TestStartAndWait$", "-test.v")
			c.Env = append(os.Environ(), helper+"="+name)
			stdin, err1 := c.StdinPipe()
			stdout, err2 := c.StdoutPipe()
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			defer stdin.Close()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var addr, dir string
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				if _, words, ok := strings.Cut(lines.Text(), "started "); ok {
					addr, dir, _ = strings.Cut(words, " ")
					break
				}
			}
			c.Process.Kill()
			c.Wait()
			if addr == "" {
				t.Fatal("the helper started nothing")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := Until(ctx, func() bool {
				conn, err := net.Dial("tcp", addr)
				if err == nil {
					conn.Close()
				}
				_, gone := os.Stat(dir)
				return err != nil && os.IsNotExist(gone)
			}); err != nil {
				_, stat := os.Stat(dir)
				t.Errorf("%s listens, or its directory is there (%v)", addr, stat)
			}
			if left := processesIn(dir); len(left) > 0 {
				t.Errorf("processes left: %q", left)
			}
		})
	}
}

// processesIn returns the command lines that mention a directory.
func processesIn(dir string) (left []string) {
	processes, _ := os.ReadDir("/proc")
	for _, p := range processes {
		words, _ := os.ReadFile("/proc/" + p.Name() + "/cmdline")
		if strings.Contains(string(words), dir) {
			left = append(left, strings.ReplaceAll(string(words), "\x00", " "))
		}
	}
	return left
}

// TestStartAndWait is the process that the test above kills.
func TestStartAndWait(t *testing.T) {
	switch os.Getenv(helper) {
	case "":
		return // not the helper
	case "dovecot":
		d := StartDovecot(t, "alice")
		os.Stdout.WriteString("started " + d.Addr + " " + d.dir + "\n")
	case "postfix":
		p := StartPostfix(t)
		os.Stdout.WriteString("started " + p.Addr + " " + p.dir + "\n")
	}
	os.Stdin.Read(make([]byte, 1)) // until killed, or until the parent is
}

// A restarted Dovecot serves the same mail at the same address.
func TestRestart(t *testing.T) {
	d := StartDovecot(t, "alice")
	d.Seed("alice", "1700000000.one.test", []byte("Subject: one\n\nbody\n"))
	before := d.server
	d.Restart()
	select {
	case <-before.ended:
	default:
		t.Error("the first server has not ended")
	}
	conn, err := net.Dial("tcp", d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if left := d.Left("alice"); len(left) != 1 {
		t.Errorf("%d messages left", len(left))
	}
}

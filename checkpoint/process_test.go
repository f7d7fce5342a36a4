package checkpoint_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
)

// childEnv tells the test binary to be a run: it opens the ledger in the named
// folder and commits until it is killed.
const childEnv = "CHECKPOINT_TEST_RUN"

// perCommit is how many messages the child puts in one commit.
const perCommit = 7

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child commits from several sessions and prints, after each commit, the
// session and the number of its messages that were acknowledged.
func child(dir string) error {
	ctx := context.Background()
	s, err := checkpoint.OpenSQLite(ctx, dir, nil)
	if err != nil {
		return err
	}
	fmt.Println("open")
	ended := make(chan error)
	for n := range sessions {
		go func() { ended <- session(ctx, s, n) }()
	}
	return <-ended
}

const sessions = 4

func session(ctx context.Context, s *checkpoint.SQLite, n int) error {
	m, err := s.Load(ctx, checkpointtest.Key(fmt.Sprint(n)))
	if err != nil {
		return err
	}
	for last := int64(0); ; last += perCommit {
		var changes []checkpoint.Change
		for i := last + 1; i <= last+perCommit; i++ {
			changes = append(changes, checkpoint.PutMessage{Maildrop: m.ID, Message: checkpointtest.Message(i)},
				checkpoint.PutCopy{Maildrop: m.ID, Ordinal: i, Copy: checkpointtest.Copy("archive")})
		}
		changes = append(changes, checkpoint.AddCustody{Entry: checkpoint.CustodyEntry{Maildrop: m.ID, Kind: "closed"}})
		if err := s.Commit(ctx, changes...); err != nil {
			return err
		}
		fmt.Println(n, last+perCommit) // one write: lines of several sessions do not mix
	}
}

// startChild returns when the child has the ledger open.
func startChild(t *testing.T, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), childEnv+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("child said %q", lines.Text())
	}
	return c, lines
}

// TestKill kills a run in mid-write, again and again, and looks each time
// whether the ledger has every acknowledged commit and no half of one.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		dir := fmt.Sprint(dir, "/", round)
		c, lines := startChild(t, dir)
		for range 40 + 25*round {
			if !lines.Scan() {
				t.Fatal("the child ended by itself")
			}
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		acknowledged := map[string]int64{}
		for more := true; more; more = lines.Scan() { // what the pipe still holds was acknowledged too
			name, count, ok := strings.Cut(lines.Text(), " ")
			n, err := strconv.ParseInt(count, 10, 64)
			if !ok || err != nil {
				t.Fatalf("line %q", lines.Text())
			}
			acknowledged[name] = n
		}
		checkKilled(t, dir, acknowledged)
	}
}

func checkKilled(t *testing.T, dir string, acknowledged map[string]int64) {
	t.Helper()
	s := open(t, dir) // the lock went with the process
	defer s.Close()
	commits := 0
	for name, n := range acknowledged {
		m, err := s.Load(t.Context(), checkpointtest.Key(name))
		if err != nil {
			t.Fatal(err)
		}
		if got := int64(len(m.Messages)); got < n || got%perCommit != 0 {
			t.Errorf("session %s: %d messages, %d acknowledged", name, got, n)
		}
		for _, message := range m.Messages {
			if len(message.Copies) != 1 {
				t.Errorf("session %s: message %d has %d copies", name, message.Ordinal, len(message.Copies))
			}
		}
		commits += len(m.Messages) / perCommit
	}
	entries := 0
	for _, err := range s.Custody(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		entries++
	}
	if entries < commits {
		t.Errorf("%d custody entries of %d commits", entries, commits)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	c, _ := startChild(t, dir)
	_, err := checkpoint.OpenSQLite(t.Context(), dir, nil)
	if !errors.Is(err, checkpoint.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d on ", c.Process.Pid)) {
		t.Errorf("beside a run: %v", err)
	}
	looker, err := checkpoint.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatalf("reading beside a run: %v", err)
	}
	if _, err := looker.Status(t.Context()); err != nil {
		t.Errorf("reading beside a run: %v", err)
	}
	if err := looker.Close(); err != nil {
		t.Error(err)
	}
	c.Process.Kill()
	c.Wait()
	s := open(t, dir)
	if _, err := checkpoint.OpenSQLite(t.Context(), dir, nil); !errors.Is(err, checkpoint.ErrLocked) ||
		!strings.Contains(err.Error(), fmt.Sprintf("process %d on ", os.Getpid())) {
		t.Errorf("twice in a process: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir).Close()
}

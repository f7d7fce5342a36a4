//go:build linux

package endtoend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// program builds popmigrate once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "popmigrate-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "popmigrate")
	if out, err := exec.Command("go", "build", "-o", name, "popmigrate/cmd/popmigrate").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if name, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(code)
}

// job is a job file in a directory of its own.
type job struct {
	t    *testing.T
	dir  string
	file string
}

// newJob writes a job file; @…@ words are replaced in pairs.
func newJob(t *testing.T, text string, replace ...string) *job {
	t.Helper()
	j := &job{t: t, dir: t.TempDir()}
	j.file = filepath.Join(j.dir, "job.hcl")
	j.write("job.hcl", strings.NewReplacer(replace...).Replace(text))
	return j
}

func (j *job) write(name, text string) {
	j.t.Helper()
	if err := os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o600); err != nil {
		j.t.Fatal(err)
	}
}

// command prepares the program with the job file as its argument.
func (j *job) command(words ...string) *exec.Cmd {
	j.t.Helper()
	name, err := program()
	if err != nil {
		j.t.Fatal(err)
	}
	c := exec.Command(name, append(words, j.file)...)
	c.Dir = j.dir
	return c
}

// summary is what the tests look at in run's last JSON line.
type summary struct {
	Type     string           `json:"message_type"`
	Exit     int              `json:"exit"`
	Listed   int64            `json:"listed"`
	Stored   int64            `json:"stored"`
	Known    int64            `json:"known"`
	Skipped  int64            `json:"skipped"`
	Failed   int64            `json:"failed"`
	Reasons  map[string]int64 `json:"reasons"`
	Verified int64            `json:"verified"`
	Accepted int64            `json:"accepted"`
	Marked   int64            `json:"marked"`
	Gone     int64            `json:"gone"`
	Seconds  float64          `json:"seconds"`
}

// balanced tells whether the completeness equation holds.
func (s *summary) balanced() bool { return s.Listed == s.Stored+s.Known+s.Skipped+s.Failed }

// run runs the job to its end and wants the exit code.
func (j *job) run(exit int, words ...string) summary {
	j.t.Helper()
	last, got, output := j.attempt(words...)
	if got != exit {
		j.t.Fatalf("exit %d, want %d\n%s", got, exit, output)
	}
	return last
}

// attempt runs the job to its end, whatever that is; output is all it printed.
func (j *job) attempt(words ...string) (last summary, exit int, output string) {
	j.t.Helper()
	c := j.command(append([]string{"run", "--json"}, words...)...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		j.t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(stdout.String()), "\n") {
		var s summary
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			j.t.Fatalf("not JSON: %q\n%s", line, stderr.String())
		}
		if s.Type == "summary" {
			last = s
		}
	}
	return last, c.ProcessState.ExitCode(), stdout.String() + "\n" + stderr.String()
}

// notShort skips a test in short mode: the program runs as a process of its
// own, so that the race detector would see nothing of it.
func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("not in short mode")
	}
}

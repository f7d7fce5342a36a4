//go:build linux

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program builds popmigrate once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bench-")
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

// cost is what a run took.
type cost struct {
	wall   time.Duration
	cpu    time.Duration // of all its threads, 0 where unknown
	memory int64         // octets, the most that were resident; 0 where unknown
}

// job is what the program is to do.
type job struct {
	source   string   // the attributes of the source
	accounts []string // users; each has the password "pw-" and the name
	sink     string   // the sink block
	limits   string   // the attributes of limits
}

// write writes the job file into a new directory and returns its name.
func (j *job) write(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench-job-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var list strings.Builder
	list.WriteString("name,user,password\n")
	for _, user := range j.accounts {
		fmt.Fprintf(&list, "%s,%s,pw-%s\n", user, user, user)
	}
	text := fmt.Sprintf("job \"bench\" {\n accounts { csv = \"accounts.csv\" }\n source \"pop3\" {\n %s\n }\n %s\n limits {\n %s\n }\n}\n",
		j.source, j.sink, j.limits)
	for name, content := range map[string]string{"job.hcl": text, "accounts.csv": list.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "job.hcl")
}

// run runs a job file to its end; want is what the last lines must hold.
func run(t testing.TB, file, want string) cost {
	t.Helper()
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(name, "run", filepath.Base(file), "--json")
	command.Dir = filepath.Dir(file)
	output, spent, err := timed(command)
	if err != nil || !strings.Contains(output, want) {
		t.Fatalf("%v: %v, want %s\n%s", command, err, want, output[max(0, len(output)-2000):])
	}
	return spent
}

// timed runs a command to its end and returns what it printed.
func timed(command *exec.Cmd) (string, cost, error) {
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	begin := time.Now()
	err := command.Run()
	spent := cost{wall: time.Since(begin)}
	if state := command.ProcessState; state != nil {
		spent.cpu = state.UserTime() + state.SystemTime()
		if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
			spent.memory = usage.Maxrss << 10
		}
	}
	return output.String(), spent, err
}

// The sinks that goals are about.
const (
	mboxZstd  = `sink "mbox" "archive" { dir = "archive" }`
	mboxPlain = "sink \"mbox\" \"archive\" {\n dir = \"archive\"\n compression = \"none\"\n }"
	maildir   = `sink "maildir" "copy" { dir = "mail/${account.user}" }`
)

// clear are the source's attributes for a server without TLS.
func clear(addr string) string {
	return fmt.Sprintf("server = %q\n tls = \"none\"\n allow_cleartext = true", addr)
}

//go:build linux

package endtoend

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
)

// jumpingProgram builds the program with a clock that goes back a day, 300 ms
// after each start: the one change that is needed is laid over package time.
func jumpingProgram(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(must(t, "go", "env", "GOROOT"), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const now = "\tsec, nsec, mono := runtimeNow()\n"
	parts := strings.SplitN(string(text), "func Now() Time {\n"+now, 2)
	if len(parts) != 2 {
		t.Skip("this Go reads its clock in another way")
	}
	patched := parts[0] + "func Now() Time {\n" + now + "\tif mono-startNano > 300e6 {\n\t\tsec -= 24 * 60 * 60\n\t}\n" + parts[1]
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: filepath.Join(dir, "time.go")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"time.go": patched, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "popmigrate")
	must(t, "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", name, "popmigrate/cmd/popmigrate")
	return name
}

// The clock is put back by a day in the middle of runs: nothing waits for a
// day, nothing is lost, twice or taken for older than it is.
func TestClockGoesBack(t *testing.T) {
	notShort(t)
	if os.Getenv("POPMIGRATE_KILLS") == "" {
		t.Skip("only with POPMIGRATE_KILLS set: the whole program is compiled anew")
	}
	name := jumpingProgram(t)
	r := newTrial(t, 300, 2000)
	r.change("@LIMITS@", "slice_time = \"1s\"\n    login_spacing = \"50ms\"")
	r.server.SetRules(
		pop3test.Rule{Command: pop3test.OnLogin, Times: 1, Do: pop3test.Instead("-ERR [SYS/TEMP] wait")}, // a wait of some seconds over the jump
		pop3test.Rule{Command: "RETR", Message: 100, Times: 1, Do: pop3test.Until(time.After(2 * time.Second))})
	for round := range 3 {
		began := time.Now()
		c := exec.Command(name, "run", "--json", r.file)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, brief(string(out)))
		}
		t.Logf("run %d: %v", round+1, time.Since(began).Round(time.Millisecond))
		r.complete()
		r.arrive(50, 2000)
	}
	runs, err := os.ReadDir(r.path("test.popmigrate", "runs"))
	if err != nil || len(runs) != 3 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
	r.completes()
}

package realservers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// inetd builds the listener for servers that take a connection on their
// standard input, once for all tests, and returns its path. The built program
// may be used by any user.
func inetd(t testing.TB, dir string) string {
	t.Helper()
	content, err := builtInetd()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "inetd")
	if err := os.WriteFile(name, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

var builtInetd = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "inetd-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "inetd")
	if out, err := exec.Command("go", "build", "-o", name, "popmigrate/internal/realservers/inetd").CombinedOutput(); err != nil {
		return nil, errors.Join(err, fmt.Errorf("build inetd: %s", out))
	}
	return os.ReadFile(name)
})

//go:build linux

package endtoend

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"popmigrate/pop3/pop3test"
)

// Everything that a run leaves is its owner's alone, whatever the umask: mail,
// ledger, what SQLite puts beside it, reports, what was torn, the spool.
func TestEverythingIsPrivate(t *testing.T) {
	notShort(t)
	for _, umask := range []string{"000", "022", "077"} {
		t.Run(umask, func(t *testing.T) {
			r := newTrial(t, 50, 2000)
			r.drop.Deliver(pop3test.Message{Content: []byte("Subject: raw\r\n\r\na\nb\r\n")},
				pop3test.Message{Content: []byte("Subject: large\r\n\r\n" + strings.Repeat("0123456789\r\n", 200_000))})
			name, err := program()
			if err != nil {
				t.Fatal(err)
			}
			r.write("umask.sh", "umask "+umask+"; exec \"$@\"\n")
			run := func() *exec.Cmd {
				c := exec.Command("sh", r.path("umask.sh"), name, "run", "--quiet", r.file)
				c.Dir = r.dir
				return c
			}
			// Looked at while a large message is in the spool, with the ledger open;
			// after a kill, with a torn tail; and at the end.
			c := run()
			looked := false
			r.server.SetRules(pop3test.Rule{Command: "QUIT", Do: pop3test.Call(func() { r.private(); looked = true; _ = c.Process.Kill() })})
			if err := c.Run(); err == nil || !looked {
				t.Errorf("not killed at QUIT: %v", err)
			}
			r.private()
			segment := r.path("archive", "alice", "000001.mbox.zst")
			f, err := os.OpenFile(segment, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(f, "torn")
			f.Close()
			r.server.SetRules()
			if out, err := run().CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			torn, _ := filepath.Glob(r.path("test.popmigrate", "torn", "*"))
			if len(torn) != 1 {
				t.Errorf("torn: %v", torn)
			}
			r.private()
		})
	}
}

// private wants mode 0600 of every file and 0700 of every folder that the
// program made.
func (r *trial) private() {
	for _, name := range []string{"archive", "Maildir", "test.popmigrate"} {
		if err := filepath.WalkDir(r.path(name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil // a temporary file, gone by now
			}
			info, err := entry.Info()
			if err != nil {
				return nil
			}
			want := fs.FileMode(0o600)
			if entry.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				r.t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
			}
			return nil
		}); err != nil {
			r.t.Error(err)
		}
	}
}

// A job file or account list with passwords in it that others can read is
// refused, with the command that mends it; a password file earns a warning.
func TestReadableSecrets(t *testing.T) {
	notShort(t)
	v := newVault(t)
	for _, test := range []struct {
		file string
		exit int
	}{{"job.hcl", 1}, {"accounts.csv", 1}, {"secret.txt", 0}, {"cell.txt", 0}} {
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o666} {
			path := filepath.Join(v.dir, test.file)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			output := v.prints(test.exit, v.command("check"))
			if !strings.Contains(strings.Join(strings.Fields(output), " "), "chmod 600 "+path) {
				t.Errorf("%s with mode %v: no remedy:\n%s", test.file, mode, output)
			}
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	v.prints(0, v.command("check"))
}

package realservers

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"testing"
)

// guard is a process that outlives a killed test by a moment, to end the
// server that the test started and to remove what it wrote. It waits for the
// end of a pipe that only the test holds open: however the test ends, the
// system closes it.
type guard struct {
	command *exec.Cmd
	pipe    io.WriteCloser
	once    sync.Once
}

// The first line names the server's process group; a second one says that the
// server was ended in an orderly way. Arguments are the directory to remove
// and the file with the pid of a second group's leader.
const guardScript = `
read -r group || exit 0
read -r word && exit 0
kill -s KILL -- "-$group"
if [ -n "$2" ] && [ -f "$2" ]; then kill -s KILL -- "-$(tr -d ' \n' <"$2")"; fi
rm -rf -- "$1"
`

func newGuard(t testing.TB, dir, pidFile string) *guard {
	t.Helper()
	g := &guard{command: exec.Command("sh", "-c", guardScript, "guard", dir, pidFile)}
	ownGroup(g.command) // what ends the test's own group must not end the guard
	var err error
	if g.pipe, err = g.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := g.command.Start(); err != nil {
		t.Fatal(err)
	}
	return g
}

// watch names the process group to end.
func (g *guard) watch(group int) { fmt.Fprintln(g.pipe, group) }

// dismiss ends the guard, which then does nothing.
func (g *guard) dismiss() {
	g.once.Do(func() {
		fmt.Fprintln(g.pipe, "done")
		g.pipe.Close()
		g.command.Wait()
	})
}

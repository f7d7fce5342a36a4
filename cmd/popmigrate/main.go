// Command popmigrate moves mail off POP3 servers into verified archives.
//
// The files named <verb>_cmd.go are its commands: what they take and the order
// of what they do. How a run looks to a person (text.go, final.go) and to a
// program (json.go) stands apart from both, and exit.go has the exit codes.
package main

import (
	"context"
	"os"
	"runtime/debug"
)

// collectAt is how much the heap may grow, in per cent of what is in use,
// before it is collected. Mail passes through buffers that are used again, so
// that little is thrown away: collecting early costs hardly any time and keeps
// the peak near what is in use. GOGC overrides it.
const collectAt = 25

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	os.Exit(execute(context.Background(), os.Args[1:], system()))
}

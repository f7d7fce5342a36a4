// Command popmigrate moves mail off POP3 servers into verified archives.
//
// The files named <verb>_cmd.go are its commands: what they take and the order
// of what they do. How a run looks to a person (text.go, final.go) and to a
// program (json.go) stands apart from both, and exit.go has the exit codes.
package main

import (
	"context"
	"os"
)

func main() {
	tuneHeap()
	os.Exit(execute(context.Background(), os.Args[1:], system()))
}

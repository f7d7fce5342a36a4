//go:build linux

package endtoend

import (
	"path/filepath"
	"testing"

	"popmigrate/internal/realservers"
)

// Cyrus sends a message whose file ends in a bare LF without a CRLF before the
// termination line, so that there is none. The message is reported, the
// session does not hang, and the mail around it is copied.
func TestCyrusMessageWithoutEnd(t *testing.T) {
	notShort(t)
	cyrus := realservers.StartCyrus(t, "alice")
	cyrus.Store(t, "alice", []byte(wire(letter(1, 300))), []byte("Subject: no end\r\n\r\nlast line\n"), []byte(wire(letter(2, 300))), []byte(wire(letter(3, 300))))
	job := `
job "test" {
  account "alice" { password = "@PASSWORD@" }
  source "pop3" {
    @SOURCE@
    timeouts {
      data = "1s"
    }
  }
  sink "mbox" "archive" { dir = "archive" }
  limits { backoff = "200ms" }
  delete = "@DELETE@"
}
`
	_, source := sources(cyrus.POP3)
	for _, mode := range []string{"none", "implicit"} {
		t.Run(mode, func(t *testing.T) {
			text := source[mode]
			j := newJob(t, job, "@PASSWORD@", realservers.Password("alice"), "@SOURCE@", text, "@DELETE@", "never")
			got := j.run(3)
			if got.Listed != 4 || got.Stored != 3 || got.Failed != 1 || !got.balanced() {
				t.Errorf("%+v", got)
			}
			archive := fromArchive(t, filepath.Join(j.dir, "archive", "alice"))
			tally{wire(letter(1, 300)): 1, wire(letter(2, 300)): 1, wire(letter(3, 300)): 1}.compare(t, "archive", archive)
			if got := j.run(3); got.Known != 3 || got.Failed != 1 {
				t.Errorf("second run: %+v", got)
			}
		})
	}
	t.Run("deleting", func(t *testing.T) {
		j := newJob(t, job, "@PASSWORD@", realservers.Password("alice"), "@SOURCE@", source["none"], "@DELETE@", "verified")
		if got := j.run(3); got.Stored != 3 || got.Gone != 3 {
			t.Errorf("%+v", got)
		}
		if got := j.run(7); got.Listed != 1 || got.Failed != 1 {
			t.Errorf("afterwards, with the message without an end alone: %+v", got)
		}
	})
}

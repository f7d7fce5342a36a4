package personalities

import (
	"fmt"
	"testing"
	"time"

	"popmigrate/migrate"
	"popmigrate/pop3/pop3test"
)

// TestSegments runs the job while everything arrives in segments of few octets,
// with a pause before each, as on a slow line; and in large ones.
func TestSegments(t *testing.T) {
	sizes := []int{1, 2, 7, 1460, 65536}
	for i, p := range pop3test.Personalities() {
		t.Run(p.Key, func(t *testing.T) {
			t.Parallel()
			for k, size := range sizes {
				if testing.Short() && k != i%len(sizes) {
					continue
				}
				t.Run(fmt.Sprint(size), func(t *testing.T) {
					trial(t, p, func(w *world) {
						w.segment, w.pause = size, time.Millisecond
						w.finish(migrate.DeleteNever)
					})
				})
			}
		})
	}
}

// TestSlowSinks runs the job with sinks that take longer for each group of
// messages than the server lets a client be silent: the session must live on.
func TestSlowSinks(t *testing.T) {
	for _, p := range pop3test.Personalities() {
		if p.Config.IdleTime == 0 {
			continue
		}
		t.Run(p.Key, func(t *testing.T) {
			trial(t, p, func(w *world) {
				w.slow = p.Config.IdleTime + time.Minute
				r := w.live(run{policy: migrate.DeleteNever})
				if r.Counts.Failed != int64(len(w.expect().failed)) {
					w.violate("%s", words(r))
				}
				if len(w.expect().failed) > 0 {
					return
				}
				if commands := w.server.Commands(w.user); commands[len(commands)-1] != "QUIT" {
					w.violate("the server did not wait for QUIT but for %q", commands[len(commands)-1])
				}
				most := 1
				if p.Octets != nil {
					most = 2 // the message with a status line in it is fetched by itself
				}
				if sessions := w.drop.Stats().Logins; sessions > most {
					w.violate("%d sessions, want %d: %s", sessions, most, words(r))
				}
			})
		})
	}
}

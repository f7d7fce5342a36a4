package sinks_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/sinks"
	"popmigrate/sinks/sinktest"
)

func TestMaildirSuite(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		dir := filepath.Join(t.TempDir(), "mail", "Maildir")
		cfg := sinks.MaildirConfig{FS: durable.OS{}, Dir: dir}
		return sinktest.Harness{
			Open: func(o sinks.Opening) (sinks.Sink, error) {
				return sinks.OpenMaildir(context.Background(), cfg, o)
			},
			Read:    func() (sinks.Reader, error) { return sinks.OpenMaildirReader(cfg) },
			Count:   func() (int, error) { return countMaildir(dir) },
			Destroy: func() error { return os.RemoveAll(dir) },
		}
	})
}

// countMaildir counts files as mail programs do, and leaves nothing in tmp uncounted.
func countMaildir(dir string) (int, error) {
	n := 0
	for _, folder := range []string{"new", "cur", "tmp"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			return 0, err
		}
		n += len(entries)
	}
	return n, nil
}

package sinks_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/sinks"
	"popmigrate/sinks/sinktest"
)

func TestMaildirPowerCuts(t *testing.T) {
	sinktest.RunPowerCuts(t, func(fsys durable.FS) sinktest.Harness {
		cfg := sinks.MaildirConfig{FS: fsys, Dir: "/mail/alice/Maildir"}
		return sinktest.Harness{
			Open: func(o sinks.Opening) (sinks.Sink, error) {
				return sinks.OpenMaildir(context.Background(), cfg, o)
			},
			Read: func() (sinks.Reader, error) { return sinks.OpenMaildirReader(cfg) },
			Count: func() (n int, err error) {
				for _, folder := range []string{"/new", "/cur", "/tmp"} {
					entries, err := durable.ReadDir(fsys, cfg.Dir+folder)
					if err != nil {
						return 0, err
					}
					n += len(entries)
				}
				return n, nil
			},
		}
	})
}

func TestMboxPowerCuts(t *testing.T) {
	codecs := sinks.NewCodecs()
	sinktest.RunPowerCuts(t, func(fsys durable.FS) sinktest.Harness {
		cfg := sinks.MboxConfig{FS: fsys, Dir: "/archive/alice", Codecs: codecs, Compression: sinks.Uncompressed, SegmentOctets: 1000}
		return sinktest.Harness{
			Open: func(o sinks.Opening) (sinks.Sink, error) { return sinks.OpenMbox(context.Background(), cfg, o) },
			Read: func() (sinks.Reader, error) { return sinks.OpenMboxReader(cfg) },
			Count: func() (n int, err error) {
				entries, err := durable.ReadDir(fsys, cfg.Dir)
				if err != nil {
					return 0, err
				}
				for _, e := range entries {
					if !strings.HasSuffix(e.Name(), ".mbox") {
						continue
					}
					content, err := durable.ReadFile(fsys, cfg.Dir+"/"+e.Name(), 1<<20)
					if err != nil {
						return 0, err
					}
					n += bytes.Count(append([]byte("\n"), content...), []byte("\nFrom "))
				}
				return n, nil
			},
		}
	})
}

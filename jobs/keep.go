package jobs

import (
	"context"

	"popmigrate/internal/durable"
	"popmigrate/migrate"
	"popmigrate/sinks"
)

// mboxSink reads an mbox block. Without a template in dir each maildrop has a
// folder of its own name in it.
func (l *loader) mboxSink(sk *sink, s *section, list *list) {
	sk.directory(s, list)
	sk.perName = sk.dir != nil && !sk.dir.varies
	config := sinks.MboxConfig{
		FS:            durable.OS{},
		Codecs:        l.codecs,
		Compression:   word(s, "compression", codecWords),
		SegmentOctets: s.octets("segment", 1<<20, 1<<30),
	}
	sk.detail("compression", "%s", config.Compression)
	sk.detail("segment", "%s", formatOctets(config.SegmentOctets))
	sk.spec = func(dir string) migrate.SinkSpec {
		config := config
		config.Dir = dir
		return migrate.SinkSpec{
			Open:     func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) { return sinks.OpenMbox(ctx, config, o) },
			OpenRead: func(context.Context) (sinks.Reader, error) { return sinks.OpenMboxReader(config) },
			Verify:   func(ctx context.Context, c sinks.Check) error { return sinks.VerifyMbox(ctx, config, c) },
			Mend:     func(ctx context.Context, m sinks.Mending) error { return sinks.MendMbox(ctx, config, m) },
			Salvage: func(_ context.Context, quarantine, maildrop string) (*sinks.Salvage, error) {
				return sinks.OpenMboxSalvage(config, quarantine, maildrop)
			},
		}
	}
}

// maildirSink reads a maildir block: dir itself becomes the Maildir.
func (l *loader) maildirSink(sk *sink, s *section, list *list) {
	sk.directory(s, list)
	sk.spec = func(dir string) migrate.SinkSpec {
		config := sinks.MaildirConfig{FS: durable.OS{}, Dir: dir}
		return migrate.SinkSpec{
			Open: func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) {
				return sinks.OpenMaildir(ctx, config, o)
			},
			OpenRead: func(context.Context) (sinks.Reader, error) { return sinks.OpenMaildirReader(config) },
			Verify:   func(ctx context.Context, c sinks.Check) error { return sinks.VerifyMaildir(ctx, config, c) },
			Mend:     func(ctx context.Context, m sinks.Mending) error { return sinks.MendMaildir(ctx, config, m) },
			Salvage: func(_ context.Context, quarantine, maildrop string) (*sinks.Salvage, error) {
				return sinks.OpenMaildirSalvage(config, quarantine, maildrop)
			},
		}
	}
}

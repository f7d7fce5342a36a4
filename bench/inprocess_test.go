package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/internal/durable"
	"popmigrate/internal/spool"
	"popmigrate/migrate"
	"popmigrate/pop3"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// BenchmarkRun is a whole run over one maildrop, with the engine and the
// server in this process, for profiles: -cpuprofile and -memprofile show both.
// An operation is one message.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		name   string
		octets int
		sink   func(dir string, codecs *sinks.Codecs) migrate.SinkSpec
	}{
		{"5K/mbox.zst", 5000, mboxSpec(sinks.Zstd)},
		{"5K/mbox", 5000, mboxSpec(sinks.Uncompressed)},
		{"5K/maildir", 5000, maildirSpec},
		{"5M/mbox.zst", 5_000_000, mboxSpec(sinks.Zstd)},
		{"5M/mbox", 5_000_000, mboxSpec(sinks.Uncompressed)},
	} {
		b.Run(c.name, func(b *testing.B) {
			server, err := pop3test.Start(pop3test.Config{NoLog: true})
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			messages := make([]pop3test.Message, b.N)
			some := make([][]byte, min(b.N, 500))
			for i := range some {
				some[i] = letter(i, c.octets)
			}
			for i := range messages {
				messages[i].Content = some[i%len(some)]
				if i >= len(some) {
					messages[i].Content = append(fmt.Appendf(nil, "X-Number: %d\r\n", i), some[i%len(some)]...)
				}
			}
			server.AddMaildrop("alice", "secret", messages...)
			codecs := sinks.NewCodecs()
			job, env := assemble(b, server.Addr(), c.sink(b.TempDir(), codecs))
			b.SetBytes(int64(c.octets))
			b.ReportAllocs()
			b.ResetTimer()
			report, err := migrate.Run(b.Context(), job, env)
			b.StopTimer()
			if err != nil || report.Accounts[0].Counts.Stored != int64(b.N) {
				b.Fatalf("%v, %+v", err, report)
			}
		})
	}
}

func assemble(b *testing.B, addr string, sink migrate.SinkSpec) (*migrate.Job, *migrate.Env) {
	b.Helper()
	dir := b.TempDir()
	ledger, err := checkpoint.OpenSQLite(b.Context(), dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ledger.Close() })
	room, err := spool.Open(filepath.Join(dir, "spool"), 64<<20)
	if err != nil {
		b.Fatal(err)
	}
	source := &migrate.POP3Source{Server: addr, TLS: migrate.TLSNone, Pipelining: pop3.PipelineAuto, Policy: auth.Policy{Cleartext: true},
		Login: auth.Credentials{User: "alice", Password: func(context.Context) (string, error) { return "secret", nil }}}
	job := &migrate.Job{Name: "bench", Accounts: []migrate.Account{{Name: "alice", User: "alice", Connector: source,
		Server: addr, Host: "127.0.0.1", Sinks: []migrate.SinkSpec{sink}}}}
	return job, &migrate.Env{Ledger: ledger, Spool: room, RunID: "bench", TornDir: filepath.Join(dir, "torn")}
}

func mboxSpec(compression sinks.Compression) func(string, *sinks.Codecs) migrate.SinkSpec {
	return func(dir string, codecs *sinks.Codecs) migrate.SinkSpec {
		config := sinks.MboxConfig{FS: durable.OS{}, Dir: dir, Codecs: codecs, Compression: compression}
		return migrate.SinkSpec{Name: "archive", Kind: "mbox",
			Open: func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) { return sinks.OpenMbox(ctx, config, o) }}
	}
}

func maildirSpec(dir string, _ *sinks.Codecs) migrate.SinkSpec {
	config := sinks.MaildirConfig{FS: durable.OS{}, Dir: filepath.Join(dir, "Maildir")}
	return migrate.SinkSpec{Name: "copy", Kind: "maildir",
		Open: func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) {
			return sinks.OpenMaildir(ctx, config, o)
		}}
}

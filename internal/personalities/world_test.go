package personalities

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/internal/profiles"
	"popmigrate/internal/spool"
	"popmigrate/internal/sqlitevfs"
	"popmigrate/migrate"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// Where things lie on the world's file system.
const (
	stateDir   = "/job/state"
	archiveDir = "/job/archive/alice"
	maildirDir = "/job/Maildir"
)

// spoolRoot is shared: small messages never reach the spool's files.
var spoolRoot string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "personalities")
	if err != nil {
		panic(err)
	}
	spoolRoot = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// world is an impersonated server with one maildrop, and the disk of the
// program that empties it.
type world struct {
	t           *testing.T
	personality pop3test.Personality
	user        string
	server      *pop3test.Server
	drop        *pop3test.Maildrop
	fs          *durabletest.FS
	codecs      *sinks.Codecs
	segment     int           // octets that one read from the wire gets
	pause       time.Duration // before each segment
	slow        time.Duration // what a sink takes for a group of messages
	truth       truth
	strict      bool // each rule must strike in the first run that has it

	mu         sync.Mutex
	received   int64 // octets from the server in the first connection
	violations []string
}

// newWorld returns a world with mail in the maildrop. It must be made and ended
// in one synctest bubble.
func newWorld(t *testing.T, p pop3test.Personality) *world {
	w := &world{t: t, personality: p, user: cmp.Or(p.User, "alice"), fs: durabletest.New(), codecs: sinks.NewCodecs()}
	w.server = pop3test.NewServer(p.ServerConfig())
	w.drop = w.server.AddMaildrop(w.user, "secret", p.Own...)
	w.drop.SetListener(w.truth.served)
	w.drop.SetWitness(w.expunging)
	w.truth.init()
	for _, content := range mail() {
		w.drop.Deliver(pop3test.Message{Content: content})
	}
	if err := durable.MkdirAll(w.fs, "/job"); err != nil {
		t.Fatal(err)
	}
	return w
}

// violate notes that a promise was broken.
func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// run is one run of the job.
type run struct {
	policy   migrate.DeletePolicy
	rules    []pop3test.Rule
	cut      int64 // octets after which the first connection is cut; 0: it is not
	attempts int
}

// live runs the job once, as one process would, and returns its report.
func (w *world) live(r run) *migrate.AccountReport {
	ctx := context.Background()
	w.drop.SetRules(r.rules...)
	ledger, closeLedger := w.openLedger()
	defer closeLedger()
	room, err := spool.Open(spoolRoot, 64<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	env := migrate.Env{Ledger: ledger, Spool: room, RunID: "run", TornDir: stateDir + "/torn", QuarantineDir: stateDir + "/quarantine"}
	report, err := migrate.Run(ctx, w.job(r), &env)
	if err != nil {
		w.violate("run: %v", err)
	}
	synctest.Wait() // the server notices the end
	account := &report.Accounts[0]
	if c := &account.Counts; !c.Balanced() {
		w.violate("the completeness equation does not hold: %+v", *c)
	}
	if testing.Verbose() {
		w.t.Logf("%v, cut at %d: %s", r.policy, r.cut, words(account))
	}
	return account
}

func words(a *migrate.AccountReport) string {
	return fmt.Sprintf("complete=%v unaudited=%d sessions=%d class=%q %s; %+v; %v", a.Complete, a.Unaudited, a.Attempts, a.Class, a.Reason, a.Counts, a.Failures)
}

func (w *world) job(r run) *migrate.Job {
	connections := 0
	source := &migrate.POP3Source{Server: "memory:110", TLS: migrate.TLSNone, Policy: auth.Policy{Cleartext: true},
		Profiles: profiles.Default(), AllowRetrHides: true,
		Login: auth.Credentials{User: w.user, Password: func(context.Context) (string, error) { return "secret", nil }},
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := connect()
			connections++
			l := &line{end: client, segment: w.segment, pause: w.pause, left: -1}
			if connections == 1 {
				l.count = w.count
				if r.cut > 0 {
					l.left = r.cut
				}
			}
			w.server.Serve(&server)
			return l, nil
		}}
	return &migrate.Job{Name: "job", Delete: r.policy, Limits: migrate.Limits{Attempts: r.attempts},
		Accounts: []migrate.Account{{Name: "alice", User: "alice", Server: "memory:110", Host: "memory", Connector: source, Sinks: w.sinks()}}}
}

func (w *world) count(octets int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.received += int64(octets)
}

func (w *world) sinks() []migrate.SinkSpec {
	mbox := sinks.MboxConfig{FS: w.fs, Dir: archiveDir, Codecs: w.codecs, Compression: sinks.Uncompressed}
	maildir := sinks.MaildirConfig{FS: w.fs, Dir: maildirDir}
	return []migrate.SinkSpec{
		{Name: "archive", Kind: "mbox",
			Open: func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) {
				sink, err := sinks.OpenMbox(ctx, mbox, o)
				return slowed{sink, w.slow}, err
			},
			OpenRead: func(context.Context) (sinks.Reader, error) { return sinks.OpenMboxReader(mbox) }},
		{Name: "copy", Kind: "maildir",
			Open: func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) {
				return sinks.OpenMaildir(ctx, maildir, o)
			},
			OpenRead: func(context.Context) (sinks.Reader, error) { return sinks.OpenMaildirReader(maildir) }},
	}
}

// slowed is a sink that takes its time.
type slowed struct {
	sinks.Sink
	time.Duration
}

func (s slowed) Store(ctx context.Context, group []sinks.Message) ([]sinks.Receipt, error) {
	if s.Duration > 0 {
		<-time.After(s.Duration)
	}
	return s.Sink.Store(ctx, group)
}

// openLedger opens the SQLite ledger on the world's disk.
func (w *world) openLedger() (*checkpoint.SQLite, func()) {
	vfs, unregister, err := sqlitevfs.Register(w.fs)
	if err != nil {
		w.t.Fatal(err)
	}
	ledger, err := checkpoint.OpenSQLite(context.Background(), stateDir, &checkpoint.Options{FS: w.fs, VFS: vfs})
	if err != nil {
		w.t.Fatal(err)
	}
	return ledger, func() {
		ledger.Close()
		if err := unregister(); err != nil {
			w.t.Error(err)
		}
	}
}

// trial makes a world in a bubble of its own time, lets play do with it what
// the test says, and reports what is wrong in the end.
func trial(t *testing.T, p pop3test.Personality, play func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, p)
		defer w.server.Close()
		play(w)
		for _, v := range w.violations {
			t.Error(v)
		}
		if t.Failed() {
			for _, line := range w.server.Commands(w.user) {
				t.Log(line)
			}
		}
	})
}

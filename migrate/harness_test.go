package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/internal/digest"
	"popmigrate/internal/spool"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// bench is a server with one maildrop, a ledger and sinks that outlive runs.
type bench struct {
	t       *testing.T
	server  *pop3test.Server
	drop    *pop3test.Maildrop
	dir     string
	sinks   []*memory
	job     Job
	source  POP3Source
	watch   Observer
	quiesce chan struct{}
	repair  RepairMode
}

func newBench(t *testing.T, config pop3test.Config, messages ...pop3test.Message) *bench {
	t.Helper()
	config.LockWait = 10 * time.Second // a dropped session's lock is gone when its end is noticed
	server, err := pop3test.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	b := &bench{t: t, server: server, dir: t.TempDir()}
	b.drop = server.AddMaildrop("alice", "secret", messages...)
	b.source = POP3Source{Server: server.Addr(), TLS: TLSNone, Policy: auth.Policy{Cleartext: true}, Login: auth.Credentials{User: "alice",
		Password: func(context.Context) (string, error) { return "secret", nil }}}
	b.addSink(newMemory("archive"))
	b.job = Job{Name: "test", Limits: Limits{Backoff: time.Millisecond, AuditPause: time.Millisecond, HostPause: time.Millisecond}}
	return b
}

func (b *bench) addSink(sink *memory) { b.sinks = append(b.sinks, sink) }

// run runs the job once, as one process would, and returns the account's report.
func (b *bench) run() AccountReport {
	b.t.Helper()
	report, err := b.runCtx(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return report.Accounts[0]
}

func (b *bench) runCtx(ctx context.Context) (*Report, error) {
	b.t.Helper()
	ledger, err := checkpoint.OpenSQLite(ctx, b.dir+"/state", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer ledger.Close()
	room, err := spool.Open(b.dir+"/spool", 1<<20)
	if err != nil {
		b.t.Fatal(err)
	}
	job := b.job
	if job.Accounts == nil {
		account := Account{Name: "alice", User: "alice", Connector: &b.source, Server: b.source.Server, Host: "127.0.0.1"}
		for _, sink := range b.sinks {
			account.Sinks = append(account.Sinks, sink.spec())
		}
		job.Accounts = []Account{account}
	}
	return Run(ctx, &job, &Env{Ledger: ledger, Spool: room, Observer: b.watch, RunID: "run", TornDir: b.dir + "/torn", Quiesce: b.quiesce,
		QuarantineDir: b.dir + "/quarantine", Repair: b.repair})
}

// ledger returns what the ledger holds of the maildrop.
func (b *bench) ledger() *checkpoint.Maildrop {
	b.t.Helper()
	store, err := checkpoint.OpenSQLite(b.t.Context(), b.dir+"/state", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer store.Close()
	drop, err := store.Load(b.t.Context(), checkpoint.Key{Job: "test", Name: "alice"})
	if err != nil {
		b.t.Fatal(err)
	}
	return drop
}

// holds checks that the first sink holds exactly these messages, each as often
// as it is named.
func (b *bench) holds(messages ...pop3test.Message) {
	b.t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, m := range messages {
		want[string(m.Content)]++
	}
	for _, c := range b.sinks[0].contents() {
		got[string(c)]++
	}
	if !maps.Equal(want, got) {
		b.t.Errorf("sink holds %d messages (%d different), want %d (%d different)",
			len(b.sinks[0].contents()), len(got), len(messages), len(want))
		for c, n := range want {
			if got[c] != n {
				b.t.Errorf("%d times instead of %d: %.60q", got[c], n, c)
			}
		}
		for c, n := range got {
			if want[c] == 0 {
				b.t.Errorf("%d times, never served: %.60q", n, c)
			}
		}
	}
}

// want compares the counts that a test cares for, in the order of the words.
func want(t *testing.T, r AccountReport, wanted map[string]int64) {
	t.Helper()
	c := r.Counts
	got := map[string]int64{"listed": c.Listed, "stored": c.Stored, "known": c.Known, "skipped": c.Skipped,
		"failed": c.Failed, "verified": c.Verified, "accepted": c.Accepted, "marked": c.Marked, "gone": c.Gone,
		"kept": c.Kept, "held": c.Held, "late": c.Late, "unaudited": r.Unaudited}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if got[name] != wanted[name] {
			t.Errorf("%s = %d, want %d", name, got[name], wanted[name])
		}
	}
	if !c.Balanced() {
		t.Errorf("equation does not hold: %+v", c)
	}
	if t.Failed() {
		t.Logf("report: complete=%v class=%q reason=%q attempts=%d counts=%+v failures=%+v", r.Complete, r.Class, r.Reason, r.Attempts, c, r.Failures)
	}
}

// mail makes n different messages.
func mail(n int) []pop3test.Message {
	messages := make([]pop3test.Message, n)
	for i := range messages {
		messages[i] = message(i)
	}
	return messages
}

func message(i int) pop3test.Message {
	return pop3test.Message{UniqueID: fmt.Sprintf("uid-%04d", i), Content: fmt.Appendf(nil,
		"Message-ID: <%d@example.org>\r\nFrom: sender@example.org\r\nSubject: message %d\r\n\r\nbody %d\r\n.dot\r\n..\r\n%s\r\n", i, i, i,
		bytes.Repeat([]byte("x"), i%50))}
}

// memory is a sink in memory. It keeps what was stored whether or not the
// ledger learned of it, as a disk does.
type memory struct {
	name     string
	delivers bool
	mu       sync.Mutex
	stored   map[sinks.Where][]byte
	next     int
	fail     func(m *sinks.Message) (proof sinks.Proof, err error) // nil: Verified, or Accepted where it delivers
	damaged  bool                                                  // what is read back differs
	opened   sinks.Opening
}

func newMemory(name string) *memory {
	return &memory{name: name, stored: map[sinks.Where][]byte{}}
}

func (s *memory) spec() SinkSpec {
	spec := SinkSpec{Name: s.name, Kind: "memory", Delivers: s.delivers,
		Open: func(_ context.Context, o sinks.Opening) (sinks.Sink, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.opened = o
			// What the ledger does not know of was left by a crash.
			committed := map[sinks.Where][]byte{}
			for c := range o.Copies {
				content, ok := s.stored[c.Where]
				if !ok || digest.Of(content) != c.Digest {
					return nil, &sinks.Error{Op: "open", Object: s.name, Err: sinks.ErrDamaged}
				}
				committed[c.Where] = content
			}
			if !s.delivers {
				s.stored = committed
			}
			return memoryOpen{s}, nil
		}}
	if !s.delivers {
		spec.OpenRead = func(context.Context) (sinks.Reader, error) { return memoryOpen{s}, nil }
	} else {
		spec.Recipients = []string{"target@example.org"}
	}
	return spec
}

func (s *memory) contents() (all [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, where := range slices.Sorted(maps.Keys(s.stored)) {
		all = append(all, s.stored[where])
	}
	return all
}

type memoryOpen struct{ *memory }

func (s memoryOpen) Store(ctx context.Context, group []sinks.Message) ([]sinks.Receipt, error) {
	receipts := make([]sinks.Receipt, len(group))
	for i := range group {
		m := &group[i]
		r, err := m.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(r)
		if err != nil || digest.Of(content) != m.Digest || int64(len(content)) != m.Octets {
			return nil, errors.Join(err, errors.New("message does not have its digest"))
		}
		proof := sinks.Verified
		if s.delivers {
			proof = sinks.Accepted
		}
		if s.fail != nil {
			if proof, err = s.fail(m); err != nil {
				return nil, err
			}
		}
		receipts[i] = sinks.Receipt{Proof: proof, Reason: "as the test says"}
		if proof >= sinks.Accepted {
			s.mu.Lock()
			s.next++
			receipts[i].Where = sinks.Where(fmt.Sprintf("%06d", s.next))
			s.stored[receipts[i].Where] = content
			s.mu.Unlock()
		}
	}
	return receipts, nil
}

func (s memoryOpen) Committed(context.Context) error { return nil }
func (s memoryOpen) Close() error                    { return nil }

func (s memoryOpen) Read(_ context.Context, c sinks.Copy) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, ok := s.stored[c.Where]
	if !ok {
		return nil, sinks.ErrDamaged
	}
	if s.damaged {
		content = append([]byte("X"), content[1:]...)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// commands counts the server's log by keyword.
func (b *bench) commands(keyword string) (n int) {
	for _, line := range b.server.Commands("alice") {
		if firstWord(line) == keyword {
			n++
		}
	}
	return n
}

func firstWord(line string) string {
	word, _, _ := bytes.Cut([]byte(line), []byte(" "))
	return string(word)
}

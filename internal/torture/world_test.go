package torture

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"popmigrate/internal/digest"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/migrate"
	"popmigrate/pop3"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
	"popmigrate/sinks/smtptest"
)

// Where things lie on the world's file system.
const (
	stateDir   = "/job/state"
	tornDir    = "/job/state/torn"
	quarantine = "/job/state/quarantine"
	archiveDir = "/job/archive/alice"
	maildirDir = "/job/Maildir"
)

// setting says what job a world runs.
type setting struct {
	policy      migrate.DeletePolicy
	compression sinks.Compression
	smtp        bool // a third sink, which delivers
	noMbox      bool // the maildir alone
	noUIDL      bool
	noTOP       bool
	lockStep    bool
	slice       int // messages a session; 0: no bound
}

// world is everything that outlives a process: disks, servers, and what is
// true about the mail.
type world struct {
	t       *testing.T
	setting setting
	fs      *durabletest.FS
	server  *pop3test.Server
	drop    *pop3test.Maildrop
	smtp    *smtptest.Server
	truth   truth
	codecs  *sinks.Codecs
	trouble trouble

	spoolDir string

	lies                   lie // that the server told, ever
	lives, crashes, breaks int
	logged                 int // commands, when tracing
	violations             []string
}

// newWorld returns a world with mail in the maildrop. It must be made and
// ended in one synctest bubble.
func newWorld(t *testing.T, s setting, mail ...[]byte) *world {
	w := &world{t: t, setting: s, fs: durabletest.New(), codecs: sinks.NewCodecs(), spoolDir: spoolRoot}
	config := pop3test.Config{LockWait: time.Minute, NoLog: !*trace, Without: []string{"APOP", "STLS", "AUTH"}}
	if s.noUIDL {
		config.Without = append(config.Without, "UIDL")
	}
	if s.noTOP {
		config.Without = append(config.Without, "TOP")
	}
	w.server = pop3test.NewServer(config)
	w.drop = w.server.AddMaildrop("alice", "secret")
	w.drop.SetWitness(w.expunging)
	w.smtp = smtptest.New(smtptest.Options{Answer: w.trouble.answer})
	w.truth.init()
	for _, content := range mail {
		w.deliver(content)
	}
	if err := durable.MkdirAll(w.fs, "/job"); err != nil {
		t.Fatal(err)
	}
	return w
}

// end releases what the world holds.
func (w *world) end() {
	w.server.Close()
	w.smtp.Close()
}

// deliver is mail that arrives at the old server.
func (w *world) deliver(content []byte) {
	w.truth.delivered(content)
	w.drop.Deliver(pop3test.Message{Content: content})
}

// violate notes that a promise was broken.
func (w *world) violate(format string, args ...any) {
	w.truth.mu.Lock()
	defer w.truth.mu.Unlock()
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// job is the job as one process builds it.
func (w *world) job(l *life) *migrate.Job {
	s := w.setting
	mbox := sinks.MboxConfig{FS: w.fs, Dir: archiveDir, Codecs: w.codecs, Compression: s.compression,
		SegmentOctets: 3000, FrameOctets: 600}
	maildir := sinks.MaildirConfig{FS: w.fs, Dir: maildirDir}
	account := migrate.Account{Name: "alice", User: "alice", Server: "memory:110", Host: "memory",
		Connector: &migrate.POP3Source{Server: "memory:110", TLS: migrate.TLSNone, Policy: auth.Policy{Cleartext: true}, Dial: l.dialPOP,
			Login: auth.Credentials{User: "alice", Password: func(context.Context) (string, error) { return "secret", nil }}},
		Sinks: []migrate.SinkSpec{
			{Name: "archive", Kind: "mbox",
				Open:     func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) { return sinks.OpenMbox(ctx, mbox, o) },
				OpenRead: func(context.Context) (sinks.Reader, error) { return sinks.OpenMboxReader(mbox) },
				Verify:   func(ctx context.Context, c sinks.Check) error { return sinks.VerifyMbox(ctx, mbox, c) },
				Mend:     func(ctx context.Context, m sinks.Mending) error { return sinks.MendMbox(ctx, mbox, m) },
				Salvage: func(_ context.Context, quarantine, maildrop string) (*sinks.Salvage, error) {
					return sinks.OpenMboxSalvage(mbox, quarantine, maildrop)
				}},
			{Name: "copy", Kind: "maildir",
				Open: func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) {
					return sinks.OpenMaildir(ctx, maildir, o)
				},
				OpenRead: func(context.Context) (sinks.Reader, error) { return sinks.OpenMaildirReader(maildir) },
				Verify:   func(ctx context.Context, c sinks.Check) error { return sinks.VerifyMaildir(ctx, maildir, c) },
				Mend:     func(ctx context.Context, m sinks.Mending) error { return sinks.MendMaildir(ctx, maildir, m) },
				Salvage: func(_ context.Context, quarantine, maildrop string) (*sinks.Salvage, error) {
					return sinks.OpenMaildirSalvage(maildir, quarantine, maildrop)
				}},
		}}
	if s.noMbox {
		account.Sinks = account.Sinks[1:]
	}
	if s.lockStep {
		account.Connector.(*migrate.POP3Source).Pipelining = pop3.PipelineOff
	}
	if s.smtp {
		smtp := sinks.SMTP{Protocol: "smtp", Network: "tcp", Address: "127.0.0.1:25", TLS: sinks.SMTPNoTLS, Dial: l.dialSMTP}
		account.Sinks = append(account.Sinks, migrate.SinkSpec{Name: "new", Kind: "smtp", Delivers: true, Recipients: []string{"alice@new.example"},
			Open: func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) { return sinks.OpenSMTP(ctx, smtp, o) }})
	}
	return &migrate.Job{Name: "job", Delete: s.policy, Accounts: []migrate.Account{account},
		Limits: migrate.Limits{SliceMessages: s.slice, Attempts: 3}}
}

// heal lets everything be well and the job run until it says that it is done.
func (w *world) heal() *ending {
	w.drop.SetRules()
	w.server.SetRules()
	var last *ending
	for range 12 {
		last = w.live(plan{})
		w.checkReport(last)
		if last.done() {
			return last
		}
	}
	w.violate("the job does not come to its end: %s", last.why())
	return last
}

// checkReport holds a process to what it says of itself.
func (w *world) checkReport(e *ending) {
	if e.report == nil {
		return
	}
	if c := &e.report.Accounts[0].Counts; !c.Balanced() {
		w.violate("the completeness equation does not hold: %+v", *c)
	}
}

// volatile are header fields that servers write into mail while they keep it.
var volatile = [][]byte{[]byte("Status: RO\n"), []byte("X-UIDL: 0123456789\n")}

// essence is what makes a message that message, in whatever form a server or
// a sink has it: line ends and volatile fields do not.
func essence(content []byte) string {
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	if !bytes.HasSuffix(content, []byte("\n")) {
		content = append(bytes.Clone(content), '\n') // POP3 cannot tell
	}
	for _, field := range volatile {
		content = bytes.ReplaceAll(content, field, nil)
	}
	return string(content)
}

// wireForm is what the server sends of a message.
func wireForm(content []byte) []byte {
	if bytes.HasSuffix(content, []byte("\r\n")) {
		return content
	}
	return append(bytes.Clone(content), "\r\n"...)
}

func digestOf(content []byte) digest.Digest { return digest.Of(content) }

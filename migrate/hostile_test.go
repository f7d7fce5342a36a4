package migrate

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"popmigrate/checkpoint"
	"popmigrate/internal/spool"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
)

// pair is a run of two accounts: good has its mail on a healthy server, bad on
// a hostile one. It runs in a bubble of testing/synctest, where a timeout of
// minutes costs nothing.
type pair struct {
	*bench
	hostile *pop3test.Server
	mail    *pop3test.Maildrop
	bad     POP3Source
	caught  *memory // what was stored of the hostile server's
}

func newPair(t *testing.T, config pop3test.Config, messages ...pop3test.Message) *pair {
	healthy := pop3test.NewServer(pop3test.Config{})
	t.Cleanup(func() { healthy.Close() })
	p := &pair{bench: &bench{t: t, server: healthy, dir: t.TempDir()}, hostile: pop3test.NewServer(config), caught: newMemory("archive")}
	t.Cleanup(func() { p.hostile.Close() })
	p.drop = healthy.AddMaildrop("alice", "secret", mail(20)...)
	p.mail = p.hostile.AddMaildrop("mallory", "secret", messages...)
	p.sinks = []*memory{newMemory("archive")}
	password := func(context.Context) (string, error) { return "secret", nil }
	dial := func(server *pop3test.Server) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return buffer(server.Pipe()), nil }
	}
	p.source = POP3Source{Server: "good.example:110", TLS: TLSNone, Policy: auth.Policy{Cleartext: true}, Login: auth.Credentials{User: "alice", Password: password}, Dial: dial(healthy)}
	p.bad = POP3Source{Server: "bad.example:110", TLS: TLSNone, Policy: auth.Policy{Cleartext: true}, Login: auth.Credentials{User: "mallory", Password: password}, Dial: dial(p.hostile)}
	p.job = Job{Name: "test", Delete: DeleteVerified, Limits: Limits{MessageOctets: 1 << 20}}
	p.job.Accounts = []Account{
		{Name: "mallory", User: "mallory", Connector: &p.bad, Server: p.bad.Server, Host: "bad.example", Sinks: []SinkSpec{p.caught.spec()}},
		{Name: "alice", User: "alice", Connector: &p.source, Server: p.source.Server, Host: "good.example", Sinks: []SinkSpec{p.sinks[0].spec()}},
	}
	return p
}

// buffered is a connection whose writes need not wait for their reader, as
// those to a socket: pipelining relies on that.
type buffered struct {
	net.Conn
	queue chan []byte
	once  sync.Once
}

func buffer(conn net.Conn) net.Conn {
	b := &buffered{Conn: conn, queue: make(chan []byte, 1000)}
	go func() {
		for octets := range b.queue {
			conn.Write(octets) // an error shows at the next Read
		}
	}()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	b.queue <- slices.Clone(p)
	return len(p), nil
}

func (b *buffered) Close() error {
	b.once.Do(func() { close(b.queue) })
	return b.Conn.Close()
}

// hold runs the job and checks what must hold whatever the hostile server
// does: the other account completes, only whole messages are stored, only
// stored ones deleted, and the reason is one clean line.
func (p *pair) hold() AccountReport {
	p.t.Helper()
	report := p.runAll()
	bad, good := report.Accounts[0], report.Accounts[1]
	if !good.Complete || good.Counts.Stored != 20 || good.Counts.Gone != 20 || good.Elapsed > time.Minute {
		p.t.Errorf("the healthy account: complete %v after %v, %+v, %s", good.Complete, good.Elapsed, good.Counts, good.Reason)
	}
	if line := bad.Reason + bad.Hint; len(line) > 1500 || strings.ContainsFunc(line, unicode.IsControl) {
		p.t.Errorf("no clean line: %q", line)
	}
	p.t.Logf("%s, %d sessions, %v: %s (%s)", bad.Class, bad.Attempts, bad.Elapsed, bad.Reason, bad.Hint)
	return bad
}

// runAll runs the job and checks that no message stays in the spool.
func (p *pair) runAll() *Report {
	p.t.Helper()
	ledger, err := checkpoint.OpenSQLite(p.t.Context(), p.dir+"/state", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer ledger.Close()
	room, err := spool.Open(p.dir+"/spool", 1<<20)
	if err != nil {
		p.t.Fatal(err)
	}
	report, err := Run(p.t.Context(), &p.job, &Env{Ledger: ledger, Spool: room, RunID: "run", TornDir: p.dir + "/torn"})
	if err != nil {
		p.t.Fatal(err)
	}
	if room.InMemory() != 0 {
		p.t.Errorf("%d octets left in the spool", room.InMemory())
	}
	return report
}

// runOnly runs the job where it has the hostile account only.
func (p *pair) runOnly() AccountReport { return p.runAll().Accounts[0] }

// whole checks that nothing was stored of the hostile server but whole
// messages, as often as they are there at the most.
func (p *pair) whole(messages []pop3test.Message) {
	p.t.Helper()
	left := slices.Clone(messages)
	for _, stored := range p.caught.contents() {
		i := slices.IndexFunc(left, func(m pop3test.Message) bool { return string(m.Content) == string(stored) })
		if i < 0 {
			p.t.Errorf("stored, and never served: %.80q (%d octets)", stored, len(stored))
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
}

func (p *pair) deletions() (n int) {
	for _, line := range p.hostile.Commands("mallory") {
		if firstWord(line) == "DELE" {
			n++
		}
	}
	return n
}

// TestHostileServers: whatever one server does, the other account's mail
// moves, and of the hostile one's nothing is taken for whole that is not.
func TestHostileServers(t *testing.T) {
	for name, test := range map[string]struct {
		on     string
		do     pop3test.Action // nil: the reply drips, an octet each pause
		pause  time.Duration
		reason string
		class  Class
		within time.Duration // of the hostile account's course, waits between sessions included
	}{
		"greeting without end":       {pop3test.OnGreeting, pop3test.All(pop3test.Raw("+OK "), pop3test.Endless(strings.Repeat("x", 4096))), 0, "line of more than 16384 octets", ClassProtocol, 0},
		"status line without end":    {"UIDL", pop3test.All(pop3test.Raw("+OK "), pop3test.Endless("x")), 0, "line of more than 16384 octets", ClassProtocol, 0},
		"listing without end":        {"UIDL", pop3test.Endless("1 a\r\n"), 0, "listing of more than 5000000 lines", ClassProtocol, 0},
		"capabilities without end":   {"CAPA", pop3test.Endless("X-YES\r\n"), 0, "endless list of capabilities", ClassProtocol, 0},
		"message without end":        {"RETR", pop3test.Endless(strings.Repeat("x", 1022) + "\r\n"), 0, "no end is in sight", ClassProtocol, 0},
		"message of one line":        {"RETR", pop3test.Endless(strings.Repeat("x", 1024)), 0, "no end is in sight", ClassProtocol, 0},
		"login without end":          {"AUTH", pop3test.Raw(strings.Repeat("+ \r\n", 1000)), 0, "nobody asked for", ClassProtocol, 0},
		"replies nobody asked for":   {pop3test.OnGreeting, pop3test.After(strings.Repeat("+OK\r\n", 5000)), 0, "", ClassProtocol, 0},
		"dripping greeting":          {pop3test.OnGreeting, nil, 29 * time.Second, "less than 128 octets a second", ClassNetwork, 15 * time.Minute},
		"dripping listing":           {"UIDL", nil, 29 * time.Second, "less than 128 octets a second", ClassNetwork, 55 * time.Minute},
		"dripping message":           {"RETR", nil, 29 * time.Second, "less than 128 octets a second", ClassNetwork, 45 * time.Minute},
		"fast drip":                  {"RETR", nil, time.Second, "less than 128 octets a second", ClassNetwork, 45 * time.Minute},
		"silent message":             {"RETR", pop3test.Stall(20), 0, "nothing from the server for 5m0s", ClassNetwork, 45 * time.Minute},
		"silent greeting":            {pop3test.OnGreeting, nil, 1000 * time.Hour, "expects TLS from the first octet", ClassNetwork, 15 * time.Minute},
		"control characters":         {"", pop3test.Say("-ERR \x00\x1b[2J\x07\x9b\xff no"), 0, "", "", 0},
		"control characters in RETR": {"RETR", pop3test.Say("-ERR \x00\x1b[2J\x07\x9b\xff no"), 0, "", "", 0},
		"IMAP":                       {pop3test.OnGreeting, pop3test.Instead("* OK IMAP4rev1 ready"), 0, "an IMAP server answers", ClassProtocol, 0},
		"SMTP":                       {pop3test.OnGreeting, pop3test.Instead("220 mx ESMTP"), 0, "an SMTP or FTP server answers", ClassProtocol, 0},
		"HTTP":                       {pop3test.OnGreeting, pop3test.Instead("HTTP/1.1 400 Bad Request"), 0, "a web server answers", ClassProtocol, 0},
		"SSH":                        {pop3test.OnGreeting, pop3test.Instead("SSH-2.0-OpenSSH_9.9"), 0, "an SSH server answers", ClassProtocol, 0},
		"TLS on the clear port":      {pop3test.OnGreeting, pop3test.Raw("\x15\x03\x01\x00\x02\x02\x0a"), 0, "speaks TLS on this port", ClassProtocol, 0},
		"another protocol":           {pop3test.OnGreeting, pop3test.Instead("\x00\x01 hello"), 0, "neither +OK nor -ERR", ClassProtocol, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "listing without end" {
				t.Skip("four times five million lines")
			}
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, pop3test.Config{Without: []string{"PIPELINING"}}, largeMail(5)...)
				if test.do == nil {
					clock := time.NewTicker(test.pause)
					defer clock.Stop()
					test.do = pop3test.Drip(1, clock.C)
				}
				p.hostile.SetRules(pop3test.Rule{Command: test.on, Do: test.do})
				r := p.hold()
				if r.Complete || !strings.Contains(r.Reason, test.reason) || (test.class != "" && r.Class != test.class) {
					t.Errorf("complete %v, class %s, want %s: %s", r.Complete, r.Class, test.class, r.Reason)
				}
				if test.on == pop3test.OnGreeting && test.class == ClassProtocol && test.reason != "" && r.Hint == "" {
					t.Error("nothing says what to do")
				}
				if most := max(test.within, 10*time.Minute); r.Elapsed > most {
					t.Errorf("it took %v, at most %v", r.Elapsed, most)
				}
				if n := len(p.caught.contents()); n != 0 || p.deletions() != 0 {
					t.Errorf("%d messages stored, %d DELE", n, p.deletions())
				}
			})
		})
	}
}

// largeMail makes n messages of some kilobytes.
func largeMail(n int) []pop3test.Message {
	messages := mail(n)
	for i := range messages {
		messages[i].Content = append(messages[i].Content, strings.Repeat("and so on\r\n", 1000)...)
	}
	return messages
}

// TestWrongEncryption: TLS that is expected on one side only. The reason says
// what the port looks like and the hint what to do.
func TestWrongEncryption(t *testing.T) {
	for name, test := range map[string]struct {
		mode   TLSMode
		config pop3test.Config
		says   string
	}{
		"clear text on the TLS port": {TLSImplicit, pop3test.Config{}, "does not speak TLS from the first octet"},
		"TLS on the clear text port": {TLSNone, pop3test.Config{ImplicitTLS: true}, "expects TLS from the first octet"},
		"no STLS":                    {TLSStart, pop3test.Config{Without: []string{"STLS"}}, `use tls = "implicit"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, test.config, mail(5)...)
				p.bad.TLS = test.mode
				r := p.hold()
				if said := r.Reason + r.Hint; r.Complete || !strings.Contains(said, test.says) {
					t.Errorf("complete %v: %s", r.Complete, said)
				}
				if logins := p.mail.Stats().Logins; logins != 0 || len(p.caught.contents()) != 0 {
					t.Errorf("%d logins, %d messages", logins, len(p.caught.contents()))
				}
			})
		})
	}
}

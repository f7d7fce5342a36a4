package preflight

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"popmigrate/internal/profiles"
	"popmigrate/migrate"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
)

const secret = "s3cret"

// serve starts a server with a maildrop for each user, of three messages.
func serve(t *testing.T, config pop3test.Config, users ...string) *pop3test.Server {
	t.Helper()
	server, err := pop3test.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	for _, user := range users {
		drop := server.AddMaildrop(user, secret)
		for i := range 3 {
			drop.Deliver(pop3test.Message{Content: fmt.Appendf(nil, "Subject: %d\r\n\r\ntext\r\n", i)})
		}
	}
	return server
}

// source reaches a server in clear text; change may be nil.
func source(server *pop3test.Server, user string, change func(*migrate.POP3Source)) *migrate.POP3Source {
	s := &migrate.POP3Source{Server: server.Addr(), TLS: migrate.TLSNone, TLSConfig: server.ClientTLS(), Policy: auth.Policy{Cleartext: true},
		Profiles: profiles.Default(), Login: auth.Credentials{User: user, Password: func(context.Context) (string, error) { return secret, nil }}}
	if change != nil {
		change(s)
	}
	return s
}

// jobOf makes a job of sources; each is an account named after its user.
func jobOf(sources ...*migrate.POP3Source) *migrate.Job {
	job := &migrate.Job{Name: "test", Limits: migrate.Limits{Backoff: time.Millisecond, HostPause: time.Millisecond}}
	for _, s := range sources {
		host, _, _ := net.SplitHostPort(s.Server)
		job.Accounts = append(job.Accounts, migrate.Account{Name: s.Login.User, User: s.Login.User, Connector: s, Server: s.Server, Host: host})
	}
	return job
}

func one(t *testing.T, s *migrate.POP3Source) *Account {
	t.Helper()
	report := Job(t.Context(), jobOf(s), nil, nil)
	if len(report.Accounts) != 1 {
		t.Fatalf("%d accounts", len(report.Accounts))
	}
	return report.Accounts[0]
}

func causes(a *Account) (all []string) {
	for _, f := range a.Findings {
		all = append(all, f.Cause)
	}
	return all
}

// What the server hears is the whole proof that nothing is fetched or deleted.
func TestNothingIsFetchedOrDeleted(t *testing.T) {
	for name, config := range map[string]pop3test.Config{
		"all":     {},
		"no CAPA": {Without: []string{"CAPA"}},
		"no TOP":  {Without: []string{"CAPA", "TOP"}},
		"no UIDL": {Without: []string{"UIDL"}},
		"TLS":     {ImplicitTLS: true},
	} {
		t.Run(name, func(t *testing.T) {
			users := []string{"alice", "bob", "carol"}
			server := serve(t, config, users...)
			var sources []*migrate.POP3Source
			for _, user := range users {
				sources = append(sources, source(server, user, func(s *migrate.POP3Source) {
					if config.ImplicitTLS {
						s.TLS = migrate.TLSImplicit
					}
				}))
			}
			job := jobOf(sources...)
			job.Delete = migrate.DeleteVerified
			report := Job(t.Context(), job, nil, nil)
			if totals := report.Totals(); totals.Ready != 3 || totals.Messages != 9 {
				t.Fatalf("%+v", totals)
			}
			tops, quits := 0, 0
			harmless := []string{"CAPA", "UTF8", "AUTH", "USER", "PASS", "APOP", "UIDL", "LIST", "STAT", "QUIT", "***"}
			for _, line := range server.Log() {
				keyword, rest, _ := strings.Cut(line.Text, " ")
				switch {
				case keyword == "TOP" && strings.HasSuffix(rest, " 0"):
					tops++
				case keyword == "QUIT":
					quits++
				case line.User != "" && !slices.Contains(harmless, keyword):
					t.Errorf("sent %q", line.Text)
				case keyword == "RETR", keyword == "DELE":
					t.Errorf("sent %q", line.Text)
				}
			}
			wantTops := 0
			if slices.Contains(config.Without, "CAPA") {
				wantTops = 3 // nothing announces it: tried on one message of each maildrop
			}
			if tops != wantTops || quits != 3 {
				t.Errorf("%d times TOP, want %d; %d times QUIT", tops, wantTops, quits)
			}
			for _, user := range users {
				if left := len(server.Maildrop(user).UniqueIDs()); left != 3 {
					t.Errorf("%s has %d messages left", user, left)
				}
			}
		})
	}
}

func TestWhatIsSeen(t *testing.T) {
	server := serve(t, pop3test.Config{ImplicitTLS: true, Greeting: "Dovecot ready."}, "alice")
	a := one(t, source(server, "alice", func(s *migrate.POP3Source) { s.TLS = migrate.TLSImplicit }))
	switch {
	case !a.Ready, *a.Messages != 3, *a.Octets <= 0, a.UniqueIDs.Quality != UniqueIDsGood, a.Top != "announced", !a.Pipelining:
		t.Errorf("%+v", a)
	case a.TLS == nil, a.TLS.Version != "TLS 1.3", len(a.TLS.Pin) != 64, a.TLS.DaysLeft < 1000, !strings.Contains(a.TLS.Issuer, "authority"):
		t.Errorf("%+v", a.TLS)
	case a.Mechanism == "", a.Address != server.Addr(), len(a.Offered) == 0, len(a.Capabilities) == 0, len(a.Profiles) != 1:
		t.Errorf("%+v", a)
	}
	text, err := json.Marshal(a)
	if err != nil || strings.Contains(string(text), secret) {
		t.Errorf("%v %s", err, text)
	}
}

// Each failure is found under its cause, and tells what helps.
func TestCauses(t *testing.T) {
	refuse := func(command, line string) func(*pop3test.Server) {
		return func(s *pop3test.Server) {
			s.SetRules(pop3test.Rule{Command: command, Do: pop3test.Instead(line)})
		}
	}
	dial := func(err error) func(*migrate.POP3Source) {
		return func(s *migrate.POP3Source) {
			s.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Err: err}
			}
		}
	}
	for _, c := range []struct {
		cause  string
		config pop3test.Config
		server func(*pop3test.Server)
		source func(*migrate.POP3Source)
		help   string
	}{
		{cause: "login refused", source: func(s *migrate.POP3Source) {
			s.Login.Password = func(context.Context) (string, error) { return secret + "-wrong", nil }
		}},
		{cause: "maildrop or server busy", server: refuse(pop3test.OnLogin, "-ERR [IN-USE] locked"), help: "close other"},
		{cause: "name of the server", source: dial(&net.DNSError{Err: "no such host", Name: "absent.example", IsNotFound: true}), help: "name"},
		{cause: "no connection", source: dial(context.DeadlineExceeded), help: "firewall"},
		{cause: "TLS", config: pop3test.Config{ImplicitTLS: true}, source: func(s *migrate.POP3Source) {
			s.TLS, s.TLSConfig = migrate.TLSImplicit, &tls.Config{ServerName: "localhost"}
		}, help: "tls_pin"},
		{cause: "TLS", source: func(s *migrate.POP3Source) { s.TLS = migrate.TLSImplicit }, help: "starttls"},
		{cause: "greeting", server: refuse(pop3test.OnGreeting, "* OK IMAP4rev1"), help: "port"},
		{cause: "closed before the greeting", server: func(s *pop3test.Server) {
			s.SetRules(pop3test.Rule{Command: pop3test.OnGreeting, Do: pop3test.Cut(0)})
		}},
		{cause: "login not possible", source: func(s *migrate.POP3Source) { s.Policy.Cleartext = false }, help: "allow_cleartext"},
		{cause: "secret not to be had", source: func(s *migrate.POP3Source) {
			s.Login.Password = func(context.Context) (string, error) { return "", fmt.Errorf("ask vault: sealed") }
		}},
		{cause: "listing", server: func(s *pop3test.Server) {
			s.SetRules(pop3test.Rule{Command: "UIDL", Do: pop3test.Listing(func(all []pop3test.Entry) []pop3test.Entry { return all[1:] })})
		}, help: "probe"},
		{cause: "capabilities", config: pop3test.Config{LoggedInCapabilities: []string{"EXPIRE 0", "UIDL"}}, help: "allow_retr_hides"},
	} {
		t.Run(c.cause, func(t *testing.T) {
			server := serve(t, c.config, "alice")
			if c.server != nil {
				c.server(server)
			}
			a := one(t, source(server, "alice", c.source))
			if a.Ready || !slices.Contains(causes(a), c.cause) {
				t.Fatalf("ready %v, %q: %s", a.Ready, causes(a), a.Reason)
			}
			f := a.Findings[0]
			if !f.Blocks || f.Detail == "" || f.Help == "" || !strings.Contains(f.Help, c.help) || strings.Contains(fmt.Sprint(f), secret) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// What does not keep a maildrop from being ready is told all the same.
func TestRemarks(t *testing.T) {
	names := func(name func(i int) string) func(*pop3test.Server) {
		return func(s *pop3test.Server) {
			s.SetRules(pop3test.Rule{Command: "UIDL", Do: pop3test.Listing(func(all []pop3test.Entry) []pop3test.Entry {
				for i := range all {
					all[i].UniqueID = name(i)
				}
				return all
			})})
		}
	}
	for _, c := range []struct {
		cause  string
		config pop3test.Config
		server func(*pop3test.Server)
	}{
		{cause: "no unique-ids", config: pop3test.Config{Without: []string{"UIDL"}}},
		{cause: "duplicate unique-ids", server: names(func(int) string { return "same" })},
		{cause: "missing unique-ids", server: names(func(int) string { return "" })},
		{cause: "over-long unique-ids", server: names(func(i int) string { return strings.Repeat("x", 70) + fmt.Sprint(i) })},
		{cause: "unsound unique-ids", server: names(func(i int) string { return fmt.Sprintf("a b\xff%d", i) })},
		{cause: "positional unique-ids", server: names(func(i int) string { return fmt.Sprint(i + 1) })},
		{cause: "doubtful listing", server: func(s *pop3test.Server) {
			s.SetRules(pop3test.Rule{Command: "STAT", Do: pop3test.Instead("+OK 7 700")})
		}},
		{cause: "mail expires", config: pop3test.Config{LoggedInCapabilities: []string{"EXPIRE 30 USER", "UIDL"}}},
		{cause: "no TOP", config: pop3test.Config{Without: []string{"TOP"}}},
		{cause: "known of Courier", config: pop3test.Config{Greeting: "Hello there."}},
		{cause: "known of UW IMAP ipop3d", config: pop3test.Config{Greeting: "POP3 mail.example.net 2007f.104 server ready"}},
		{cause: "clear text"},
	} {
		t.Run(c.cause, func(t *testing.T) {
			server := serve(t, c.config, "alice")
			if c.server != nil {
				c.server(server)
			}
			job := jobOf(source(server, "alice", nil))
			job.Delete = migrate.DeleteVerified
			a := Job(t.Context(), job, nil, nil).Accounts[0]
			if !a.Ready || !slices.ContainsFunc(causes(a), func(cause string) bool { return strings.HasPrefix(cause, c.cause) }) {
				t.Errorf("ready %v, %q: %s", a.Ready, causes(a), a.Reason)
			}
		})
	}
}

// An interrupted preflight reports what it has, and what it has not.
func TestInterrupted(t *testing.T) {
	server := serve(t, pop3test.Config{}, "alice", "bob", "carol")
	ctx, cancel := context.WithCancel(t.Context())
	server.Maildrop("bob").SetRules(pop3test.Rule{Command: "UIDL", Do: pop3test.All(pop3test.Call(cancel), pop3test.Stall(0))})
	job := jobOf(source(server, "alice", nil), source(server, "bob", nil), source(server, "carol", nil))
	job.Limits.Sessions = 1
	report := Job(ctx, job, nil, nil)
	if !report.Interrupted || len(report.Accounts) != 3 {
		t.Fatalf("%+v", report)
	}
	for i, want := range []bool{true, false, false} {
		if a := report.Accounts[i]; a.Ready != want || !want && a.Findings[0].Cause != "not tried: interrupted" {
			t.Errorf("%s: ready %v, %q", a.Name, a.Ready, causes(a))
		}
	}
	if totals := report.Totals(); totals.NotTried != 2 || totals.Ready != 1 {
		t.Errorf("%+v", totals)
	}
}

// A host is not asked by all of its maildrops what one could have told; wrong
// passwords, which may be a throttle, make it rest as in a run.
func TestHostsAreSpared(t *testing.T) {
	const accounts = 60
	server := serve(t, pop3test.Config{})
	sources := func(change func(*migrate.POP3Source)) (all []*migrate.POP3Source) {
		for i := range accounts {
			all = append(all, source(server, fmt.Sprintf("user%d", i), change))
		}
		return all
	}
	for name, change := range map[string]func(*migrate.POP3Source){
		"TLS":         func(s *migrate.POP3Source) { s.TLS = migrate.TLSImplicit },
		"credentials": nil, // nobody has a maildrop
	} {
		t.Run(name, func(t *testing.T) {
			before := server.Stats().Connections
			var watch pauses
			report := Job(t.Context(), jobOf(sources(change)...), &watch, nil)
			tried := server.Stats().Connections - before
			if tried > 20 || report.Totals().NotTried < accounts-20 {
				t.Errorf("%d of %d connections; %+v", tried, accounts, report.Totals())
			}
			if rested := watch.n > 0; rested != (name == "credentials") {
				t.Errorf("%d pauses", watch.n)
			}
		})
	}
}

type pauses struct{ n int }

func (p *pauses) Host(e migrate.HostEvent) {
	if !e.PausedUntil.IsZero() {
		p.n++
	}
}
func (p *pauses) Maildrop(migrate.MaildropEvent) {}
func (p *pauses) Message(migrate.MessageEvent)   {}
func (p *pauses) Octets(int64)                   {}

// A server that lets few in is not overrun, and all maildrops are seen.
func TestSessionsAreCapped(t *testing.T) {
	var users []string
	for i := range 30 {
		users = append(users, fmt.Sprintf("user%d", i))
	}
	server := serve(t, pop3test.Config{}, users...)
	var sources []*migrate.POP3Source
	for _, user := range users {
		sources = append(sources, source(server, user, nil))
	}
	job := jobOf(sources...)
	job.Limits.SessionsPerHost = 2
	report := Job(t.Context(), job, nil, nil)
	if totals, stats := report.Totals(), server.Stats(); totals.Ready != 30 || stats.MaxSessions > 2 || stats.Logins != 30 {
		t.Errorf("%+v, %+v", totals, stats)
	}
	for i, a := range report.Accounts {
		if a.Name != users[i] {
			t.Fatalf("account %d is %s", i, a.Name)
		}
	}
}

func TestGroups(t *testing.T) {
	account := func(name string, findings ...Finding) *Account { return &Account{Name: name, Findings: findings} }
	refused, soon := Finding{Cause: "login refused", Detail: "1", Help: "h", Blocks: true}, Finding{Cause: "certificate expires", Help: "renew"}
	other := Finding{Cause: "login refused", Help: "app password", Blocks: true}
	groups := Groups([]*Account{account("a", soon), account("b", refused), account("c", soon, refused), account("d", soon), account("e", other)})
	var got []string
	for _, g := range groups {
		got = append(got, g.Cause+"/"+g.Help+" "+strings.Join(g.Accounts, ""))
	}
	want := []string{"login refused/h bc", "login refused/app password e", "certificate expires/renew acd"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestDaysUntil(t *testing.T) {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{0, 0}, {23 * time.Hour, 0}, {25 * time.Hour, 1}, {-time.Second, -1}, {-25 * time.Hour, -2}} {
		if got := daysUntil(now.Add(c.at), now); got != c.want {
			t.Errorf("%v: %d, want %d", c.at, got, c.want)
		}
	}
	for days, cause := range map[int]string{-1: "certificate has expired", 0: "certificate expires", 30: "certificate expires", 31: ""} {
		got := ""
		for _, f := range (&TLS{DaysLeft: days}).findings() {
			got = f.Cause
		}
		if got != cause {
			t.Errorf("%d days: %q", days, got)
		}
	}
}

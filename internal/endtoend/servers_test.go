//go:build linux

package endtoend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"popmigrate/internal/realservers"
)

// realServer is a server of the suite.
type realServer struct {
	name   string // of the subtest
	row    string // in docs/servers.md
	start  func(t testing.TB, users ...string) *realservers.POP3
	logins []string // every login that it offers
	plain  []string // those that it offers in clear text only
	notes  bool     // it writes notes of its own into headers, others in each session
}

func dovecotStore(store string) func(testing.TB, ...string) *realservers.POP3 {
	return func(t testing.TB, users ...string) *realservers.POP3 {
		return realservers.StartDovecotStore(t, store, users...)
	}
}

var dovecotLogins = []string{"USER", "APOP", "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}

// realServers are the servers that the suite runs against.
var realServers = []realServer{
	{name: "dovecot-maildir", row: "Dovecot", start: dovecotStore("maildir"), logins: dovecotLogins},
	{name: "dovecot-mbox", row: "Dovecot", start: dovecotStore("mbox"), logins: dovecotLogins},
	{name: "dovecot-sdbox", row: "Dovecot", start: dovecotStore("sdbox"), logins: dovecotLogins},
	{name: "courier", row: "Courier", start: realservers.StartCourier, logins: []string{"USER", "PLAIN", "LOGIN", "CRAM-MD5"}},
	{name: "cyrus", row: "Cyrus IMAP", start: func(t testing.TB, users ...string) *realservers.POP3 { return realservers.StartCyrus(t, users...).POP3 },
		logins: []string{"USER", "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}, plain: []string{"APOP"}},
	{name: "mailutils", row: "GNU mailutils", start: realservers.StartMailutils, logins: []string{"USER", "APOP"}, notes: true},
	{name: "popa3d", row: "popa3d", start: realservers.StartPopa3d, logins: []string{"USER"}},
	{name: "solid-pop3d", row: "solid-pop3d", start: realservers.StartSolid, logins: []string{"USER"}},
	{name: "nginx", row: "nginx mail proxy", logins: []string{"USER", "PLAIN", "LOGIN", "CRAM-MD5", "APOP"},
		start: func(t testing.TB, users ...string) *realservers.POP3 {
			return realservers.StartNginx(t, realservers.StartDovecotStore(t, "maildir", users...))
		}},
	{name: "perdition", row: "Perdition", logins: []string{"USER"},
		start: func(t testing.TB, users ...string) *realservers.POP3 {
			return realservers.StartPerdition(t, realservers.StartDovecotStore(t, "maildir", users...))
		}},
	{name: "greenmail", row: "GreenMail", start: realservers.StartGreenMail, logins: []string{"USER"}},
	{name: "james", row: "Apache James", start: realservers.StartJames, logins: []string{"USER"}},
}

const serverJob = `
job "test" {
  account "alice" {
    password = "@PASSWORD@"
  }
  source "pop3" {
    @SOURCE@
  }
  sink "mbox" "archive" { dir = "archive" }
  sink "maildir" "copy" { dir = "Maildir" }
  limits { backoff = "200ms" }
  @MORE@
}
`

// sources are the ways to reach a server, the safest first.
func sources(p *realservers.POP3) (modes []string, source map[string]string) {
	source = map[string]string{"none": fmt.Sprintf("server = %q\n tls = \"none\"\n allow_cleartext = true", p.Addr)}
	if p.STLS {
		modes = append(modes, "starttls")
		source["starttls"] = fmt.Sprintf("server = %q\n tls = \"starttls\"\n tls_server_name = \"localhost\"\n tls_ca = %q", p.Addr, p.CAFile)
	}
	if p.TLSAddr != "" {
		modes = append([]string{"implicit"}, modes...)
		source["implicit"] = fmt.Sprintf("server = %q\n tls_server_name = \"localhost\"\n tls_ca = %q", p.TLSAddr, p.CAFile)
	}
	return append(modes, "none"), source
}

// TestRealServers runs whole jobs against every server that can be installed.
func TestRealServers(t *testing.T) {
	notShort(t)
	for _, s := range realServers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel() // they wait for each other's locks and delays most of the time
			p := s.start(t, "alice", "bob", "carol")
			scenarios := map[string]func(*testing.T, *realServer, *realservers.POP3){
				"copy, again, delete": copyAndDelete, "killed": killedOnce, "logins": everyLogin, "wrong password": wrongPassword}
			for _, name := range []string{"copy, again, delete", "killed", "logins", "wrong password"} {
				t.Run(name, func(t *testing.T) {
					scenarios[name](t, &s, p)
					if t.Failed() {
						t.Logf("the server logged: %s", p.Log())
					}
				})
			}
		})
	}
}

// odd are the hostile messages in an order of their own; one of 50 MB is enough
// for one server.
func odd() (all [][]byte) {
	mail := hostile()
	delete(mail, "long-line")
	names := make([]string, 0, len(mail))
	for name := range mail {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		all = append(all, mail[name])
	}
	return all
}

// compare compares what was served with what was kept, notes aside.
func (s *realServer) compare(t *testing.T, what string, served, kept tally) {
	t.Helper()
	if s.notes {
		served, kept = served.withoutNotes(), kept.withoutNotes()
	}
	served.compare(t, what, kept)
}

// withoutNotes leaves out header fields in which servers note the state of a
// message.
func (all tally) withoutNotes() tally {
	bare := tally{}
	for message, n := range all {
		head, body, _ := strings.Cut("\r\n"+message, "\r\n\r\n")
		var left strings.Builder
		for line := range strings.SplitSeq(head, "\r\n") {
			name, _, _ := strings.Cut(line, ":")
			if !slices.Contains([]string{"Status", "X-Status", "X-UID", "X-UIDL", "X-IMAPbase", "X-Keywords"}, name) {
				left.WriteString(line + "\r\n")
			}
		}
		bare[left.String()+"\r\n"+body] += n
	}
	return bare
}

// copyAndDelete is a migration: what the server sends to a reader of the test's
// own is in both sinks, once, and then gone from the server.
func copyAndDelete(t *testing.T, s *realServer, p *realservers.POP3) {
	mail := odd()
	if s.notes { // to write them the server gives a message a header, and then a body
		mail = slices.DeleteFunc(mail, func(m []byte) bool { return len(m) == 0 || m[0] == '\r' || m[0] == '\n' })
	}
	for i := range 60 {
		mail = append(mail, letter(i, 4000))
	}
	p.Fill(t, "alice", mail...)
	served := plainRead(t, p.Addr, "alice")
	n := int64(0)
	for _, count := range served {
		n += int64(count)
	}
	if n < int64(len(mail))-1 { // an mbox cannot hold an empty message
		t.Fatalf("the server has %d messages of %d", n, len(mail))
	}
	modes, source := sources(p)
	words := []string{"@PASSWORD@", realservers.Password("alice"), "@SOURCE@", source[modes[0]], "@MORE@"}
	j := newJob(t, serverJob, append(words, "")...)
	if got := j.run(0); got.Listed != n || got.Stored != n || got.Verified != 2*n || !got.balanced() {
		t.Errorf("first run: %+v", got)
	}
	s.compare(t, "archive", served, fromArchive(t, filepath.Join(j.dir, "archive", "alice")))
	s.compare(t, "maildir", served, fromMaildir(t, filepath.Join(j.dir, "Maildir")))
	if got := j.run(0); got.Known != n || got.Stored != 0 {
		t.Errorf("second run: %+v", got)
	}
	j.write("job.hcl", strings.NewReplacer(append(words, `delete = "verified"`)...).Replace(serverJob))
	if got := j.run(0); got.Known != n || got.Gone != n {
		t.Errorf("deleting run: %+v", got)
	}
	if left := plainRead(t, p.Addr, "alice"); len(left) != 0 {
		t.Errorf("%d messages left on the server", len(left))
	}
	s.compare(t, "archive after deletion", served, fromArchive(t, filepath.Join(j.dir, "archive", "alice")))
	if out, err := j.command("verify").CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// killedOnce ends a deleting run by SIGKILL once it has stored something, and
// runs it again: nothing lost, nothing twice.
func killedOnce(t *testing.T, s *realServer, p *realservers.POP3) {
	var mail [][]byte
	for i := range 400 {
		mail = append(mail, letter(i, 3000))
	}
	p.Fill(t, "bob", mail...)
	served := plainRead(t, p.Addr, "bob")
	modes, source := sources(p)
	j := newJob(t, strings.ReplaceAll(serverJob, "alice", "bob"), "@PASSWORD@", realservers.Password("bob"), "@SOURCE@", source[modes[0]], "@MORE@", `delete = "verified"`)
	first := j.command("run", "--quiet")
	var output bytes.Buffer
	first.Stdout, first.Stderr = &output, &output
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	stored := func() bool {
		found, _ := filepath.Glob(filepath.Join(j.dir, "Maildir", "*", "*"))
		return len(found) > 0 || len(ended) > 0
	}
	if err := realservers.Until(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	_ = first.Process.Signal(syscall.SIGKILL) // fails where it has ended
	if err := <-ended; err == nil {
		t.Log("the run ended before it was killed")
	}
	j.run(0)
	s.compare(t, "archive", served, fromArchive(t, filepath.Join(j.dir, "archive", "bob")))
	s.compare(t, "maildir", served, fromMaildir(t, filepath.Join(j.dir, "Maildir")))
	if left := plainRead(t, p.Addr, "bob"); len(left) != 0 {
		t.Errorf("%d messages left on the server", len(left))
	}
}

// seen is what the tests look at in a preflight's line of an account.
type seen struct {
	Ready     bool   `json:"ready"`
	Class     string `json:"class"`
	Reason    string `json:"reason"`
	Mechanism string `json:"mechanism"`
}

// preflight runs one and returns what it saw of its only account.
func (j *job) preflight(exit int) (account seen) {
	j.t.Helper()
	c := j.command("preflight", "--json")
	out, _ := c.Output()
	if got := c.ProcessState.ExitCode(); got != exit {
		j.t.Errorf("preflight: exit %d, want %d\n%s", got, exit, out)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	if err := json.Unmarshal(line, &account); err != nil {
		j.t.Fatalf("not JSON: %q", line)
	}
	return account
}

// everyLogin logs in by every mechanism in every way, and by none that was not
// asked for.
func everyLogin(t *testing.T, s *realServer, p *realservers.POP3) {
	p.Fill(t, "carol", letter(1, 500))
	modes, source := sources(p)
	n := 0
	for _, mode := range modes {
		logins := s.logins
		if mode == "none" {
			logins = append(slices.Clone(logins), s.plain...)
		}
		for _, login := range logins {
			if login == "APOP" && mode == "starttls" {
				continue // there is no timestamp after STLS (RFC 2595 section 4)
			}
			words := fmt.Sprintf("%s\n auth = %q", source[mode], login)
			j := newJob(t, strings.ReplaceAll(serverJob, "alice", "carol"), "@PASSWORD@", realservers.Password("carol"), "@SOURCE@", words, "@MORE@", "")
			if got := j.preflight(0); !got.Ready || got.Mechanism != login {
				t.Errorf("%s, %s: %+v", mode, login, got)
			}
			n++
		}
	}
	t.Logf("%s: %d logins", s.name, n)
}

// wrongPassword is told apart from a server that is busy, and not tried again.
func wrongPassword(t *testing.T, s *realServer, p *realservers.POP3) {
	modes, source := sources(p)
	for _, login := range s.logins {
		words := fmt.Sprintf("%s\n auth = %q", source[modes[0]], login)
		j := newJob(t, strings.ReplaceAll(serverJob, "alice", "carol"), "@PASSWORD@", "wrong-guess", "@SOURCE@", words, "@MORE@", "")
		begin := time.Now()
		got := j.preflight(3)
		if got.Ready || got.Class != "credential" {
			t.Errorf("%s: %+v", login, got)
		}
		t.Logf("%s: %v: %s", login, time.Since(begin).Round(time.Millisecond), got.Reason)
	}
}

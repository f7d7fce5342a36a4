//go:build linux

package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popmigrate/internal/realservers"
)

// kerberosJob has two accounts; @KERBEROS@ is the inside of the kerberos block,
// @REST@ what else the source says.
const kerberosJob = `
job "test" {
  account "alice" { @PASSWORD@ }
  source "@KIND@" {
    server          = "@SERVER@"
    allow_cleartext = true
    @REST@
    kerberos {
      krb5_conf    = "@CONFIG@"
      service_host = "localhost"
      @KERBEROS@
    }
  }
  sink "mbox" "archive" { dir = "archive" }
  @MORE@
}
`

// Every way to get tickets, over KPOP and over GSSAPI with each kind of TLS:
// copied, known, deleted, audited by the program.
func TestKerberos(t *testing.T) {
	notShort(t)
	kdc := realservers.StartKDC(t, "", "alice")
	dovecot := kdc.StartDovecot(t, "alice")
	popper := kdc.StartKPOP(t, dovecot.Addr, realservers.KPOPOptions{})
	keytab := fmt.Sprintf("principal = \"migrate\"\nkeytab = %q", kdc.Export("migrate"))
	ccache := fmt.Sprintf("ccache = %q", "FILE:"+kdc.Login("alice", time.Hour))
	ca := fmt.Sprintf("tls_ca = %q\nauth = \"gssapi\"", dovecot.CAFile)
	sources := map[string][]string{
		"kpop":     {"@KIND@", "kpop", "@SERVER@", popper.Addr, "@REST@", ""},
		"implicit": {"@KIND@", "pop3", "@SERVER@", dovecot.TLSAddr, "@REST@", ca},
		"starttls": {"@KIND@", "pop3", "@SERVER@", dovecot.Addr, "@REST@", ca + "\ntls = \"starttls\""},
		"none":     {"@KIND@", "pop3", "@SERVER@", dovecot.Addr, "@REST@", "auth = \"gssapi\"\ntls = \"none\""},
	}
	logins := map[string][]string{
		"keytab":      {"@PASSWORD@", "", "@KERBEROS@", keytab},
		"ccache":      {"@PASSWORD@", "", "@KERBEROS@", ccache},
		"password":    {"@PASSWORD@", "", "@KERBEROS@", "principal = \"alice\"\npassword = \"krb-alice\""},
		"own":         {"@PASSWORD@", `password = "krb-alice"`, "@KERBEROS@", `principal = "${account.user}@REAL.TEST"`},
		"own, keytab": {"@PASSWORD@", "", "@KERBEROS@", fmt.Sprintf("principal = \"${account.user}\"\nkeytab = %q", kdc.Export("alice"))},
	}
	round := 0
	for transport, source := range sources {
		for way, login := range logins {
			t.Run(transport+" "+way, func(t *testing.T) {
				round++
				served := tally{}
				for i := range 20 {
					content := letter(100*round+i, 3000)
					dovecot.Seed("alice", fmt.Sprintf("17000%05d.l%d.test", round, i), content)
					served[wire(content)]++
				}
				words := append(append([]string{"@CONFIG@", kdc.Config}, source...), login...)
				j := newJob(t, kerberosJob, append(words, "@MORE@", "")...)
				if s := j.run(0); s.Listed != 20 || s.Stored != 20 {
					t.Fatalf("copy: %+v\n%s", s, popper.Log())
				}
				served.compare(t, "archive", fromArchive(t, filepath.Join(j.dir, "archive", "alice")))
				j.write("job.hcl", strings.NewReplacer(append(words, "@MORE@", `delete = "verified"`)...).Replace(kerberosJob))
				if s := j.run(0); s.Known != 20 || s.Gone != 20 {
					t.Errorf("delete: %+v", s)
				}
				if left := dovecot.Left("alice"); len(left) != 0 {
					t.Errorf("%d messages left on the server", len(left))
				}
				if transport == "kpop" && way == "keytab" {
					refuseImpostor(t, kdc, dovecot, words)
				}
			})
		}
	}
	if log := popper.Log(); strings.Contains(log, "krb-alice") || strings.Contains(log, "pw-") {
		t.Errorf("the KPOP server was sent a password:\n%s", log)
	}
}

// refuseImpostor runs the job against a server that has another key.
func refuseImpostor(t *testing.T, kdc *realservers.KDC, dovecot *realservers.Dovecot, words []string) {
	t.Helper()
	impostor := kdc.StartKPOP(t, dovecot.Addr, realservers.KPOPOptions{Keytab: kdc.Export("imap/localhost")})
	j := newJob(t, kerberosJob, append([]string{"@SERVER@", impostor.Addr, "@MORE@", ""}, words...)...)
	s, exit, output := j.attempt()
	if exit != 7 || s.Stored != 0 || !strings.Contains(output, "keytab has another key for pop/localhost@REAL.TEST") {
		t.Errorf("exit %d, %+v\n%s", exit, s, output)
	}
	if log := impostor.Log(); strings.Contains(log, "USER") || strings.Contains(log, "PASS") {
		t.Errorf("it was told\n%s", log)
	}
}

// The program says what is wrong, in one line with server, step and remedy.
func TestKerberosMistakes(t *testing.T) {
	notShort(t)
	kdc := realservers.StartKDC(t, "", "alice")
	dovecot := kdc.StartDovecot(t, "alice")
	popper := kdc.StartKPOP(t, dovecot.Addr, realservers.KPOPOptions{})
	ahead := kdc.StartKPOP(t, dovecot.Addr, realservers.KPOPOptions{Clock: 12 * time.Minute})
	keytab := fmt.Sprintf("principal = \"alice\"\nkeytab = %q", kdc.Export("alice"))
	whole, err := os.ReadFile(kdc.Login("alice", time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(cut, whole[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(name, kind, server, rest, login string, want ...string) {
		t.Helper()
		j := newJob(t, kerberosJob, "@CONFIG@", kdc.Config, "@PASSWORD@", "", "@KIND@", kind,
			"@MORE@", "limits {\n attempts = 1\n }", "@SERVER@", server, "@REST@", rest, "@KERBEROS@", login)
		s, exit, output := j.attempt()
		if exit != 7 || s.Stored != 0 {
			t.Errorf("%s: exit %d, %+v\n%s", name, exit, s, output)
		}
		for _, words := range want {
			if !strings.Contains(output, words) {
				t.Errorf("%s: no %q in\n%s", name, words, output)
			}
		}
		if strings.Contains(output, "s3cret") {
			t.Errorf("%s: shows a secret", name)
		}
	}
	clear := "auth = \"gssapi\"\ntls = \"none\""
	try("clocks", "kpop", ahead.Addr, "", keytab, ahead.Addr, "12 minutes behind the server's", "NTP")
	try("cut cache", "kpop", popper.Addr, "", fmt.Sprintf("ccache = %q", cut), "truncated", "kinit")
	try("wrong password", "kpop", popper.Addr, "", "principal = \"alice\"\npassword = \"s3cret\"", "wrong password for alice@REAL.TEST")
	try("plain POP3", "kpop", dovecot.Addr, "", keytab, "another protocol", `auth = \"gssapi\"`)
	try("wrong password, GSSAPI", "pop3", dovecot.Addr, clear, "principal = \"alice\"\npassword = \"s3cret\"", "wrong password for alice@REAL.TEST", "check the password")
	try("unknown service, GSSAPI", "pop3", dovecot.Addr, clear, keytab+"\nservice = \"smtp\"", "does not know the service smtp/localhost@REAL.TEST", "service_host")
	kdc.Stop()
	try("KDC down", "pop3", dovecot.Addr, clear, keytab, "ask KDC of REAL.TEST", "none answers")
}

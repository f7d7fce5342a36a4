package jobs

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"popmigrate/migrate"
)

const kerberosFile = `
job "krb" {
  account "alice" { password = "s3cret-mail" }
  account "bob@example.edu" {
    source   = "own"
    password = "s3cret-kerberos"
  }
  account "carol" { source = "gss" }
  account "dave" {
    source = "gss"
    user   = "dave+archive"
  }
  source "kpop" {
    server          = "kpop.example.edu"
    allow_cleartext = true
    kerberos {
      principal    = "alice@REAL.TEST"
      keytab       = "alice.keytab"
      krb5_conf    = "krb5.conf"
      service      = "pop3"
      service_host = "cluster.example.edu"
    }
  }
  source "kpop" {
    name            = "own"
    server          = "kpop://kpop.example.edu:1110"
    allow_cleartext = true
    login           = "${account.local}"
    kerberos {
      principal = "${account.local}@REAL.TEST"
      krb5_conf = "krb5.conf"
    }
  }
  source "pop3" {
    name   = "gss"
    server = "pop.example.edu"
    auth   = ["gssapi"]
    kerberos {
      krb5_conf = "krb5.conf"
      ccache    = "FILE:tickets"
    }
  }
  sink "mbox" "archive" { dir = "archive" }
}
`

// kerberosDir holds what that job file names.
func kerberosDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, from := range map[string]string{"alice.keytab": "../pop3/kerberos/testdata/alice.keytab", "krb5.conf": "testdata/invalid/krb5.conf"} {
		octets, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), octets, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "job.hcl"), []byte(kerberosFile), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestKerberos(t *testing.T) {
	dir := kerberosDir(t)
	file, err := Load(filepath.Join(dir, "job.hcl"), testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	var sources []*migrate.POP3Source
	for _, account := range file.Jobs[0].Job.Accounts {
		sources = append(sources, account.Connector.(*migrate.POP3Source))
	}
	for i, want := range []struct{ server, login string }{
		{"kpop.example.edu:1109", "alice"}, {"kpop.example.edu:1110", "bob"}, {"pop.example.edu:995", "carol"}, {"pop.example.edu:995", "dave+archive"},
	} {
		s := sources[i]
		kpop := i < 2
		if s.Server != want.server || s.Login.User != want.login || (s.Before != nil) != kpop || (s.Login.Kerberos != nil) == kpop || (s.TLS == migrate.TLSNone) != kpop {
			t.Errorf("%d: %+v", i, s)
		}
		if !kpop {
			if s.Login.Password != nil || !slices.Equal(s.Policy.Mechanisms, []string{"GSSAPI"}) {
				t.Errorf("%d: %+v", i, s)
			}
			continue
		}
		if password, err := s.Login.Password(t.Context()); password != dummyPassword || err != nil || !slices.Equal(s.Policy.Mechanisms, []string{"USER"}) {
			t.Errorf("%d: password %q, %v", i, password, err)
		}
	}
	shown := describe(t, file)
	for _, line := range []string{
		"tls none: KPOP protects the login only, and mail travels in clear text", "auth kpop", "auth gssapi",
		"kerberos alice@REAL.TEST", "keytab alice.keytab", "service pop3/cluster.example.edu", "service pop/<server>",
		"kerberos ${account.local}@REAL.TEST", "tickets from each account's password", "ccache FILE:tickets",
		"login alice at kpop.example.edu:1109, Kerberos ticket", `login bob at kpop.example.edu:1110, Kerberos ticket, password (set)`,
	} {
		if !strings.Contains(strings.Join(strings.Fields(shown), " "), strings.Join(strings.Fields(line), " ")) {
			t.Errorf("no %q in\n%s", line, shown)
		}
	}
	noSecret(t, "Describe", shown)
}

// A keytab that others can read is worth a warning.
func TestKerberosReadableKeytab(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the mode says nothing there")
	}
	dir := kerberosDir(t)
	keytab := filepath.Join(dir, "alice.keytab")
	if err := os.Chmod(keytab, 0o644); err != nil {
		t.Fatal(err)
	}
	env := testEnv(t)
	env.Stat = os.Stat
	file, err := Load(filepath.Join(dir, "job.hcl"), env)
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	if warnings := strings.Join(file.Jobs[0].Warnings, "\n"); !strings.Contains(warnings, "chmod 600 "+keytab) {
		t.Errorf("warnings %q", warnings)
	}
}

// kpop:// for copy: the default tickets, no password, and clear text only when
// it is allowed in words.
func TestFromKPOPURL(t *testing.T) {
	dir := t.TempDir()
	env := testEnv(t)
	env.Getenv = func(name string) string {
		return map[string]string{"KRB5_CONFIG": "testdata/invalid/krb5.conf", "KRB5CCNAME": "FILE:/none"}[name]
	}
	if _, _, err := FromURL("kpop://alice@kpop.example.edu", dir, nil, WithEnv(env)); err == nil || !strings.Contains(err.Error(), "KPOP protects the login only") {
		t.Errorf("without a word: %v", err)
	}
	job, text, err := FromURL("kpop://alice@kpop.example.edu", dir, nil, WithEnv(env), WithCleartext())
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	source := job.Job.Accounts[0].Connector.(*migrate.POP3Source)
	if source.Server != "kpop.example.edu:1109" || source.Before == nil || strings.Contains(string(text), "password") {
		t.Errorf("%+v\n%s", source, text)
	}
	for _, wrong := range []string{"kpop://alice;AUTH=PLAIN@h", "kpop://alice:secret@h"} {
		if _, err := ParseURL(wrong); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
	if _, _, err := FromURL("kpop://alice@h", dir, nil, WithEnv(env), WithCleartext(), WithTLS("starttls")); err == nil || !strings.Contains(err.Error(), "no KPOP over TLS") {
		t.Errorf("with TLS: %v", err)
	}
}

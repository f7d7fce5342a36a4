package jobs

import (
	"strings"
	"testing"

	"popmigrate/migrate"
)

func TestParseURL(t *testing.T) {
	for _, c := range []struct {
		url, user, auth, server string
		mode                    migrate.TLSMode
	}{
		{"pop://alice@pop.example.net", "alice", "auto", "pop.example.net:110", migrate.TLSStart},
		{"pops://alice@pop.example.net", "alice", "auto", "pop.example.net:995", migrate.TLSImplicit},
		{"POP://alice@pop.example.net:995/", "alice", "auto", "pop.example.net:995", migrate.TLSImplicit},
		{"pop://alice;AUTH=+APOP@pop.example.net:1110", "alice", "apop", "pop.example.net:1110", migrate.TLSStart},
		{"pop://alice;auth=*@h", "alice", "auto", "h:110", migrate.TLSStart},
		{"pops://alice;AUTH=plain@h", "alice", "plain", "h:995", migrate.TLSImplicit},
		{"pop://alice%40example.net@[2001:db8::1]:2110", "alice@example.net", "auto", "[2001:db8::1]:2110", migrate.TLSStart},
		{"pop://alice@pop.B\u00fccher.example", "alice", "auto", "pop.xn--bcher-kva.example:110", migrate.TLSStart},
		{"pop://alice;AUTH=%2BAPOP@h", "alice", "apop", "h:110", migrate.TLSStart},
		{"pop://alice;AUTH=SCRAM-SHA-256-PLUS@h", "alice", "scram-sha-256-plus", "h:110", migrate.TLSStart},
		{"pops://alice;AUTH=xoauth2@h", "alice", "xoauth2", "h:995", migrate.TLSImplicit},
		{"pops://alice;AUTH=+USER@h", "alice", "user", "h:995", migrate.TLSImplicit},
		{"pop://alice@example.net@pop.example.net", "alice@example.net", "auto", "pop.example.net:110", migrate.TLSStart},
		{"pop://a%3Ab%3Bc%25+d@h", "a:b;c%+d", "auto", "h:110", migrate.TLSStart},
		{"pop://pop.example.net", "", "auto", "pop.example.net:110", migrate.TLSStart},
	} {
		u, err := ParseURL(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if u.User != c.user || u.Auth != c.auth || u.Server() != c.server || u.TLS != c.mode {
			t.Errorf("%s: got %+v", c.url, u)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"", "expected pop://"},
		{"imap://alice@h", "expected pop://"},
		{"pop.example.net", "expected pop://"},
		{"pop://alice:s3cret@h", "a password in a URL"},
		{"pop://alice;AUTH=PLAIN:s3cret@h", "a password in a URL"},
		{"pop://alice:s3c@ret@h", "a password in a URL"},
		{"pop://alice:s3cret/x@h", "a POP URL ends"},
		{"pop://@h", "nothing stands before"},
		{"pop://;AUTH=PLAIN@h", "nothing stands before"},
		{"pop://alice;x=y@h", "only ;AUTH="},
		{"pop://alice;AUTH=KERBEROS_V4@h", "this version knows"},
		{"pop://alice;AUTH=USER@h", "this version knows"},
		{"pop://alice;AUTH=%zz@h", "two hexadecimal digits"},
		{"pop://a%0d%0aDELE@h", "control characters"},
		{"pop://a%2@h", "two hexadecimal digits"},
		{"pop://a%zz@h", "two hexadecimal digits"},
		{"pop://alice@", "expected host"},
		{"pop://alice@pop.\u2488com", "no host name may have"},
		{"pop://alice@h:", "port"},
		{"pop://alice@h:0", "port"},
		{"pop://alice@h:65536", "port"},
		{"pop://alice@h:+1", "port"},
		{"pop://alice@[::1", "IPv6"},
		{"pop://alice@[127.0.0.1]", "IPv6"},
		{"pop://alice@h/1", "ends after host"},
		{"pop://alice@h?x", "ends after host"},
	} {
		_, err := ParseURL(c.url)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.url, err, c.want)
		}
		if err != nil {
			noSecret(t, c.url, err.Error())
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"pop://alice@h", "pops://a%40b;AUTH=+APOP@[::1]:995/", "pop://a:b@h", "pop://%", "pop://a@b@c:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURL(s)
		if err != nil {
			return
		}
		if hasControl(u.User) || hasControl(u.Host) || u.Host == "" || u.Port == "" {
			t.Errorf("%q: got %+v", s, u)
		}
		if u.User == "" {
			return
		}
		job, text, err := FromURL(s, "dir", nil, WithEnv(testEnv(t)))
		if err != nil {
			t.Fatalf("%q: %v\n%s", s, err, text)
		}
		defer job.Close()
		if got := job.entries[0].login; got != normal(u.User) {
			t.Errorf("%q: the job file logs in as %q, the URL says %q", s, got, u.User)
		}
	})
}

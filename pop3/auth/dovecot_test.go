package auth_test

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"popmigrate/internal/realservers"
	"popmigrate/pop3"
	"popmigrate/pop3/auth"
)

// A Dovecot that stores passwords as they are and offers all that it has
// without a directory service behind it. Masters log in for everybody.
const dovecotLogins = `
auth_mechanisms = plain login apop cram-md5 digest-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
passdb {
  driver = static
  args = password=pw-master
  master = yes
  username_filter = master
}
`

// dovecotClient returns a client of a Dovecot, behind STLS if secure.
func dovecotClient(t *testing.T, dovecot *realservers.Dovecot, secure bool, initialLine int) (*pop3.Client, *pop3.Capabilities) {
	t.Helper()
	conn, err := net.Dial("tcp", dovecot.Addr)
	if err != nil {
		t.Fatal(err)
	}
	client := pop3.NewClient(conn, &pop3.Options{InitialLine: initialLine})
	t.Cleanup(func() { client.Close() })
	if _, err := client.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if secure {
		if err := client.StartTLS(t.Context(), &tls.Config{RootCAs: dovecot.CAs, ServerName: "127.0.0.1"}); err != nil {
			t.Fatal(err)
		}
	}
	capabilities, err := client.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client, capabilities
}

// TestDovecot logs in to a real server by every mechanism that it has, with
// and without TLS and initial response, with a right and a wrong password.
func TestDovecot(t *testing.T) {
	dovecot := realservers.StartDovecotWith(t, dovecotLogins, "alice")
	for _, name := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "USER", "DIGEST-MD5", "CRAM-MD5", "APOP"} {
		for _, secure := range []bool{false, true} {
			if name == "APOP" && secure {
				continue // STLS makes the client forget the timestamp
			}
			for _, initial := range []int{0, 255} {
				client, capabilities := dovecotClient(t, dovecot, secure, initial)
				policy := auth.Policy{Mechanisms: []string{name}, Cleartext: true}
				if _, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", "pw-alice"), policy); err != nil {
					t.Errorf("%s, TLS %v, initial %d: %v", name, secure, initial, err)
				}
				if _, err := client.Quit(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		client, capabilities := dovecotClient(t, dovecot, name != "APOP", 0)
		_, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", "pw-bob"), auth.Policy{Mechanisms: []string{name}, Cleartext: true})
		var refused *auth.RefusedError
		if !errors.As(err, &refused) || refused.Verdict != auth.Denied || refused.Reply.Code != "AUTH" {
			t.Errorf("%s with a wrong password: %v", name, err)
		}
	}
	client, capabilities := dovecotClient(t, dovecot, true, 0)
	if used, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", "pw-alice"), auth.Policy{}); used != "SCRAM-SHA-256" || err != nil {
		t.Errorf("of its own choice: %q, %v", used, err)
	}
	client.Quit(t.Context())

	// A master user's password opens alice's maildrop.
	for _, name := range []string{"PLAIN", "DIGEST-MD5", "SCRAM-SHA-256"} {
		client, capabilities := dovecotClient(t, dovecot, true, 0)
		credentials := withPassword("master", "pw-master")
		credentials.Identity = "alice"
		if _, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{Mechanisms: []string{name}}); err != nil {
			t.Errorf("%s as alice: %v", name, err)
		}
		client.Quit(t.Context())
	}
}

// TestDovecotHashes is a Dovecot that stores no plaintext and offers challenge
// mechanisms all the same: PLAIN over TLS follows the refusal.
func TestDovecotHashes(t *testing.T) {
	dovecot := realservers.StartDovecotWith(t, `
auth_mechanisms = plain cram-md5 scram-sha-256
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
passdb {
  driver = static
  args = password={SHA256.HEX}5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
}
`, "alice")
	client, capabilities := dovecotClient(t, dovecot, true, 0)
	used, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", "password"), auth.Policy{})
	if used != "PLAIN" || err != nil {
		t.Errorf("%q, %v", used, err)
	}
}

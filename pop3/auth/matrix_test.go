package auth_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
)

// TestMatrix logs in by every mechanism over every kind of connection, with
// and without leave to use clear text.
func TestMatrix(t *testing.T) {
	// What a mechanism needs of a connection without TLS: nothing, leave, or
	// what leave cannot give.
	const always, leave, never = "always", "leave", "never"
	inClear := map[string]string{
		"SCRAM-SHA-256": always, "SCRAM-SHA-1": always,
		"PLAIN": leave, "LOGIN": leave, "USER": leave, "APOP": leave, "CRAM-MD5": leave, "DIGEST-MD5": leave, "NTLM": leave,
		"OAUTHBEARER": leave, "XOAUTH2": leave,
		"SCRAM-SHA-256-PLUS": never, "SCRAM-SHA-1-PLUS": never, "EXTERNAL": never,
	}
	server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms(), ClientCertificates: true})
	certificate, err := server.ClientCertificate("alice")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, name := range auth.Names() {
		if name == "GSSAPI" {
			continue // its server side is not this package's
		}
		for _, how := range []link{clear, tls12, tls13} {
			for _, cleartext := range []bool{false, true} {
				tested++
				t.Run(fmt.Sprint(name, " ", how, " ", cleartext), func(t *testing.T) {
					want := how != clear || inClear[name] == always || inClear[name] == leave && cleartext
					if name == "APOP" && how != clear {
						want = false // STLS makes the client forget the timestamp
					}
					client, capabilities := dial(t, server, how, func(config *tls.Config) { config.Certificates = []tls.Certificate{certificate} })
					credentials := withPassword("alice", secret)
					credentials.Token, credentials.Certificate = &tokens{list: []string{secret}}, true
					used, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{Mechanisms: []string{name}, Cleartext: cleartext})
					if want != (err == nil) || want && used != name || want != loggedIn(t, client) {
						t.Errorf("%q, %v; want a login: %v", used, err, want)
					}
					var none *auth.NoMechanismError
					if !want && (!errors.As(err, &none) || none.Hint == "") {
						t.Errorf("error %#v", err)
					}
				})
			}
		}
	}
	if tested != 6*14 {
		t.Errorf("%d combinations", tested)
	}
	for _, line := range server.Log() {
		if strings.Contains(line.Text, secret) {
			t.Errorf("log: %q", line.Text)
		}
	}
}

// TestChoice looks at which mechanism is taken of those offered.
func TestChoice(t *testing.T) {
	const all = "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS EXTERNAL OAUTHBEARER XOAUTH2"
	tests := []struct {
		offered string // SASL names; a leading "-" leaves USER out
		how     link
		policy  auth.Policy
		want    string // "" means none
	}{
		{all, tls13, auth.Policy{}, "SCRAM-SHA-256-PLUS"},
		{all, tls12, auth.Policy{}, "SCRAM-SHA-256-PLUS"},
		{all, clear, auth.Policy{}, "SCRAM-SHA-256"},
		{"SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256", tls13, auth.Policy{}, "SCRAM-SHA-1-PLUS"},
		{"PLAIN SCRAM-SHA-1", tls13, auth.Policy{}, "SCRAM-SHA-1"},
		{"LOGIN PLAIN CRAM-MD5 DIGEST-MD5 NTLM", tls13, auth.Policy{}, "PLAIN"},
		{"LOGIN CRAM-MD5 DIGEST-MD5 NTLM", tls13, auth.Policy{}, "LOGIN"},
		{"CRAM-MD5 DIGEST-MD5 NTLM", tls13, auth.Policy{}, "USER"},
		{"-CRAM-MD5 DIGEST-MD5 NTLM", tls13, auth.Policy{}, "DIGEST-MD5"},
		{"-CRAM-MD5 NTLM", tls13, auth.Policy{}, "CRAM-MD5"},
		{"-NTLM", tls13, auth.Policy{}, "NTLM"},
		{"-KERBEROS_V4 SCRAM-MD5 OTP SKEY ANONYMOUS CRAM-SHA1", tls13, auth.Policy{}, ""},
		{"-KERBEROS_V4 CRAM-MD5", tls13, auth.Policy{}, "CRAM-MD5"},
		{"", tls13, auth.Policy{}, "USER"},
		{"-", tls13, auth.Policy{}, "USER"}, // it says nothing at all of logins

		// Clear text: only what shows nothing, unless the job says so; then
		// what shows least.
		{"PLAIN LOGIN CRAM-MD5 DIGEST-MD5", clear, auth.Policy{}, ""},
		{"", clear, auth.Policy{}, ""},
		{"PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM", clear, auth.Policy{Cleartext: true}, "DIGEST-MD5"},
		{"PLAIN LOGIN CRAM-MD5", clear, auth.Policy{Cleartext: true}, "CRAM-MD5"},
		{"PLAIN LOGIN", clear, auth.Policy{Cleartext: true}, "PLAIN"},
		{"", clear, auth.Policy{Cleartext: true}, "USER"}, // never APOP unasked

		// A list: its order, and only what is offered.
		{all, tls13, auth.Policy{Mechanisms: []string{"LOGIN", "PLAIN"}}, "LOGIN"},
		{"PLAIN", tls13, auth.Policy{Mechanisms: []string{"SCRAM-SHA-256", "LOGIN", "PLAIN"}}, "PLAIN"},
		{"PLAIN", tls13, auth.Policy{Mechanisms: []string{"SCRAM-SHA-256", "LOGIN"}}, ""},
		{"PLAIN", tls13, auth.Policy{Mechanisms: []string{"SCRAM-SHA-256", "USER"}}, "USER"},
		{"-PLAIN", tls13, auth.Policy{Mechanisms: []string{"SCRAM-SHA-256", "USER"}}, ""},
		{all, clear, auth.Policy{Mechanisms: []string{"PLAIN", "SCRAM-SHA-256"}}, "SCRAM-SHA-256"},
		{all, clear, auth.Policy{Mechanisms: []string{"APOP", "PLAIN"}, Cleartext: true}, "APOP"},
	}
	for _, test := range tests {
		offered, noUser := strings.CutPrefix(test.offered, "-")
		t.Run(fmt.Sprint(test.offered, " ", test.how, " ", test.policy), func(t *testing.T) {
			lines := []string{"UIDL"}
			if offered != "" {
				lines = append(lines, "SASL "+offered)
			}
			if !noUser {
				lines = append(lines, "USER")
			}
			known := slices.DeleteFunc(strings.Fields(offered), func(name string) bool { return !slices.Contains(pop3test.Mechanisms(), name) })
			server := start(t, pop3test.Config{Mechanisms: known, Capabilities: lines})
			client, capabilities := dial(t, server, test.how, nil)
			used, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", secret), test.policy)
			if used != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%q, %v; want %q", used, err, test.want)
			}
			if test.want == "" {
				var none *auth.NoMechanismError
				if !errors.As(err, &none) || none.Hint == "" {
					t.Fatalf("error %v", err)
				}
				for _, name := range slices.Concat(strings.Fields(offered), test.policy.Mechanisms) {
					if !strings.Contains(err.Error(), name) {
						t.Errorf("%v does not name %s", err, name)
					}
				}
				if commands := server.Log(); slices.ContainsFunc(commands, func(l pop3test.Line) bool {
					return strings.HasPrefix(l.Text, "AUTH") || strings.HasPrefix(l.Text, "USER") || strings.HasPrefix(l.Text, "APOP")
				}) {
					t.Errorf("said %v", commands)
				}
			}
		})
	}
}

// TestNoCAPA is a server that knows no CAPA: USER and PASS, or what the job names.
func TestNoCAPA(t *testing.T) {
	for want, list := range map[string][]string{"USER": nil, "LOGIN": {"LOGIN"}, "PLAIN": {"PLAIN", "USER"}} {
		server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms(), Without: []string{"CAPA"}})
		client, capabilities := dial(t, server, tls13, nil)
		if used, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", secret), auth.Policy{Mechanisms: list}); used != want || err != nil {
			t.Errorf("%v: %q, %v", list, used, err)
		}
	}
}

// TestMisspeltCapabilities reads the lists of servers that spell them otherwise.
func TestMisspeltCapabilities(t *testing.T) {
	for _, line := range []string{"AUTH=LOGIN", "AUTH LOGIN", "sasl login", "AUTH =LOGIN", "SASL=LOGIN CRAM-MD5"} {
		server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms(), Capabilities: []string{line}})
		client, capabilities := dial(t, server, tls13, nil)
		if used, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", secret), auth.Policy{}); used != "LOGIN" || err != nil {
			t.Errorf("%s: %q, %v", line, used, err)
		}
	}
}

// TestIdentity logs a master user in to another's maildrop.
func TestIdentity(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms(), Masters: map[string]string{"master,=": "m"}})
	for _, name := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "DIGEST-MD5"} {
		client, capabilities := dial(t, server, tls13, nil)
		credentials := withPassword("master,=", "m")
		credentials.Identity = "alice"
		if _, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{Mechanisms: []string{name}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		client.Quit(t.Context())
	}
	// The others would open the wrong maildrop.
	client, capabilities := dial(t, server, tls13, nil)
	credentials := withPassword("master,=", "m")
	credentials.Identity = "alice"
	_, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{Mechanisms: []string{"LOGIN", "CRAM-MD5", "NTLM", "USER"}})
	if err == nil || strings.Count(err.Error(), "cannot carry an identity") != 4 {
		t.Errorf("error %v", err)
	}
}

// TestStrippedList: somebody takes -PLUS out of what the server offers. The
// client says that it could have bound the login, and the server sees that.
func TestStrippedList(t *testing.T) {
	for _, how := range []link{tls12, tls13} {
		server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms(), Capabilities: []string{"STLS", "SASL SCRAM-SHA-256 SCRAM-SHA-1"}})
		client, capabilities := dial(t, server, how, nil)
		_, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", secret), auth.Policy{Mechanisms: []string{"SCRAM-SHA-256"}})
		var refused *auth.RefusedError
		if !errors.As(err, &refused) || refused.Verdict != auth.Denied {
			t.Errorf("%v: %v", how, err)
		}
	}
}

package auth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"popmigrate/pop3"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
)

// tries returns the mechanisms that the server was asked for, in order.
func tries(server *pop3test.Server) []string {
	var names []string
	for _, line := range server.Log() {
		words := strings.Fields(line.Text)
		switch {
		case len(words) > 1 && words[0] == "AUTH":
			names = append(names, words[1])
		case len(words) > 0 && (words[0] == "PASS" || words[0] == "APOP"):
			names = append(names, words[0])
		}
	}
	return names
}

// TestRefusedSecret counts how often a wrong password is tried: once, and once
// more as it is where a challenge mechanism was refused on TLS.
func TestRefusedSecret(t *testing.T) {
	everything := pop3test.Mechanisms()
	tests := map[string]struct {
		offered []string
		how     link
		policy  auth.Policy
		want    []string
	}{
		"plain":                        {[]string{"PLAIN", "LOGIN"}, tls13, auth.Policy{}, []string{"PLAIN"}},
		"user":                         {[]string{}, tls13, auth.Policy{}, []string{"PASS"}},
		"challenge, then plain":        {[]string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"}, tls13, auth.Policy{}, []string{"SCRAM-SHA-256", "PLAIN"}},
		"bound, then plain":            {everything, tls13, auth.Policy{}, []string{"SCRAM-SHA-256-PLUS", "PLAIN"}},
		"challenge, then user":         {[]string{"SCRAM-SHA-1"}, tls13, auth.Policy{}, []string{"SCRAM-SHA-1", "PASS"}},
		"in clear text no plain":       {[]string{"CRAM-MD5", "PLAIN"}, clear, auth.Policy{Cleartext: true}, []string{"CRAM-MD5"}},
		"the list has no plain":        {everything, tls13, auth.Policy{Mechanisms: []string{"SCRAM-SHA-1", "CRAM-MD5"}}, []string{"SCRAM-SHA-1"}},
		"the list has it":              {everything, tls13, auth.Policy{Mechanisms: []string{"SCRAM-SHA-1", "CRAM-MD5", "LOGIN", "PLAIN"}}, []string{"SCRAM-SHA-1", "LOGIN"}},
		"plain first, no second at it": {everything, tls13, auth.Policy{Mechanisms: []string{"PLAIN", "SCRAM-SHA-1", "LOGIN"}}, []string{"PLAIN"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := start(t, pop3test.Config{Mechanisms: test.offered})
			client, capabilities := dial(t, server, test.how, nil)
			_, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", "wrong one"), test.policy)
			var refused *auth.RefusedError
			if !errors.As(err, &refused) || refused.Verdict != auth.Denied || refused.Hint == "" {
				t.Errorf("error %v", err)
			}
			if got := tries(server); !slices.Equal(got, test.want) {
				t.Errorf("tried %v, want %v", got, test.want)
			}
			if strings.Contains(err.Error(), "wrong one") {
				t.Errorf("error shows the password: %v", err)
			}
		})
	}
}

// TestHashedPasswords is a server that stores hashes: challenge mechanisms
// fail there with the right password too.
func TestHashedPasswords(t *testing.T) {
	for _, reply := range []string{"-ERR [AUTH] Authentication failed.", "-ERR"} {
		server := start(t, pop3test.Config{Mechanisms: []string{"CRAM-MD5", "SCRAM-SHA-256", "PLAIN"}})
		server.SetRules(pop3test.Rule{Command: "AUTH", Times: 1, Do: pop3test.Challenges(func(n int, line string) string {
			if n == 2 {
				return reply
			}
			return line
		})})
		client, capabilities := dial(t, server, tls13, nil)
		used, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", secret), auth.Policy{})
		if used != "PLAIN" || err != nil || !loggedIn(t, client) {
			t.Errorf("%s: %q, %v", reply, used, err)
		}
	}
}

// TestNoSecondTry lists replies after which no other mechanism follows.
func TestNoSecondTry(t *testing.T) {
	for reply, want := range map[string]auth.Verdict{
		"-ERR [IN-USE] maildrop locked":       auth.Later,
		"-ERR [LOGIN-DELAY] wait":             auth.Later,
		"-ERR [SYS/TEMP] later":               auth.Later,
		"-ERR [SYS/PERM] no mail here":        auth.Barred,
		"-ERR Can't get lock. Mailbox in use": auth.Later,
	} {
		server := start(t, pop3test.Config{Mechanisms: []string{"SCRAM-SHA-256", "PLAIN"}})
		server.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.Instead(reply)})
		client, capabilities := dial(t, server, tls13, nil)
		_, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", secret), auth.Policy{})
		var refused *auth.RefusedError
		if !errors.As(err, &refused) || refused.Verdict != want || len(tries(server)) != 1 {
			t.Errorf("%s: %v after %v", reply, err, tries(server))
		}
	}
}

// TestClosedAfterRefusal is a server that closes the line after one refusal:
// that is what is reported.
func TestClosedAfterRefusal(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: []string{"SCRAM-SHA-256", "PLAIN"}})
	server.SetRules(pop3test.Rule{Command: "AUTH", Do: pop3test.Cut(-1)})
	client, capabilities := dial(t, server, tls13, nil)
	_, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", "wrong one"), auth.Policy{})
	var refused *auth.RefusedError
	if !errors.As(err, &refused) || refused.Reply.Command != "AUTH SCRAM-SHA-256" {
		t.Errorf("error %v", err)
	}
}

func TestNoPassword(t *testing.T) {
	server := start(t, pop3test.Config{})
	client, capabilities := dial(t, server, tls13, nil)
	cause := errors.New("vault is closed")
	credentials := auth.Credentials{User: "alice", Password: func(context.Context) (string, error) { return "", cause }}
	_, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{})
	var missing *auth.CredentialError
	if !errors.As(err, &missing) || !errors.Is(err, cause) || len(tries(server)) != 0 {
		t.Errorf("error %v", err)
	}
}

// TestTokens refuses tokens.
func TestTokens(t *testing.T) {
	for _, name := range []string{"OAUTHBEARER", "XOAUTH2"} {
		tests := map[string]struct {
			tokens []string
			asked  int
			tried  int
			ok     bool
			says   string
		}{
			"good":            {[]string{secret}, 1, 1, true, ""},
			"stale":           {[]string{"yesterday's", secret}, 2, 2, true, ""},
			"two stale":       {[]string{"yesterday's", "today's", secret}, 2, 2, false, `before it "status 401, scope mail"`},
			"always the same": {[]string{"yesterday's"}, 2, 1, false, "the token source gave the same one again"},
		}
		for what, test := range tests {
			t.Run(name+" "+what, func(t *testing.T) {
				server := start(t, pop3test.Config{Mechanisms: []string{"PLAIN", name}})
				client, capabilities := dial(t, server, tls13, nil)
				source := &tokens{list: test.tokens}
				_, err := auth.Login(t.Context(), client, capabilities, auth.Credentials{User: "alice", Token: source}, auth.Policy{})
				if (err == nil) != test.ok || len(source.rejected) != test.asked || len(tries(server)) != test.tried {
					t.Errorf("%v, asked %q, tried %v", err, source.rejected, tries(server))
				}
				if len(source.rejected) > 1 && source.rejected[1] != test.tokens[0] {
					t.Errorf("rejected %q", source.rejected)
				}
				if err != nil && (!strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "day's")) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

// TestStaleTokenOnClosingServer is a server that closes after it refused a
// token: a second connection gets a fresh one, and a third is not made.
func TestStaleTokenOnClosingServer(t *testing.T) {
	for good, want := range map[string]bool{secret: true, "wrong too": false} {
		server := start(t, pop3test.Config{Mechanisms: []string{"XOAUTH2"}})
		server.SetRules(pop3test.Rule{Command: "AUTH", Do: pop3test.Cut(-1), Times: 1})
		client, capabilities := dial(t, server, tls13, nil)
		source := &tokens{list: []string{"stale", "lost on the closed line", good}}
		credentials := auth.Credentials{User: "alice", Token: source}
		_, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{})
		var stale *auth.StaleTokenError
		if !errors.As(err, &stale) {
			t.Fatalf("error %v", err)
		}
		client, capabilities = dial(t, server, tls13, nil)
		_, err = auth.Login(t.Context(), client, capabilities, stale.Renew(credentials), auth.Policy{})
		if (err == nil) != want || source.rejected[len(source.rejected)-1] != "stale" || len(source.rejected) != 3 {
			t.Errorf("%v after %q", err, source.rejected)
		}
	}
}

// TestExplain reads the refusals of real servers.
func TestExplain(t *testing.T) {
	tests := []struct {
		code, text string
		announced  bool
		want       auth.Verdict
		hint       string // part of it
	}{
		{"AUTH", "Authentication failed.", true, auth.Denied, "app password"},
		{"AUTH/X", "no", true, auth.Denied, ""},
		{"IN-USE", "Unable to lock maildrop", false, auth.Later, "close other mail programs"},
		{"LOGIN-DELAY", "Logins must be at least 1 minute apart", true, auth.Later, "more time"},
		{"SYS/TEMP", "Temporary authentication failure.", true, auth.Later, ""},
		{"SYS/TEMP/DISK", "", true, auth.Later, ""},
		{"SYS/PERM", "Unable to open maildrop", true, auth.Barred, "administrator"},
		{"SYS/WHATEVER", "", true, auth.Later, ""},
		{"UTF8", "use it", false, auth.Barred, `utf8 = "on"`},
		{"REFERRAL/ALICE@OTHER.EXAMPLE", "gone", false, auth.Barred, "not followed"},
		{"NEW-CODE", "password wrong", false, auth.Denied, ""},
		{"", "Can't get lock.  Mailbox in use", false, auth.Later, ""},
		{"", "maildrop already locked", false, auth.Later, ""},
		{"", "internal server error", false, auth.Later, ""},
		{"", "System busy, try later.", false, auth.Later, ""},
		{"", "Temporary problem, please try again later", false, auth.Later, ""},
		{"", "your account is having maintenance peformed. please try again later", false, auth.Later, ""},
		{"", "Too many open connections (3)", false, auth.Later, ""},
		{"", "failed: Could not connect to server", true, auth.Later, ""},
		{"", "no, sorry", true, auth.Later, "gives no reason"},
		{"", "Unrecognized authentication type", true, auth.Absent, ""},
		{"", "unknown command", false, auth.Absent, ""},
		{"AUTH", "mechanism not supported", false, auth.Denied, ""},
		{"", "Invalid password, please try again", false, auth.Denied, ""},
		{"", "Login failed.", false, auth.Denied, ""},
		{"", "", true, auth.Denied, ""},
		{"", "Logon failure: unknown user name or bad password.", false, auth.Denied, ""},
		{"", "Authentication failed (bad password?)", true, auth.Denied, ""},
		{"", "wait for the other session", false, auth.Later, ""},
		{"", "this user has no $HOME/Maildir", false, auth.Barred, "no maildrop"},
		{"", "chdir Maildir failed", false, auth.Barred, "no maildrop"},
		{"", "no memory available", false, auth.Barred, "so large"},
		{"", "POP3 access disabled for this account.", false, auth.Barred, "switch POP on"},
		{"AUTH", "Application-specific password required: https://support.google.com/accounts/answer/185833", true, auth.Denied, "app password"},
		{"AUTH", "Web login required: https://support.google.com/mail/answer/78754", true, auth.Denied, "browser"},
		{"AUTH", "Your account is not enabled for POP access.", true, auth.Barred, "switch POP on"},
		{"AUTH", "login failure or POP3 disabled, try later. sc=abc", true, auth.Denied, "switched on"},
		{"AUTH", "Cleartext authentication disallowed on non-secure (SSL/TLS) connections.", true, auth.Barred, "starttls"},
		{"AUTH", "USER command only available under a layer", true, auth.Barred, "starttls"},
		{"", "only valid after entering TLS mode", false, auth.Barred, "starttls"},
		{"", "A SSL/TLS-connection is required for authentication.", false, auth.Barred, "starttls"},
		{"", "Login Fail. Please enter your authorization code to login.", false, auth.Denied, "QQ"},
		{"", "Too many invalid logon attempts.", false, auth.Later, "bans"},
		{"", "Exceeded the login limit for a 15 minute period. Reduce the frequency of requests", false, auth.Later, "fewer accounts"},
		{"", "Your IP is blocked", false, auth.Barred, "blocks"},
		{"", "Protocol error. 19", false, auth.Barred, "this form"},
		{"", "account is locked", false, auth.Barred, "unlocked"},
	}
	for _, test := range tests {
		got := auth.Explain(&pop3.ReplyError{Code: test.code, Text: test.text}, test.announced)
		if got.Verdict != test.want || !strings.Contains(got.Hint, test.hint) {
			t.Errorf("[%s] %s: %+v, want %v %q", test.code, test.text, got, test.want, test.hint)
		}
		if (got.Verdict == auth.Later) != (got.After > 0) {
			t.Errorf("[%s] %s: after %v", test.code, test.text, got.After)
		}
	}
}

// TestOtherProof: what was not refused may follow what was. A certificate, a
// ticket and a password are three secrets.
func TestOtherProof(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: []string{"PLAIN", "EXTERNAL"}, ClientCertificates: true})
	client, capabilities := dial(t, server, tls13, nil) // without the certificate, which the server so refuses
	credentials := withPassword("alice", secret)
	credentials.Certificate = true
	used, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{})
	if want := []string{"EXTERNAL", "PLAIN"}; used != "PLAIN" || err != nil || !slices.Equal(tries(server), want) {
		t.Errorf("%q, %v after %v", used, err, tries(server))
	}
}

// TestKerberos has a ticket made for the server that the job names.
func TestKerberos(t *testing.T) {
	play := func(script string) *pop3.Client {
		t.Helper()
		peer := pop3test.Play("S: +OK ready\nC: CAPA\nS: +OK\nS: SASL GSSAPI PLAIN\nS: .\n" + script)
		client := pop3.NewClient(peer, nil)
		t.Cleanup(func() {
			client.Close()
			if err := peer.Err(); err != nil {
				t.Error(err)
			}
		})
		if _, err := client.Greeting(t.Context()); err != nil {
			t.Fatal(err)
		}
		return client
	}
	client := play("C: AUTH GSSAPI\nS: +\nC: cG9wLmV4YW1wbGUubmV0\nS: +OK\n")
	capabilities, err := client.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	credentials := withPassword("alice", secret)
	credentials.Kerberos = func(_ context.Context, host string) (sasl.Client, error) { return ticketFor(host), nil }
	if used, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{}); used != "GSSAPI" || err != nil {
		t.Errorf("%q, %v", used, err)
	}

	client = play("")
	if capabilities, err = client.Capabilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("no ticket")
	credentials.Kerberos = func(context.Context, string) (sasl.Client, error) { return nil, cause }
	_, err = auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{})
	var missing *auth.CredentialError
	if !errors.As(err, &missing) || !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

// ticketFor is a GSSAPI exchange that says whom it is for.
type ticketFor string

func (x ticketFor) Start() (string, []byte, error)        { return "GSSAPI", []byte(x), nil }
func (x ticketFor) Next(challenge []byte) ([]byte, error) { return nil, errors.New("asked") }

// TestSaidInSCRAM: why the server refuses may stand in its last challenge.
func TestSaidInSCRAM(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: []string{"SCRAM-SHA-256"}})
	server.SetRules(
		pop3test.Rule{Command: "AUTH", Do: step(3, func(string) string { return "e=unknown-user" })},
		pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.Instead("-ERR [AUTH] no")})
	client, capabilities := dial(t, server, tls13, nil)
	_, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", secret), auth.Policy{Mechanisms: []string{"SCRAM-SHA-256"}})
	if want := `AUTH SCRAM-SHA-256: server said "-ERR [AUTH] no" and before it "unknown-user"`; err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}

// TestUnannounced: one name alone is tried whatever the server announces; the
// hint says so where it is refused.
func TestUnannounced(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: []string{"PLAIN"}, Capabilities: []string{"STLS", "USER", "SASL LOGIN"}})
	for password, want := range map[string]bool{secret: true, "wrong one": false} {
		client, capabilities := dial(t, server, tls13, nil)
		_, err := auth.Login(t.Context(), client, capabilities, withPassword("alice", password), auth.Policy{Mechanisms: []string{"PLAIN"}})
		var refused *auth.RefusedError
		if (err == nil) != want || err != nil && (!errors.As(err, &refused) || !strings.Contains(refused.Hint, "does not announce PLAIN")) {
			t.Errorf("%v", err)
		}
		client.Close()
	}
}

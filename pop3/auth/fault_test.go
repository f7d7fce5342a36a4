package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"popmigrate/pop3"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
)

// step changes the n-th challenge of an exchange.
func step(n int, change func(decoded string) string) pop3test.Action {
	return pop3test.Challenges(func(k int, line string) string {
		if k != n {
			return line
		}
		decoded, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "+ "))
		return "+ " + base64.StdEncoding.EncodeToString([]byte(change(string(decoded))))
	})
}

// line replaces the n-th challenge of an exchange by a line.
func line(n int, with string) pop3test.Action {
	return pop3test.Challenges(func(k int, line string) string {
		if k == n {
			return with
		}
		return line
	})
}

func replace(old, by string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, by, 1) }
}

// TestFaults lets the server go wrong in the midst of exchanges. Challenges
// are counted from 1; of a mechanism that speaks first the first is empty.
func TestFaults(t *testing.T) {
	flip := func(text string) string { // another signature of the same length
		octets := []byte(text)
		octets[len(octets)-3] ^= 1
		return string(octets)
	}
	tests := map[string]struct {
		mechanism string
		do        pop3test.Action
		want      string // part of the error
		lives     bool   // the connection goes on
	}{
		"wrong signature":           {"SCRAM-SHA-256", step(3, flip), "did not prove", true},
		"wrong signature, bound":    {"SCRAM-SHA-256-PLUS", step(3, flip), "did not prove", true},
		"signature cut":             {"SCRAM-SHA-1", step(3, func(s string) string { return s[:len(s)-4] }), "did not prove", true},
		"signature of nothing":      {"SCRAM-SHA-1", step(3, func(string) string { return "v=" }), "did not prove", true},
		"no signature":              {"SCRAM-SHA-256", line(3, "+OK welcome"), "did not prove", false},
		"+OK at once":               {"SCRAM-SHA-256", line(2, "+OK welcome"), "did not prove", false},
		"e= and +OK":                {"SCRAM-SHA-256", step(3, func(string) string { return "e=other-error" }), "did not prove", false},
		"another nonce":             {"SCRAM-SHA-256", step(2, func(s string) string { return "r=x" + s[2:] }), "nonce", true},
		"few iterations":            {"SCRAM-SHA-256", step(2, replace("i=4096", "i=1")), "too few iterations", true},
		"endless iterations":        {"SCRAM-SHA-256", step(2, replace("i=4096", "i=2000000000")), "more than 10000000 iterations", true},
		"iterations beyond numbers": {"SCRAM-SHA-256", step(2, replace("i=4096", "i=99999999999999999999")), "more than 10000000 iterations", true},
		"a mandatory extension":     {"SCRAM-SHA-256", step(2, func(s string) string { return "m=x," + s }), "extensions", true},
		"controls in a challenge":   {"SCRAM-SHA-256", step(2, replace(",s=", ",\x1b[2J=")), "?[2J", true},
		"no base64":                 {"SCRAM-SHA-256", line(2, "+ !!!"), "not base64", true},
		"no base64 in LOGIN":        {"LOGIN", line(2, "+ Password:"), "not base64", true},
		"wrong rspauth":             {"DIGEST-MD5", step(2, flip), "did not prove", true},
		"no rspauth":                {"DIGEST-MD5", line(2, "+OK welcome"), "did not prove", false},
		"another nonce's challenge": {"DIGEST-MD5", step(1, replace("nonce=", "once=")), "without one nonce", true},
		"wants integrity":           {"DIGEST-MD5", step(1, replace(`qop="auth"`, `qop="auth-int,auth-conf"`)), "more than authentication", true},
		"another algorithm":         {"DIGEST-MD5", step(1, replace("md5-sess", "md5")), "algorithm", true},
		"half a challenge":          {"DIGEST-MD5", step(1, func(s string) string { return s[:20] }), "cannot be read", true},
		"NTLM rubbish":              {"NTLM", step(2, func(string) string { return "NTLMSSP" }), "EOF", true},
		"NTLM points outside":       {"NTLM", step(2, func(s string) string { return s[:16] + "\xff\xff\xff\xff" + s[20:] }), "", true},
		"NTLM version 1 wanted":     {"NTLM", step(2, func(s string) string { return s[:20] + "\x85\x82\x08\xa0" + s[24:] }), "only NTLM v2", true},
		"empty challenge":           {"CRAM-MD5", line(1, "+ "), "no challenge", true},
		"three prompts":             {"LOGIN", pop3test.AskAgain(), "more than name and password", true},
		"endless PLAIN":             {"PLAIN", pop3test.AskAgain(), "unexpected server challenge", true},
		"endless SCRAM":             {"SCRAM-SHA-256", pop3test.AskAgain(), "goes on asking", true},
		"endless DIGEST":            {"DIGEST-MD5", pop3test.AskAgain(), "goes on asking", true},
		"endless NTLM":              {"NTLM", pop3test.AskAgain(), "goes on asking", true},
		"endless CRAM":              {"CRAM-MD5", pop3test.AskAgain(), "more than one", true},
		"token said wrong, +OK":     {"XOAUTH2", pop3test.AskAgain(), "goes on asking", true},
		"cut in a challenge":        {"SCRAM-SHA-256", pop3test.Cut(20), "unexpected EOF", false},
		"cut in the first":          {"CRAM-MD5", pop3test.Cut(1), "unexpected EOF", false},
		"reset":                     {"DIGEST-MD5", pop3test.Reset(40), "", false},
		"a challenge of 12 KiB":     {"LOGIN", step(1, func(string) string { return strings.Repeat("a", 9000) }), "", true},
		"one of 20 KiB":             {"LOGIN", step(1, func(string) string { return strings.Repeat("a", 15000) }), "line of more than", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms()})
			server.SetRules(pop3test.Rule{Command: "AUTH", Do: test.do})
			client, capabilities := dial(t, server, tls13, nil)
			credentials := withPassword("alice", secret)
			credentials.Token = &tokens{list: []string{secret}}
			_, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{Mechanisms: []string{test.mechanism}})
			if name == "a challenge of 12 KiB" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if strings.HasPrefix(test.want, "did not prove") != errors.Is(err, auth.ErrUnproven) {
				t.Errorf("error %v is not what it is", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error shows the secret: %v", err)
			}
			if (client.Broken() == nil) != test.lives || loggedIn(t, client) {
				t.Errorf("broken: %v", client.Broken())
			}
			if test.lives {
				server.SetRules()
				if err := client.Login(t.Context(), "alice", secret); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		})
	}
}

// TestEchoes has the server repeat secrets wherever it can.
func TestEchoes(t *testing.T) {
	hexed := "6f70656e2c20736573616d653d31"
	for _, echo := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), hexed, strings.ToUpper(hexed),
		base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + secret))} {
		for _, name := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "XOAUTH2", "OAUTHBEARER", "USER"} {
			server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms()})
			server.SetRules(
				pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.Instead("-ERR [AUTH] wrong: " + echo)},
				pop3test.Rule{Command: "AUTH", Do: step(3, func(string) string { return "e=" + echo })})
			client, capabilities := dial(t, server, tls13, nil)
			credentials := withPassword("alice", secret)
			credentials.Token = &tokens{list: []string{secret}}
			_, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{Mechanisms: []string{name}})
			if err == nil || !strings.Contains(err.Error(), "(secret)") || strings.Contains(err.Error(), echo) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s, %q: %v", name, echo, err)
			}
		}
	}
}

// TestSilentServer ends a login that gets no answer, by its context.
func TestSilentServer(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: []string{"SCRAM-SHA-256"}})
	server.SetRules(pop3test.Rule{Command: "AUTH", Do: pop3test.Stall(4)})
	client, capabilities := dial(t, server, tls13, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := auth.Login(ctx, client, capabilities, withPassword("alice", secret), auth.Policy{})
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) || client.Broken() == nil {
		t.Errorf("error %v", err)
	}
}

// TestUnsendable are names and secrets that would break a message apart.
func TestUnsendable(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms()})
	for _, name := range []string{"PLAIN", "OAUTHBEARER", "XOAUTH2", "DIGEST-MD5", "SCRAM-SHA-256", "USER"} {
		for _, user := range []string{"al\x00ice", "alice\r\nDELE 1"} {
			if name == "PLAIN" && !strings.Contains(user, "\x00") {
				continue // it is base64, and the server's to judge
			}
			client, capabilities := dial(t, server, tls13, nil)
			credentials := withPassword(user, secret)
			credentials.Token = &tokens{list: []string{secret}}
			_, err := auth.Login(t.Context(), client, capabilities, credentials, auth.Policy{Mechanisms: []string{name}})
			var none *auth.NoMechanismError
			if err == nil || client.Broken() != nil || name != "USER" && !errors.As(err, &none) {
				t.Errorf("%s %q: %v", name, user, err)
			}
			client.Close()
		}
	}
	if got := tries(server); len(got) > 0 {
		t.Errorf("tried %v", got)
	}
}

// TestOutsideASCII sends names and passwords in UTF-8 where they may be sent.
func TestOutsideASCII(t *testing.T) {
	const user, password = "jürgen", "pässwörd ✓"
	tests := []struct {
		lines  []string
		policy auth.Policy
		want   string
	}{
		{[]string{"USER"}, auth.Policy{}, ""},
		{[]string{"USER", "UTF8"}, auth.Policy{}, ""},
		{[]string{"USER", "UTF8 USER"}, auth.Policy{}, "USER"},
		{[]string{"USER"}, auth.Policy{Mechanisms: []string{"USER"}}, "USER"},
		{[]string{"USER", "SASL PLAIN"}, auth.Policy{}, "PLAIN"},
		{[]string{"USER", "SASL SCRAM-SHA-256 DIGEST-MD5"}, auth.Policy{Mechanisms: []string{"DIGEST-MD5"}}, "DIGEST-MD5"},
		{[]string{"USER", "SASL NTLM"}, auth.Policy{Mechanisms: []string{"NTLM"}}, "NTLM"},
	}
	for _, test := range tests {
		server := start(t, pop3test.Config{Mechanisms: pop3test.Mechanisms(), Capabilities: test.lines})
		server.AddMaildrop(user, password)
		client, capabilities := dial(t, server, tls13, nil)
		used, err := auth.Login(t.Context(), client, capabilities, withPassword(user, password), test.policy)
		if used != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%v: %q, %v", test.lines, used, err)
		}
	}
}

// TestPrepared: names and passwords that are one by SASLprep (RFC 4013) are one
// to SCRAM, and what it forbids is not sent.
func TestPrepared(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: []string{"SCRAM-SHA-256", "SCRAM-SHA-1"}})
	server.AddMaildrop("IX", "a b")
	for _, name := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1"} {
		for _, typed := range []struct {
			user, password string
			ok             bool
		}{
			{"IX", "a b", true}, {"I\u00adX", "a\u00a0b", true}, {"\u2168", "a\u3000b", true}, {"ix", "a b", false}, {"IX", "a\u0007b", false},
		} {
			client, capabilities := dial(t, server, tls13, nil)
			_, err := auth.Login(t.Context(), client, capabilities, withPassword(typed.user, typed.password), auth.Policy{Mechanisms: []string{name}})
			if (err == nil) != typed.ok {
				t.Errorf("%s %q %q: %v", name, typed.user, typed.password, err)
			}
			client.Close()
		}
	}
}

// TestWindowsNames logs in with the name of a domain.
func TestWindowsNames(t *testing.T) {
	server := start(t, pop3test.Config{Mechanisms: []string{"NTLM"}})
	server.AddMaildrop(`ACME\alice`, secret)
	server.SetRules(pop3test.Rule{Command: "AUTH", Do: pop3test.Challenges(func(n int, line string) string {
		if n == 1 {
			return "+" // Exchange 2003 says +OK; pop3/testdata has that
		}
		return line
	})})
	client, capabilities := dial(t, server, clear, nil)
	if _, err := auth.Login(t.Context(), client, capabilities, withPassword(`ACME\alice`, secret), auth.Policy{Cleartext: true, Mechanisms: []string{"NTLM"}}); err != nil {
		t.Error(err)
	}
}

var _ auth.Client = (*pop3.Client)(nil)

package auth_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"popmigrate/pop3"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
)

// TestTranscripts plays testdata/logins.txt, in segments of several lengths.
// The first words of a login are password or token and what it is; then come
// only=MECHANISM, user=NAME, and initial for the short form.
func TestTranscripts(t *testing.T) {
	text, err := os.ReadFile("testdata/logins.txt")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n== ")
	if len(parts) < 10 {
		t.Fatalf("%d dialogues", len(parts)-1)
	}
	for _, part := range parts[1:] {
		title, body, _ := strings.Cut(part, "\n")
		t.Run(title, func(t *testing.T) {
			for _, pieces := range []int{0, 1, 7} {
				playLogin(t, body, pieces)
			}
		})
	}
}

func playLogin(t *testing.T, body string, pieces int) {
	t.Helper()
	var account, want, script string
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, "> "); ok {
			account = strings.TrimSuffix(text, "\n")
		} else if text, ok := strings.CutPrefix(line, "< "); ok {
			want = strings.TrimSuffix(text, "\n")
		} else {
			script += line
		}
	}
	credentials, policy := readAccount(t, account)
	peer := pop3test.Play(script).InPieces(pieces)
	client := pop3.NewClient(peer, &pop3.Options{InitialLine: policy.InitialResponse})
	defer client.Close()
	if _, err := client.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	capabilities, _ := client.Capabilities(t.Context())
	got, err := auth.Login(t.Context(), client, capabilities, credentials, policy)
	if err != nil {
		got = err.Error()
	}
	client.Close()
	if err := peer.Err(); err != nil {
		t.Errorf("segments of %d: %v", pieces, err)
	}
	if got != want {
		t.Errorf("segments of %d:\n got %s\nwant %s", pieces, got, want)
	}
}

// readAccount reads what stands behind ">".
func readAccount(t *testing.T, text string) (auth.Credentials, auth.Policy) {
	t.Helper()
	kind, rest, _ := strings.Cut(text, " ")
	value, rest, _ := strings.Cut(rest, " ")
	if strings.HasPrefix(value, `"`) {
		quoted, err := strconv.QuotedPrefix(text[len(kind)+1:])
		if err != nil {
			t.Fatal(err)
		}
		value, _ = strconv.Unquote(quoted)
		rest = text[len(kind)+1+len(quoted):]
	}
	credentials, policy := withPassword("alice", value), auth.Policy{Cleartext: true}
	if kind == "token" {
		credentials.Password, credentials.Token = nil, &tokens{list: strings.Split(value, ",")}
	}
	for _, word := range strings.Fields(rest) {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "only":
			policy.Mechanisms = []string{value}
		case "user":
			credentials.User = value
		case "initial":
			policy.InitialResponse = 255
		default:
			t.Fatalf("cannot read %q", word)
		}
	}
	return credentials, policy
}

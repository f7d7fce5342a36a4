package pop3test_test

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "popmigrate/pop3/pop3test"
)

// impersonate returns a server of that key with mail in alice's maildrop.
func impersonate(t *testing.T, key string, contents ...string) (*Server, *Maildrop) {
	t.Helper()
	for _, p := range Personalities() {
		if p.Key == key {
			server := NewServer(p.ServerConfig())
			drop := server.AddMaildrop("alice", "secret", p.Own...)
			for _, content := range contents {
				drop.Deliver(Message{Content: []byte(content)})
			}
			return server, drop
		}
	}
	t.Fatalf("no personality %s", key)
	return nil, nil
}

// hold lets a client speak with the server as the script says: "C: " it sends
// this line, "S: " it gets it, "S* " it gets one that begins so; "closed" the
// server ends the line; "drop" the client does; "wait 3s" time passes; "---"
// is a new connection.
func hold(t *testing.T, server *Server, script string) {
	t.Helper()
	conn := server.Pipe()
	in := bufio.NewReader(conn)
	defer func() { conn.Close() }()
	for line := range strings.Lines(script) {
		line = strings.TrimLeft(strings.TrimSuffix(line, "\n"), "\t")
		kind, text, _ := strings.Cut(line, " ")
		switch kind {
		case "":
		case "C:":
			if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		case "S:", "S*":
			got, err := in.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v after %q", line, err, got)
			}
			if got != text+"\r\n" && (kind == "S:" || !strings.HasPrefix(got, text)) {
				t.Fatalf("got %q, want %q", got, line)
			}
		case "closed":
			if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
				t.Fatalf("closed: %q, %v", rest, err)
			}
		case "drop":
			conn.Close()
			synctest.Wait()
		case "wait":
			d, err := time.ParseDuration(text)
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(d)
			synctest.Wait()
		case "---":
			conn.Close()
			synctest.Wait()
			conn = server.Pipe()
			in = bufio.NewReader(conn)
		default:
			t.Fatalf("cannot read %q", line)
		}
	}
}

// TestPersonalities holds each dialogue.
func TestPersonalities(t *testing.T) {
	for _, test := range dialogues {
		t.Run(test.key+": "+test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, drop := impersonate(t, test.key, test.mail...)
				defer server.Close()
				hold(t, server, test.script)
				synctest.Wait()
				if left := len(drop.Contents()); left != test.left {
					t.Errorf("%d messages left, want %d", left, test.left)
				}
			})
		})
	}
}

// TestOrderTurns wants another order in each session.
func TestOrderTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _ := impersonate(t, "qmail", "a", "b", "c")
		defer server.Close()
		seen := map[string]bool{}
		for range 3 {
			conn := server.Pipe()
			in := bufio.NewReader(conn)
			say := func(line string) string {
				io.WriteString(conn, line+"\r\n")
				reply, _ := in.ReadString('\n')
				return reply
			}
			in.ReadString('\n')
			say("USER alice")
			say("PASS secret")
			seen[say("UIDL 1")+say("UIDL 2")] = true
			conn.Close()
			synctest.Wait()
		}
		if len(seen) != 3 {
			t.Errorf("%d orders in 3 sessions", len(seen))
		}
	})
}

// TestEveryPersonalityServes logs in to each in its own way and reads a message.
func TestEveryPersonalityServes(t *testing.T) {
	var keys []string
	for _, p := range Personalities() {
		keys = append(keys, p.Key)
		synctest.Test(t, func(t *testing.T) {
			server := NewServer(p.ServerConfig())
			defer server.Close()
			user := p.User
			if user == "" {
				user = "alice"
			}
			server.AddMaildrop(user, "secret", Message{Content: []byte("Subject: x\r\n\r\nbody\r\n")})
			login := "C: USER " + user + "\nS* +OK\nC: PASS secret\nS* +OK\n"
			if slices.Contains(p.Config.Without, "USER") {
				login = "C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\nS* +OK\n"
			}
			hold(t, server, "S* +OK "+p.Config.Greeting+"\n"+login+"C: RETR 1\nS* +OK\nS* \nC: QUIT\n")
		})
	}
	for _, key := range []string{"james", "citadel", "courier", "cyrus", "dovecot", "eims", "hmailserver", "imail", "kerio", "mailtraq", "nginx",
		"qmail", "qpopper", "repop", "uw", "wingate", "zimbra", "heimdal", "exchange", "exchange-online", "gmail", "yahoo"} {
		if !slices.Contains(keys, key) {
			t.Errorf("nobody plays %s", key)
		}
	}
}

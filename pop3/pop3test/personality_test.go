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

const logIn = "C: USER alice\nS* +OK\nC: PASS secret\nS* +OK\n"

// TestPersonalities looks at what sets each server apart.
func TestPersonalities(t *testing.T) {
	const one, two = "Message-ID: <1@x>\r\nSubject: one\r\n\r\n.dot\r\n", "Message-ID: <1@x>\r\nSubject: two\r\n\r\nbody\r\n"
	tests := []struct {
		key, what string
		mail      []string
		script    string
		left      int
	}{
		{"james", "TOP and UIDL come with the login; RSET renumbers", []string{one, two}, `
			S* +OK <4711.1760000000000@james
			C: CAPA
			S: +OK Capability list follows
			S: PIPELINING
			S: SASL PLAIN
			S: USER
			S: STLS
			S: .
			` + logIn + `
			C: CAPA
			S: +OK Capability list follows
			S: PIPELINING
			S: TOP
			S: UIDL
			S: .
			C: UIDL 2
			S: +OK 2 2
			C: RETR 9
			S: -ERR Message (9) does not exist.
			C: NOSUCH
			S: -ERR
			C: DELE 1
			S: +OK Message deleted
			C: RSET
			S* +OK
			C: LIST 1
			S* +OK 1 `, 2},
		{"citadel", "dots, TOP without an end, UPDATE behind QUIT", []string{"Subject: x\r\n\r\n.\r\n.dot\r\n"}, `
			S: +OK Citadel POP3 server ready.
			` + logIn + `
			C: RETR 1
			S: +OK Message 1:
			S: Subject: x
			S: Message-ID: <1@citadel.example>
			S: 
			S: 
			S: ..
			S: .dot
			S: .
			C: DELE 1
			S: +OK Message 1 deleted.
			C: RETR 1
			S: -ERR Sorry, you deleted that message.
			C: QUIT
			S: +OK Goodbye...
			closed
			---
			S* +OK
			` + logIn + `
			C: STAT
			S* +OK 1 
			wait 3s
			---
			S* +OK
			` + logIn + `
			C: STAT
			S: +OK 0 0`, 0},
		{"courier", "numbers shift in listings only; UTF8", []string{one, "Subject: \xe4\r\n\r\n"}, `
			S: +OK Hello there.
			C: UTF8
			S: +OK UTF8 enabled
			` + logIn + `
			C: DELE 1
			S: +OK Deleted.
			C: UIDL
			S* +OK
			S: 1 UID2-1795380078
			S: .
			C: RETR 2
			S: +OK 14 octets follow.
			S* Subject: 
			S: 
			S: .
			---
			S* +OK
			` + logIn + `
			C: RETR 2
			S: +OK 14 octets follow.
			S: From: Mail Delivery Subsystem <postmaster>`, 2},
		{"cyrus", "LF at the end; login delay", []string{"Subject: x\r\n\r\nlast\n"}, `
			S* +OK mail.example.org Cyrus
			` + logIn + `
			C: RETR 1
			S: +OK Message follows
			S: Subject: x
			S: 
			S* last
			S: .
			C: QUIT
			S: +OK
			closed
			---
			S* +OK
			C: USER alice
			S* +OK
			C: PASS secret
			S: -ERR [LOGIN-DELAY] Logins must be at least 1 minute apart
			wait 60s
			---
			S* +OK
			` + logIn, 1},
		{"nginx", "a long line ends the session", nil, `
			S: +OK POP3 ready
			C: AUTH PLAIN ` + strings.Repeat("A", 130) + `
			S: -ERR invalid command
			closed
			---
			S: +OK POP3 ready`, 0},
		{"imail", "a long line ends all sessions", nil, `
			S* +OK X1 NT-POP3
			C: CAPA
			S* -ERR
			C: USER ` + strings.Repeat("a", 600) + `
			S* -ERR
			closed
			---
			closed`, 0},
		{"qmail", "LF counts, an empty line more, QUIT twice answered, one try", []string{one}, `
			S: +OK <23800.1760000000@pop.example.org>
			C: CAPA
			S: -ERR unimplemented
			` + logIn + `
			C: LIST
			S: +OK 
			S: 1 37
			S: .
			C: RETR 1
			S: +OK 
			S: Message-ID: <1@x>
			S: Subject: one
			S: 
			S: ..dot
			S: 
			S: .
			C: DELE 1
			S: +OK 
			C: QUIT
			S: +OK 
			closed
			---
			S* +OK
			C: USER alice
			S: +OK 
			C: PASS wrong
			S: -ERR authorization failed
			closed`, 0},
		{"heimdal", "unique-ids from the mail, a drop deletes", []string{one, two, "Message-ID: \r\n\r\n", "Subject: none\r\n\r\n"}, `
			S: +OK POP3 server ready
			C: CAPA
			S: -ERR Unknown command: "CAPA".
			` + logIn + `
			C: UIDL
			S* +OK 4 messages (
			S: 1 <1@x>
			S: 2 <1@x>
			S: 3 
			S: 4 no-message-id-4
			S: .
			C: DELE 1
			S: +OK Message 1 has been deleted.
			drop
			---
			S* +OK
			` + logIn + `
			C: UIDL 3
			S: +OK 3 no-message-id-3
			C: DELE 1
			S* +OK
			wait 121s
			S: -ERR POP timeout: pop.example.org
			closed`, 2},
		{"qpopper", "the lock outlives a drop; the internal message; a forged unique-id", []string{"X-UIDL: QQQ\r\n\r\na\x00b\r\n"}, `
			S* +OK Qpopper
			` + logIn + `
			C: UIDL 2
			S: +OK 2 QQQ
			C: RETR 2
			S* +OK
			S: X-UIDL: QQQ
			S: Status:   
			S: 
			S: a b
			S: .
			drop
			---
			S* +OK
			C: USER alice
			S* +OK
			C: PASS secret
			S: -ERR [IN-USE] /var/mail/.alice.pop lock busy!  Is another session active? (11)
			wait 120s
			---
			S* +OK
			` + logIn + `
			C: TOP 1 0
			S* +OK
			S* From: Mail System Internal Data`, 2},
		{"qpopper-autodelete", "QUIT deletes what was read", []string{one, two}, `
			S* +OK
			` + logIn + `
			C: RETR 2
			S* +OK
			S* Message-ID
			S* Subject
			S* X-UIDL
			S* Status
			S: 
			S: body
			S: .
			C: QUIT
			S* +OK
			closed`, 1},
		{"uw", "two octets are lost, the status changes", []string{"Subject: x\r\n\r\nnewline"}, `
			S* +OK POP3
			` + logIn + `
			C: LIST
			S: +OK Mailbox scan listing follows
			S: 1 33
			S: .
			C: RETR 1
			S: +OK 33 octets
			S: Subject: x
			S: Status:   
			S: 
			S: newli
			S: .
			C: QUIT
			S: +OK Sayonara
			closed
			---
			S* +OK
			` + logIn + `
			C: TOP 1 0
			S* +OK
			S: Subject: x
			S: Status: RO`, 2},
		{"gmail", "what was read and left with QUIT is hidden", []string{one, one, one, one, two}, `
			S* +OK Gpop
			` + logIn + `
			C: STAT
			S* +OK 4 
			C: RETR 1
			S: +OK message follows
			drop
			---
			S* +OK
			` + logIn + `
			C: UIDL 4
			S: +OK 4 GmailId18f2c1a900000004
			C: RETR 2
			S: +OK message follows
			S* Message-ID
			S* Subject
			S: 
			S: ..dot
			S: .
			C: QUIT
			S: +OK Farewell.
			closed
			---
			S* +OK
			` + logIn + `
			C: UIDL 4
			S: +OK 4 GmailId18f2c1a900000005`, 5},
		{"hmailserver", "a stand-in for the third", []string{one, one, two}, `
			S: +OK POP3
			` + logIn + `
			C: RETR 3
			S: +OK 41 octets
			S: From: Postmaster
			S: Subject: (undeliverable)`, 3},
		{"yahoo", "a wrong password is answered by nothing; UIDL is there", []string{one}, `
			S* +OK
			C: USER alice
			S* +OK
			C: PASS wrong
			closed
			---
			S* +OK
			` + logIn + `
			C: UIDL 1
			S* +OK 1 AH3uim`, 1},
		{"zimbra", "silence ends it after a minute", nil, `
			S* +OK
			` + logIn + `
			wait 61s
			closed`, 0},
	}
	for _, test := range tests {
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

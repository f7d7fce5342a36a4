package pop3test_test

import (
	"slices"
	"strings"
	"testing"

	. "popmigrate/pop3/pop3test"
)

const retr1 = "+OK 23 octets\r\n" + one + ".\r\n"

func same(string) string { return "same" }

// replyTests are faulty replies, octet by octet from the command to the end of
// the connection; "…" at the end means that the connection goes on.
var replyTests = []struct {
	name string
	rule Rule
	send string
	want string
}{
	{"refused RETR", Rule{Command: "RETR", Message: 2, Do: Instead("-ERR [SYS/TEMP] no")}, "RETR 2\r\nRETR 1\r\n", "-ERR [SYS/TEMP] no\r\n" + retr1 + "…"},
	{"refused by unique-id", Rule{Command: "RETR", UniqueID: "u1", Do: Instead("-ERR no")}, "RETR 1\r\nRETR 3\r\n", "-ERR no\r\n+OK 27 octets\r\n" + three + ".\r\n…"},
	{"refused DELE", Rule{Command: "DELE", Do: Instead("-ERR read only")}, "DELE 1\r\nSTAT\r\n", "-ERR read only\r\n+OK 3 79\r\n…"},
	{"any command", Rule{Do: Instead("-ERR busy")}, "STAT\r\nFOO\r\n", "-ERR busy\r\n-ERR busy\r\n…"},
	{"first two", Rule{Command: "STAT", Times: 2, Do: Instead("-ERR")}, "STAT\r\nSTAT\r\nSTAT\r\n", "-ERR\r\n-ERR\r\n+OK 3 79\r\n…"},
	{"second only", Rule{Command: "STAT", Skip: 1, Times: 1, Do: Instead("-ERR")}, "STAT\r\nSTAT\r\nSTAT\r\n", "+OK 3 79\r\n-ERR\r\n+OK 3 79\r\n…"},
	{"session 1", Rule{Command: "STAT", Session: 1, Do: Instead("-ERR")}, "STAT\r\n", "-ERR\r\n…"},
	{"session 2", Rule{Command: "STAT", Session: 2, Do: Instead("-ERR")}, "STAT\r\n", "+OK 3 79\r\n…"},
	{"since 1", Rule{Command: "STAT", Since: 1, Do: Instead("-ERR")}, "STAT\r\n", "-ERR\r\n…"},
	{"since 2", Rule{Command: "STAT", Since: 2, Do: Instead("-ERR")}, "STAT\r\n", "+OK 3 79\r\n…"},
	{"connection 1", Rule{Command: "STAT", Connection: 1, Do: Instead("-ERR")}, "STAT\r\n", "-ERR\r\n…"},
	{"connection 2", Rule{Command: "STAT", Connection: 2, Do: Instead("-ERR")}, "STAT\r\n", "+OK 3 79\r\n…"},

	{"cut at 0", Rule{Command: "RETR", Do: Cut(0)}, "NOOP\r\nRETR 1\r\n", "+OK\r\n"},
	{"cut in the status line", Rule{Command: "RETR", Do: Cut(5)}, "NOOP\r\nRETR 1\r\n", "+OK\r\n+OK 2"},
	{"cut in the content", Rule{Command: "RETR", Do: Cut(20)}, "RETR 1\r\n", retr1[:20]},
	{"cut in the termination line", Rule{Command: "RETR", Do: Cut(40)}, "RETR 1\r\n", retr1[:40]},
	{"cut at the end", Rule{Command: "RETR", Do: Cut(int64(len(retr1)))}, "RETR 1\r\nNOOP\r\n", retr1},
	{"cut behind", Rule{Command: "RETR", Do: Cut(-1)}, "RETR 1\r\nNOOP\r\n", retr1},
	{"cut beyond", Rule{Command: "RETR", Do: Cut(1e6)}, "RETR 1\r\nNOOP\r\n", retr1},

	{"after", Rule{Command: "RETR", Do: After("-ERR what\r\n")}, "RETR 1\r\nNOOP\r\n", retr1 + "-ERR what\r\n+OK\r\n…"},
	{"before", Rule{Command: "RETR", Do: Before("x")}, "RETR 1\r\n", "x" + retr1 + "…"},
	{"short", Rule{Command: "RETR", Do: Short(18)}, "RETR 1\r\n", "+OK 23 octets\r\nSubject: one\r\n\r\nfi\r\n.\r\n…"},
	{"short, no more than it has", Rule{Command: "RETR", Do: Short(99)}, "RETR 1\r\n", retr1 + "…"},
	{"as is", Rule{Command: "RETR", Do: All(AsIs(), Content(func([]byte) []byte { return []byte("a\n") }))}, "RETR 1\r\n", "+OK 23 octets\r\na\n.\r\n…"},
	{"as is, empty", Rule{Command: "RETR", Do: All(Short(0), AsIs())}, "RETR 1\r\n", "+OK 23 octets\r\n.\r\n…"},
	{"say", Rule{Command: "RETR", Do: Say("+OK octets follow")}, "RETR 1\r\n", "+OK octets follow\r\n" + one + ".\r\n…"},
	{"raw", Rule{Command: "LIST", Do: Raw("+OK\r\nx 1\r\n.\r\n")}, "LIST\r\n", "+OK\r\nx 1\r\n.\r\n…"},
	{"discard", Rule{Command: "NOOP", Do: All(Discard(), Cut(-1))}, "NOOP\r\nSTAT\r\n", "+OK\r\n"},

	{"STAT unlike LIST", Rule{Command: "STAT", Do: Listing(Scaled(2))}, "STAT\r\nLIST 1\r\n", "+OK 3 158\r\n+OK 1 23\r\n…"},
	{"LIST halved", Rule{Command: "LIST", Do: Listing(Scaled(0.5))}, "LIST\r\nLIST 1\r\n", "+OK scan listing follows\r\n1 11\r\n2 14\r\n3 13\r\n.\r\n+OK 1 11\r\n…"},
	{"LIST without octets", Rule{Command: "LIST", Do: Listing(WithoutOctets)}, "LIST\r\n", "+OK scan listing follows\r\n1\r\n2\r\n3\r\n.\r\n…"},
	{"UIDL repeated", Rule{Command: "UIDL", Do: Listing(Identified(same))}, "UIDL\r\n", "+OK unique-id listing follows\r\n1 same\r\n2 same\r\n3 same\r\n.\r\n…"},
	{"UIDL empty", Rule{Command: "UIDL", Do: Listing(Emptied)}, "UIDL\r\n", "+OK unique-id listing follows\r\n.\r\n…"},
	{"UIDL lacks one", Rule{Command: "UIDL", Do: Listing(Omitting[Entry](2))}, "UIDL\r\n", "+OK unique-id listing follows\r\n1 u1\r\n3 u3\r\n.\r\n…"},
	{"UIDL lacks none", Rule{Command: "UIDL", Do: Listing(Omitting[Entry](4))}, "UIDL\r\n", "+OK unique-id listing follows\r\n" + uniqueID + ".\r\n…"},
	{"UIDL shuffled", Rule{Command: "UIDL", Do: Listing(Reversed)}, "UIDL\r\n", "+OK unique-id listing follows\r\n3 u3\r\n2 u2\r\n1 u1\r\n.\r\n…"},
}

func TestReplies(t *testing.T) {
	for _, test := range replyTests {
		for _, whose := range []string{"maildrop", "server"} {
			t.Run(test.name+" of "+whose, func(t *testing.T) {
				server := start(t, Config{})
				drop := alice(server)
				d := dial(t, server).login()
				if whose == "maildrop" {
					drop.SetRules(test.rule)
				} else {
					server.SetRules(test.rule)
				}
				d.send(test.send)
				want, goesOn := strings.CutSuffix(test.want, "…")
				d.want(want)
				if !goesOn {
					d.end()
					return
				}
				server.SetRules() // heals
				drop.SetRules()
				d.ask("NOOP", "+OK")
			})
		}
	}
}

func TestOrderOfRules(t *testing.T) {
	server := start(t, Config{})
	drop := alice(server)
	d := dial(t, server).login()
	drop.SetRules(
		Rule{Command: "STAT", Times: 1, Do: Instead("-ERR one")},
		Rule{Command: "STAT", Times: 1, Do: Instead("-ERR two")},
		Rule{Command: "NOOP"}, // shields
	)
	server.SetRules(
		Rule{Do: Instead("-ERR three")},
	)
	d.ask("STAT", "-ERR one")
	d.ask("STAT", "-ERR two")
	d.ask("STAT", "-ERR three")
	d.ask("NOOP", "+OK")
}

func TestGreeting(t *testing.T) {
	tests := []struct {
		name  string
		rules []Rule
		want  []string // what each connection is sent; "…" as in replyTests
	}{
		{"another protocol", []Rule{{Command: OnGreeting, Do: All(Instead("SSH-2.0-OpenSSH_9.2"), Cut(-1))}}, []string{"SSH-2.0-OpenSSH_9.2\r\n"}},
		{"end of stream before it", []Rule{{Command: OnConnect, Times: 2, Do: Cut(0)}}, []string{"", "", "+OK POP3…"}},
		{"second connection", []Rule{{Command: OnConnect, Connection: 2, Do: Cut(4)}}, []string{"+OK POP3…", "+OK ", "+OK POP3…"}},
		{"any command is no occasion", []Rule{{Do: Instead("-ERR")}}, []string{"+OK POP3…"}},
		{"at the end of it", []Rule{{Command: OnConnect, Do: Cut(7)}, {Command: OnGreeting, Do: Instead("+OK x")}}, []string{"+OK x\r\n"}},
		{"refusal", []Rule{{Command: OnGreeting, Do: All(Instead("-ERR [SYS/TEMP] go away"), Cut(-1))}}, []string{"-ERR [SYS/TEMP] go away\r\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := start(t, Config{})
			server.SetRules(test.rules...)
			for _, want := range test.want {
				d := dial(t, server)
				want, goesOn := strings.CutSuffix(want, "…")
				d.want(want)
				if !goesOn {
					d.end()
				}
			}
		})
	}
}

// For each k the client is sent k octets of the stream, no matter in which
// replies they are.
func TestLoginFaults(t *testing.T) {
	server := start(t, Config{LockWait: patience})
	drop := alice(server)
	drop.SetRules(
		Rule{Command: OnLogin, Times: 2, Do: Instead("-ERR [IN-USE] locked")},
		Rule{Command: OnLogin, Times: 1, Do: Instead("-ERR [LOGIN-DELAY] wait")},
		Rule{Command: OnLogin, Times: 1, Do: All(Instead("-ERR [AUTH] bad password"), Cut(-1))},
		Rule{Command: OnRefusal, Do: All(Say("-ERR go"), Cut(-1))},
		Rule{Command: OnLogin, Session: 2, Do: All(After("-ERR [SYS/TEMP] storage\r\n"), Cut(-1))},
		Rule{Command: OnLogin, Session: 3, Do: Cut(3)},
	)
	d := dial(t, server)
	d.line()
	for _, reply := range []string{"-ERR [IN-USE]", "-ERR [IN-USE]", "-ERR [LOGIN-DELAY]", "-ERR [AUTH] bad"} {
		d.ask("USER alice", "+OK")
		d.ask("PASS secret", reply)
	}
	d.end()
	d = dial(t, server)
	d.line()
	d.ask("USER alice", "+OK")
	d.ask("PASS wrong", "-ERR go")
	d.end()
	d = dial(t, server).login() // session 1
	d.ask("QUIT", "+OK")
	d.end()
	d = dial(t, server).login() // session 2
	d.want("-ERR [SYS/TEMP] storage\r\n")
	d.end()
	d = dial(t, server)
	d.line()
	d.send("USER alice\r\nPASS secret\r\n")
	d.line()
	d.want("+OK")
	d.end()
	if got := drop.Stats(); got.Logins != 3 || got.Refused != 5 {
		t.Errorf("%+v", got)
	}
}

func TestSwallowedPipeline(t *testing.T) {
	server := start(t, Config{})
	alice(server).SetRules(Rule{Command: OnLogin, Do: Discard()})
	d := dial(t, server)
	d.line()
	d.send("USER alice\r\nPASS secret\r\nSTAT\r\nLIST\r\n")
	d.line()
	d.line()
	d.send("NOOP\r\n")
	d.want("+OK\r\n") // nothing came of STAT and LIST
}

func TestUpdateFaults(t *testing.T) {
	none, all := []string{"u1", "u2", "u3"}, []string{"u3"} // what is left of DELE 2, DELE 1
	tests := []struct {
		name string
		rule Rule
		send string
		want string
		left []string
	}{
		{"well behaved", Rule{Command: "NOOP"}, "QUIT\r\n", "+OK goodbye\r\n", all},
		{"refused QUIT", Rule{Command: "QUIT", Do: Instead("-ERR no")}, "QUIT\r\n", "-ERR no\r\n", none},
		{"lie", Rule{Command: "QUIT", Do: Instead("+OK")}, "QUIT\r\n", "+OK\r\n", none},
		{"RSET", Rule{Command: "NOOP"}, "RSET\r\nQUIT\r\n", "+OK marks removed\r\n+OK goodbye\r\n", none},
		{"half", Rule{Command: "QUIT", Do: Update(1)}, "QUIT\r\n", "+OK goodbye\r\n", []string{"u1", "u3"}},
		{"half admitted", Rule{Command: "QUIT", Do: All(Update(1), Say("-ERR some not removed"))}, "QUIT\r\n", "-ERR some not removed\r\n", []string{"u1", "u3"}},
		{"-ERR then +OK", Rule{Command: "QUIT", Do: All(Update(0), Before("-ERR unable to unlink\r\n"))}, "QUIT\r\n", "-ERR unable to unlink\r\n+OK goodbye\r\n", none},
		{"reply lost", Rule{Command: "QUIT", Do: Cut(0)}, "QUIT\r\n", "", all},
		{"QUIT lost", Rule{Command: "QUIT", Do: All(Raw(""), Cut(0))}, "QUIT\r\n", "", none},
		{"at once", Rule{Command: "DELE", Do: Update(Marks)}, "", "", all},
		{"at once, then RSET", Rule{Command: "DELE", Do: Update(Marks)}, "RSET\r\n", "+OK marks removed\r\n", all},
		{"on a dropped line", Rule{Command: OnDrop, Do: Update(Marks)}, "", "", all},
		{"half on a dropped line", Rule{Command: OnDrop, Do: Update(1)}, "", "", []string{"u1", "u3"}},
		{"dropped line", Rule{Command: "NOOP"}, "", "", none},
		{"other session", Rule{Command: OnDrop, Session: 2, Do: Update(Marks)}, "", "", none},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := start(t, Config{})
			drop := alice(server)
			rules := []Rule{test.rule}
			if test.rule.Command == "QUIT" && test.send != "" && test.want != "" {
				rules = append(rules, Rule{Command: OnDrop, Do: Update(Marks)}) // QUIT drops nothing
			}
			drop.SetRules(rules...)
			d := dial(t, server).login()
			d.ask("DELE 2", "+OK")
			d.ask("DELE 1", "+OK")
			d.send(test.send)
			d.want(test.want)
			d.conn.Close()
			wait(t, server, "the session ended", func() bool { return server.Stats().Sessions == 0 })
			if got := drop.UniqueIDs(); !slices.Equal(got, test.left) {
				t.Errorf("left %q, want %q", got, test.left)
			}
		})
	}
}

func TestViews(t *testing.T) {
	server := start(t, Config{LockWait: patience})
	drop := alice(server)
	drop.Remove("u2", "u3")
	drop.Deliver(Message{UniqueID: "u9", Content: []byte("no header section")})
	drop.SetRules(
		Rule{Command: OnLogin, Session: 2, Do: View(WithHeader("Status: RO"))},
		Rule{Command: OnLogin, Session: 3, Do: View(Emptied)},
		Rule{Command: OnLogin, Session: 4, Do: View(Reversed)},
		Rule{Command: OnLogin, Session: 5, Do: View(Renamed(func(id string) string { return "new-" + id }))},
		Rule{Command: OnLogin, Session: 6, Do: View(func([]Message) []Message { return []Message{{UniqueID: "made", Content: []byte("up\r\n")}} })},
	)
	session := func(uidl string) *dialogue {
		t.Helper()
		d := dial(t, server).login()
		if got := d.multi("UIDL"); got != uidl {
			t.Errorf("UIDL %q, want %q", got, uidl)
		}
		return d
	}
	quit := func(d *dialogue) {
		d.ask("QUIT", "+OK")
		d.end()
	}
	quit(session("1 u1\r\n2 u9\r\n"))
	d := session("1 u1\r\n2 u9\r\n")
	d.ask("LIST 1", "+OK 1 35")
	if got := d.multi("RETR 1"); got != "Subject: one\r\nStatus: RO\r\n\r\nfirst\r\n" {
		t.Errorf("volatile header: %q", got)
	}
	quit(d)
	quit(session(""))
	quit(session("1 u9\r\n2 u1\r\n"))
	d = session("1 new-u1\r\n2 new-u9\r\n")
	d.ask("DELE 1", "+OK")
	quit(d)
	d = session("1 made\r\n")
	d.ask("RETR 1", "+OK")
	d.body()
	d.ask("DELE 1", "+OK")
	quit(d)
	quit(session("1 u9\r\n"))
}

package migrate

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"

	"popmigrate/pop3"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// A message whose end the server sends so that nobody can see it swallows the
// next reply. It is not kept so, it fails alone, and all others are copied and
// deleted.
func TestSwallowedReply(t *testing.T) {
	for name, text := range map[string]string{
		"LF at its end":  "Subject: x\r\n\r\nlast line\n",
		"no end of line": "Subject: x\r\n\r\nlast li",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := mail(10)
				rest := slices.Concat(all[:4], all[5:])
				all[4].Content = []byte(text)
				p := newPair(t, pop3test.Config{}, all...)
				p.mail.SetRules(pop3test.Rule{Command: "RETR", UniqueID: all[4].UniqueID, Do: pop3test.AsIs()})
				r := p.hold()
				p.whole(rest)
				if r.Complete || r.Counts.Stored != 9 || r.Counts.Failed != 1 || r.Counts.Late != 0 || r.Counts.Gone != 9 {
					t.Errorf("%+v: %s", r.Counts, r.Reason)
				}
				if left := p.mail.UniqueIDs(); !slices.Equal(left, []string{all[4].UniqueID}) {
					t.Errorf("left: %q", left)
				}
			})
		})
	}
}

// A message that only looks as if two were joined is kept.
func TestGenuineSeam(t *testing.T) {
	all := mail(3)
	all[1].Content = []byte("Subject: x\r\n\r\nThe reply is.\r\n+OK\r\n")
	b := newBench(t, pop3test.Config{}, all...)
	b.drop.SetRules(pop3test.Rule{Command: "LIST", Do: pop3test.Listing(pop3test.Scaled(0.5))})
	want(t, b.run(), map[string]int64{"listed": 3, "stored": 3})
	b.holds(all...)
}

func TestSeam(t *testing.T) {
	for text, want := range map[string]bool{
		"end.\r\n+OK\r\n": true, "\n.\r\n-ERR no": true, "..\r\n+OK": true, ".\r\n.\r\n+OK": true, ".\r.\r\n-ERR": true,
		"": false, ".\r\n": false, ".\r\n+O": false, "\r\n+OK": false, ".\n+OK": false, ".\r\n +OK": false, ".\r\n+-ERR": false, ".\r\n-OK": false,
	} {
		for size := 1; size <= max(1, len(text)); size++ {
			var s seam
			for part := range slices.Chunk([]byte(text), size) {
				s.scan(part)
			}
			if s.found != want {
				t.Errorf("%q in pieces of %d: %v", text, size, s.found)
			}
		}
	}
}

// Notes that another program keeps in a folder are neither kept nor deleted,
// and no mail.
func TestInternalData(t *testing.T) {
	notes := pop3test.Message{UniqueID: "notes", Content: []byte("From: Mail System Internal Data <MAILER-DAEMON@x>\r\n" +
		"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\r\nX-IMAP: 1 2\r\n\r\nnotes\r\n")}
	all := mail(3)
	b := newBench(t, pop3test.Config{}, append([]pop3test.Message{notes}, all...)...)
	b.job.Delete = DeleteVerified
	r := b.run()
	want(t, r, map[string]int64{"listed": 4, "stored": 3, "skipped": 1, "failed": 0, "gone": 3, "late": 0})
	if !r.Complete {
		t.Errorf("not complete: %s", r.Reason)
	}
	b.holds(all...)
	if left := b.drop.UniqueIDs(); !slices.Equal(left, []string{"notes"}) {
		t.Errorf("left: %q", left)
	}
	// Elsewhere than at the beginning it is a message that somebody sent.
	forged := newBench(t, pop3test.Config{}, all[0], notes)
	want(t, forged.run(), map[string]int64{"listed": 2, "stored": 2})
}

// A maildrop that shows nothing at the beginning of a later run is asked again,
// and what it then shows is copied in that run.
func TestEmptyOnceInALaterRun(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.run()
	more := mail(5)[3:]
	b.drop.Deliver(more...)
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Times: 1, Do: pop3test.View(pop3test.Emptied[pop3test.Message])})
	want(t, b.run(), map[string]int64{"listed": 5, "stored": 2, "known": 3, "late": 0})
}

// Where QUIT expires what was retrieved it is not sent while any of that is not
// kept.
func TestExpireZero(t *testing.T) {
	for _, expire := range []string{"EXPIRE 0", "EXPIRE NEVER"} {
		t.Run(expire, func(t *testing.T) {
			all := mail(4)
			b := newBench(t, pop3test.Config{LoggedInCapabilities: []string{"UIDL", "TOP", "PIPELINING", expire}}, all...)
			b.source.AllowRetrHides = true
			b.sinks[0].fail = func(m *sinks.Message) (sinks.Proof, error) {
				if m.UniqueID == all[2].UniqueID {
					return sinks.Refused, nil
				}
				return sinks.Verified, nil
			}
			if b.run(); (b.commands("QUIT") == 0) != (expire == "EXPIRE 0") {
				t.Errorf("%d QUIT", b.commands("QUIT"))
			}
		})
	}
}

// What an audit reads of mail that it does not keep must not expire either.
func TestExpireZeroInAnAudit(t *testing.T) {
	all := mail(4)
	b := newBench(t, pop3test.Config{LoggedInCapabilities: []string{"UIDL", "TOP", "EXPIRE 0"}}, all[:2]...)
	b.source.AllowRetrHides = true
	b.job.Delete = DeleteVerified
	b.drop.SetRules(
		pop3test.Rule{Command: "QUIT", Times: 1, Do: pop3test.All(pop3test.Expire(), pop3test.Call(func() { b.drop.Deliver(all[2:]...) }))},
		pop3test.Rule{Command: "QUIT", Do: pop3test.Expire()})
	want(t, b.run(), map[string]int64{"stored": 2, "gone": 2, "late": 2})
	want(t, b.run(), map[string]int64{"stored": 2, "gone": 2, "late": 0})
	b.holds(all...)
}

// A short message counts as confirmed by a session that gave the same but for
// what servers write into header sections.
func TestShortWithVolatileHeader(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.job.Delete = DeleteVerified
	rules := []pop3test.Rule{{Command: "LIST", Do: pop3test.Listing(pop3test.Scaled(2))}}
	for session, field := range []string{1: "Status: U", 2: "Status: RO"} {
		if field != "" {
			rules = append(rules, pop3test.Rule{Command: pop3test.OnLogin, Session: session, Do: pop3test.View(pop3test.WithHeader(field))})
		}
	}
	b.drop.SetRules(rules...)
	want(t, b.run(), map[string]int64{"gone": 3})
}

// UTF8 goes out before the login where the server has it, and not elsewhere.
func TestUTF8IsSent(t *testing.T) {
	for _, capability := range []string{"UTF8 USER", "LANG"} {
		b := newBench(t, pop3test.Config{Capabilities: []string{capability}}, mail(1)...)
		b.drop.SetRules(pop3test.Rule{Command: "RETR", Do: pop3test.Downgraded(bytes.ToUpper)})
		b.run()
		sent := slices.ContainsFunc(b.server.Log(), func(l pop3test.Line) bool { return l.Text == "UTF8" && l.Session == 0 })
		if sent != (capability == "UTF8 USER") {
			t.Errorf("%s: sent %v", capability, sent)
		}
		if got := b.sinks[0].contents()[0]; bytes.Equal(got, mail(1)[0].Content) != sent {
			t.Errorf("%s: stored %q", capability, got)
		}
	}
}

func TestUTF8Refused(t *testing.T) {
	b := newBench(t, pop3test.Config{Capabilities: []string{"UTF8"}}, mail(2)...)
	b.server.SetRules(pop3test.Rule{Command: "UTF8", Do: pop3test.Instead("-ERR no")})
	want(t, b.run(), map[string]int64{"stored": 2})
}

// What a server says at the login, and whether it is worth another try.
func TestRefusalsAtTheLogin(t *testing.T) {
	for text, want := range map[string]Class{
		"Login failed.": ClassCredential,
		"Logon failure: unknown user name or bad password.":                   ClassCredential,
		"failed: Could not connect to server":                                 ClassBusy,
		"internal server error":                                               ClassBusy,
		"Can't get lock.  Mailbox in use":                                     ClassBusy,
		"Maildrop lock busy!  Is another session active?":                     ClassBusy,
		"Your mailbox is already locked":                                      ClassBusy,
		"Temporary problem, please try again later":                           ClassBusy,
		"your account is having maintenance peformed. please try again later": ClassBusy,
	} {
		refused := auth.Explain(&pop3.ReplyError{Command: "PASS", Text: text}, false)
		if class := verdictClasses[refused.Verdict]; class != want || (refused.After > 0) != (want == ClassBusy) {
			t.Errorf("%q: %s, want %s", text, class, want)
		}
	}
}

// Where the notes are all that is left, the listing still tells that the rest
// is gone.
func TestInternalDataAlone(t *testing.T) {
	notes := pop3test.Message{Content: []byte("From: MAILER-DAEMON\r\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\r\nX-IMAP: 1 2\r\n\r\n")}
	b := newBench(t, pop3test.Config{}, append([]pop3test.Message{notes}, mail(3)...)...)
	b.job.Delete, b.job.Limits.Attempts = DeleteVerified, 1
	b.drop.SetRules(pop3test.Rule{Command: "DELE", Skip: 2, Do: pop3test.Cut(0)}, pop3test.Rule{Command: pop3test.OnDrop, Do: pop3test.Update(pop3test.Marks)})
	want(t, b.run(), map[string]int64{"stored": 3, "unaudited": 3})
	b.drop.SetRules()
	want(t, b.run(), map[string]int64{"listed": 1, "skipped": 1, "gone": 3, "unaudited": 0})
}

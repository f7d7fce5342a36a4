package migrate

import (
	"regexp"
	"slices"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/pop3/pop3test"
)

// words are all that is ever said to a server, as its log has it. Servers read
// these forms alike; what else they may offer is not used.
var words = regexp.MustCompile(`^(CAPA|UTF8|USER alice|PASS \*\*\*|AUTH [A-Z0-9-]+|\*\*\*|STAT|LIST|UIDL|TOP [1-9]\d* 0|RETR [1-9]\d*|DELE [1-9]\d*|NOOP|QUIT)$`)

// Whatever a server offers, these words are said and no others. Behind a DELE
// comes nothing but DELE and QUIT: marks change what listings and counts say.
func TestWordsOnTheWire(t *testing.T) {
	dialects := []string{"USER", "SASL PLAIN", "TOP", "UIDL", "PIPELINING", "UTF8 USER", "LANG", "LAST", "RPOP", "XTND XMIT", "XLST", "XOVER", "XDELE",
		"EUIDL", "MANGLE", "X-MANGLE", "XOIP", "XSENDER", "X-GOOGLE-RICO", "HELP", "AUTH"}
	for name, config := range map[string]pop3test.Config{
		"everything": {Capabilities: dialects, LoggedInCapabilities: dialects},
		"little":     {Without: []string{"CAPA", "AUTH", "UIDL", "TOP"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, config, mail(30)...)
			b.run()
			b.job.Delete = DeleteVerified
			want(t, b.run(), map[string]int64{"known": 30, "gone": 30})
			deleting := map[int]bool{} // by session
			for _, line := range b.server.Log() {
				if !words.MatchString(line.Text) {
					t.Errorf("said %q", line.Text)
				}
				switch word := firstWord(line.Text); {
				case word == "DELE":
					deleting[line.Session] = true
				case deleting[line.Session] && word != "QUIT":
					t.Errorf("said %q behind a DELE", line.Text)
				}
			}
			if len(deleting) == 0 {
				t.Error("no DELE: it proves nothing")
			}
		})
	}
}

// A server that does not announce UIDL may have it all the same.
func TestUnannouncedUIDL(t *testing.T) {
	b := newBench(t, pop3test.Config{Capabilities: []string{"USER"}, LoggedInCapabilities: []string{"TOP"}}, mail(3)...)
	b.run()
	want(t, b.run(), map[string]int64{"known": 3})
	if n := b.commands("RETR"); n != 3 {
		t.Errorf("%d RETR in two runs of 3 messages", n)
	}
}

// Where nothing was to be deleted a server may end the session without an
// answer to QUIT.
func TestQuitWithoutReply(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.drop.SetRules(pop3test.Rule{Command: "QUIT", Do: pop3test.Cut(0)})
	r := b.run()
	want(t, r, map[string]int64{"listed": 3, "stored": 3})
	if !r.Complete || r.Class != ClassNone || r.Attempts != 1 {
		t.Errorf("complete %v, class %q, %d sessions: %s", r.Complete, r.Class, r.Attempts, r.Reason)
	}
}

// Unique-ids are octets: nothing is made of case, form or text in them, and
// none becomes a part of a path.
func TestUniqueIDOctets(t *testing.T) {
	uids := []string{"AbC", "abc", "../x", "a/b:c.", "ü", "u\u0308", "\xff\xfe", "%2e"}
	slices.Sort(uids)
	all := mail(len(uids))
	for i := range all {
		all[i].UniqueID = uids[i]
	}
	b := newBench(t, pop3test.Config{}, all...)
	box, dir := mboxKeep(b.dir+"/keep", "archive", durable.OS{}), maildirKeep(b.dir+"/keep", "mail", durable.OS{})
	b.use(box, dir)
	n := int64(len(all))
	want(t, b.run(), map[string]int64{"listed": n, "stored": n})
	b.job.Delete = DeleteVerified
	want(t, b.run(), map[string]int64{"listed": n, "known": n, "gone": n})
	for _, k := range []*keep{box, dir} {
		if got := b.verified(k); !slices.Equal(got, uids) {
			t.Errorf("%s holds %q", k.spec.Name, got)
		}
	}
	for name := range files(t, durable.OS{}, b.dir+"/keep") {
		if !keptFile.MatchString(name[len(b.dir):]) {
			t.Errorf("a file %s", name)
		}
	}
}

var keptFile = regexp.MustCompile(`^/keep/(archive/[a-zA-Z0-9.]+|mail/(new/[a-zA-Z0-9.,=_-]+|[a-zA-Z.]+))$`)

// A server that gives all its mail new unique-ids has no new mail.
func TestNewUniqueIDsInALaterRun(t *testing.T) {
	all := mail(6)
	b := newBench(t, pop3test.Config{}, all...)
	b.run()
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin,
		Do: pop3test.View(pop3test.Renamed(func(uid string) string { return "new-" + uid }))})
	want(t, b.run(), map[string]int64{"listed": 6, "known": 6, "stored": 0})
	b.job.Delete = DeleteVerified
	want(t, b.run(), map[string]int64{"listed": 6, "known": 6, "stored": 0, "gone": 6})
	b.holds(all...)
}

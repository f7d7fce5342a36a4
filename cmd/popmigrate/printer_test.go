package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/migrate"
)

func account(name string) *migrate.Account {
	return &migrate.Account{Name: name, User: strings.Split(name, "@")[0], Server: "pop.example.net:995"}
}

// mixed is a result that has something of everything.
func mixed() *result {
	accounts := []migrate.AccountReport{
		{Account: account("alice@example.net"), EverSeen: true, Complete: true, Attempts: 2, Elapsed: 1500 * time.Millisecond,
			Counts: migrate.Counts{Listed: 5000, Stored: 4000, Known: 990, Skipped: 10, Reasons: map[string]int64{"vanished": 10},
				Verified: 4000, Accepted: 3990, Marked: 40, Gone: 38, Kept: 1, Held: 6, Late: 2, Octets: 3 << 30, StoredOctets: 1 << 30}, Unaudited: 1},
		{Account: account("empty@example.net"), EverSeen: true, Complete: true, Attempts: 1},
		{Account: account("bob@example.net"), EverSeen: true, Class: migrate.ClassMessage, Reason: "refused by server: \"\x1b[2Jno\"", Attempts: 1,
			Counts:   migrate.Counts{Listed: 3, Stored: 2, Failed: 1, Reasons: map[string]int64{"refused by server": 1}},
			Failures: []migrate.MessageFailure{{UniqueID: "b-2", Octets: 77, Reason: "refused by server", Detail: "\"no\""}}},
	}
	for _, name := range []string{"carol", "dave", "erin", "frank"} {
		accounts = append(accounts, migrate.AccountReport{Account: account(name + "@example.net"), Attempts: 1,
			Class: migrate.ClassCredential, Reason: `login pop.example.net:995: "[AUTH] no"`, Hint: "check user name and password."})
	}
	r := &result{job: "acme", runID: "20261122T153000.000Z-x7k2", dir: "acme.popmigrate/runs/20261122T153000.000Z-x7k2",
		report: &migrate.Report{Accounts: accounts, Elapsed: 2*time.Minute + 5*time.Second}}
	r.received = 4 << 30
	r.code = exitOfRun(r.report, nil)
	return r
}

func good() *result {
	r := mixed()
	r.report.Accounts = r.report.Accounts[1:2]
	r.code = exitOfRun(r.report, nil)
	return r
}

func TestFinalBlock(t *testing.T) {
	bug, dry, unheard, stopped := mixed(), mixed(), mixed(), mixed()
	bug.report.Accounts = bug.report.Accounts[:1]
	bug.report.Accounts[0].Counts.Stored--
	bug.report.Accounts[0].Complete = false
	dry.dryRun = true
	dry.report.Accounts = dry.report.Accounts[:3]
	dry.report.Accounts[0].Counts = migrate.Counts{Listed: 9, Skipped: 9, Reasons: map[string]int64{"dry run": 9}}
	unheard.dryRun = true
	stopped.report.Interrupted = true
	for _, r := range []*result{bug, stopped} {
		r.code = exitOfRun(r.report, nil)
	}
	for name, r := range map[string]*result{"mixed": mixed(), "good": good(), "bug": bug, "dry": dry, "unheard": unheard, "stopped": stopped} {
		var b bytes.Buffer
		writeFinal(&b, r, name == "mixed")
		golden(t, "final-"+name+".txt", b.String())
	}
}

func TestJSONPrinter(t *testing.T) {
	var b bytes.Buffer
	r := mixed()
	p := newJSONPrinter(&b, r.job, r.runID)
	for i := range r.report.Accounts {
		p.Maildrop(migrate.MaildropEvent{Account: r.report.Accounts[i].Account, State: migrate.Finished, Report: &r.report.Accounts[i]})
	}
	p.Finish(r)
	writeStartFailure(&b, "", "", exitStart, errors.New("no disk"))
	golden(t, "mixed.jsonl", strings.ReplaceAll(b.String(), `"version":"`+version()+`"`, `"version":"v1"`))
}

// lockedBuffer is a buffer that may be read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	seen func(all string) bool // called after each write until it returns true
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Write(p)
	if l.seen != nil && l.seen(l.b.String()) {
		l.seen = nil
	}
	return len(p), nil
}

// notify calls seen with all that was written, after each write, until it
// returns true.
func (l *lockedBuffer) notify(seen func(all string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = seen
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// watch tells a text printer of one account done and one half done, and
// returns what it shows after a time.
func watch(columns int, quiet bool, after time.Duration) (shown string) {
	var out, err lockedBuffer
	a := &app{console: &console{out: &out, err: &err}, quiet: quiet}
	a.screen = newScreen(&err, func(io.Writer) int { return columns })
	job := &migrate.Job{Accounts: []migrate.Account{*account("alice@example.net"), *account("bob@example.net")}}
	p := newTextPrinter(a, job, false, false)
	alice, bob := &job.Accounts[0], &job.Accounts[1]
	p.Maildrop(migrate.MaildropEvent{Account: alice, State: migrate.Finished,
		Report: &migrate.AccountReport{Account: alice, Class: migrate.ClassCredential, Reason: "login pop.example.net:995: \"\x1bno\""}})
	p.Maildrop(migrate.MaildropEvent{Account: bob, State: migrate.Listed, Messages: 4, Octets: 4000})
	for range 2 {
		p.Octets(1 << 20)
		p.Message(migrate.MessageEvent{Account: bob, Octets: 1000, Fate: migrate.Stored})
	}
	p.Host(migrate.HostEvent{Host: "pop.example.net", PausedUntil: time.Now().Add(time.Hour), Reason: "five alike"})
	<-time.After(after)
	shown = err.String()
	p.Finish(&result{})
	return shown
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const host = "host pop.example.net: paused until 01:00:00: five alike\n"
		const failed = "alice@example.net: failed: login pop.example.net:995: \"?no\"\n"
		want := failed + host + "[1:00] 1/2 maildrops, 2 messages, 2.0 MiB, 1 error, 34.1 KiB/s, ETA 0:20\n"
		if got := watch(0, false, printEvery+time.Second); strings.ReplaceAll(got, hostTime(got), "01:00:00") != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if got := watch(0, true, printEvery+time.Second); got != "" {
			t.Errorf("quiet: got %q", got)
		}
		for columns, want := range map[int]string{
			120: "75% [==============>.....]  1/2 maildrops, 2 messages, 2.0 MiB, 1 error, 512.0 KiB/s, ETA 0:01",
			80:  "75% [======>...]  1/2 maildrops, 2 messages, 2.0 MiB, 1 error, 512.0 KiB/s",
			40:  "75% [======>...]  1/2 maildrops",
			25:  "75% [======>...]  1/2 ",
		} {
			got := watch(columns, false, 4*time.Second+time.Millisecond)
			line := got[strings.LastIndex(got, "\r")+1:]
			if !strings.Contains(line, want) {
				t.Errorf("%d columns: got %q, want %q", columns, line, want)
			}
			if width := len(strings.TrimSuffix(line, "\x1b[0K")); width >= columns {
				t.Errorf("%d columns: %d used by %q", columns, width, line)
			}
		}
	})
}

// A message that needs no RETR is known before the listing is announced, and
// again in each further session: it is no progress.
func TestProgressOfSessions(t *testing.T) {
	alice := account("alice@example.net")
	p := newProgress(1, time.Now())
	known := &migrate.MessageEvent{Account: alice, Fate: migrate.Known}
	state := func(s migrate.MaildropState, messages int64) {
		p.maildrop(&migrate.MaildropEvent{Account: alice, State: s, Messages: messages})
	}
	expect := func(when string, thousandths int, messages int64) {
		t.Helper()
		if got, _ := p.line(p.started); got != thousandths || p.messages != messages {
			t.Errorf("%s: %d thousandths, %d messages; want %d, %d", when, got, p.messages, thousandths, messages)
		}
	}
	state(migrate.Connecting, 0)
	p.message(known)
	expect("planned", 0, 0)
	state(migrate.Listed, 2)
	p.message(known) // fetched, and found to be there
	expect("half fetched", 500, 1)
	p.message(&migrate.MessageEvent{Account: alice, Fate: migrate.Stored})
	expect("fetched", 1000, 2)
	state(migrate.Connecting, 0)
	p.message(known)
	expect("planned again", 1000, 2)
	state(migrate.Listed, 0)
	expect("auditing", 1000, 2)
	state(migrate.Finished, 0)
	expect("finished", 1000, 2)
}

// hostTime returns the clock time in the host line, which depends on the zone.
func hostTime(s string) string {
	_, rest, _ := strings.Cut(s, "paused until ")
	return rest[:min(len(rest), len("01:00:00"))]
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(0), "0"}, {number(999), "999"}, {number(1000), "1,000"}, {number(1234567), "1,234,567"}, {number(-1000), "-1,000"},
		{counted(1, "message"), "1 message"}, {counted(2, "entry"), "2 entries"}, {counted(1, "entry"), "1 entry"}, {counted(2, "day"), "2 days"},
		{octets(0), "0 octets"}, {octets(1), "1 octet"}, {octets(1023), "1,023 octets"}, {octets(1536), "1.5 KiB"}, {octets(5 << 30), "5.0 GiB"},
		{rate(100, 0), "0 B/s"}, {rate(100, time.Second), "100 B/s"}, {rate(4<<20, 2*time.Second), "2.0 MiB/s"},
		{span(80 * time.Millisecond), "0.08 s"}, {span(9500 * time.Millisecond), "9.5 s"}, {span(42 * time.Second), "42 s"},
		{span(247 * time.Second), "4:07 min"}, {span(3*time.Hour + 62*time.Second), "3:01:02 h"},
		{plain("a\x1b[31mb\r\nc\u202ed\xff"), "a?[31mb  c?d?"}, {plain("Jürgen 日本"), "Jürgen 日本"},
		{capped("abcdef", 5), "ab..."}, {capped("abc", 3), "abc"}, {capped("abcdef", 2), "ab"}, {capped("abcdef", 0), "abcdef"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestParseSubset(t *testing.T) {
	for text, want := range map[string]subset{"": {}, "5%": {share: 0.05}, "100%": {share: 1}, "2/7": {part: 2, parts: 7}} {
		if got, err := parseSubset(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"5", "0%", "101%", "-1%", "NaN%", "0/3", "4/3", "1/0", "a/b", "/", "1/", "%"} {
		if got, err := parseSubset(text); err == nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
	// Every copy is in exactly one part.
	for ordinal := range int64(100) {
		in := 0
		for part := range uint64(3) {
			if (subset{part: part + 1, parts: 3}).has("alice", ordinal) {
				in++
			}
		}
		if in != 1 {
			t.Errorf("message %d is in %d parts", ordinal, in)
		}
	}
	picked := 0
	for ordinal := range int64(1000) {
		if (subset{share: 0.5}).has("alice", ordinal) {
			picked++
		}
	}
	if picked < 300 || picked > 700 {
		t.Errorf("half of 1000 is %d", picked)
	}
}

func TestPercentEncode(t *testing.T) {
	if got, want := percentEncode("a@b;c:d/é"), "a%40b%3Bc%3Ad%2F%C3%A9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

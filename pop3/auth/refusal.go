package auth

import (
	"strings"
	"time"

	"popmigrate/pop3"
)

// Verdict is what a refusal of a login is about.
type Verdict int

// The verdicts.
const (
	Denied Verdict = iota // the credentials: not to be tried again in this run
	Later                 // the maildrop or the server is busy
	Barred                // neither: a person must change something
	Absent                // the server lacks the command or mechanism; nothing was judged
)

// Refusal is the meaning of a refused login.
type Refusal struct {
	Verdict Verdict
	After   time.Duration // the earliest next try; 0 where nothing is known
	Hint    string        // what a person can do; may be ""
}

const checkPassword = "check user name and password; some providers want an app password or POP access switched on"

// codes are the response codes (RFC 2449 section 8.1, RFC 3206, RFC 6856), the
// first that the reply has or is below decides.
var codes = []struct {
	code string
	Refusal
}{
	{"LOGIN-DELAY", Refusal{Later, time.Minute, "the server wants more time between two logins on a maildrop"}},
	{"IN-USE", Refusal{Later, 30 * time.Second, "another session has this maildrop open; close other mail programs that use it"}},
	{"SYS/PERM", Refusal{Barred, 0, "the server says that this needs its administrator"}},
	{"SYS", Refusal{Later, 30 * time.Second, ""}},
	{"AUTH", Refusal{Denied, 0, checkPassword}},
	{"UTF8", Refusal{Barred, 0, `this maildrop wants the command UTF8 before the login: say utf8 = "on"`}},
	{"REFERRAL", Refusal{Barred, 0, "the server sends to another one, which is not followed: name that one as server"}},
}

// texts are what providers say about logins that need something else than
// patience or another password; the first that is part of the text decides.
// They count where there is no code, and with the code AUTH, which says less.
var texts = []struct {
	text string
	Refusal
}{
	{"application-specific password", Refusal{Denied, 0, "Google wants an app password here (myaccount.google.com/apppasswords) or OAuth2"}},
	{"web login required", Refusal{Denied, 0, "Google wants a login in a browser first (accounts.google.com/DisplayUnlockCaptcha)"}},
	{"not enabled for pop", Refusal{Barred, 0, "switch POP on in the settings of this mailbox"}},
	{"authorization code", Refusal{Denied, 0, "QQ wants the authorization code that its web mail makes for POP3, not the password"}},
	{"service.mail.qq.com", Refusal{Denied, 0, "QQ wants the authorization code that its web mail makes for POP3, not the password"}},
	{"app password", Refusal{Denied, 0, "make an app password in the settings of this account and use that"}},
	{"application password", Refusal{Denied, 0, "make an app password in the settings of this account and use that"}},
	{"pop3 disabled", Refusal{Denied, 0, "check the password, and that POP is switched on in the settings of this mailbox; an app password may be wanted"}},
	{"pop3 access disabled", Refusal{Barred, 0, "switch POP on for this account"}},
	{"pop access not enabled", Refusal{Barred, 0, "switch POP on for this account"}},
	{"on non-secure", Refusal{Barred, 0, useTLS}},
	{"until ssl/tls", Refusal{Barred, 0, useTLS}},
	{"tls required", Refusal{Barred, 0, useTLS}},
	{"requires tls", Refusal{Barred, 0, useTLS}},
	{"entering tls", Refusal{Barred, 0, useTLS}},
	{"stls is required", Refusal{Barred, 0, useTLS}},
	{"tls-connection is required", Refusal{Barred, 0, useTLS}},
	{"under a layer", Refusal{Barred, 0, useTLS}},
	{"login limit", Refusal{Later, 15 * time.Minute, "the server counts logins; let fewer accounts run at once"}},
	{"invalid logon attempts", Refusal{Later, 30 * time.Minute, "the server bans addresses after wrong passwords: check the passwords before the next run"}},
	{"$home/maildir", Refusal{Barred, 0, noMaildrop}},
	{"chdir maildir", Refusal{Barred, 0, noMaildrop}},
	{"no memory available", Refusal{Barred, 0, "the server cannot open so large a maildrop: its administrator must raise a limit"}},
	{"blocked", Refusal{Barred, 0, "the server blocks this account or this address"}},
	{"locked out", Refusal{Barred, 0, "the account is locked: have it unlocked"}},
	{"account is locked", Refusal{Barred, 0, "the account is locked: have it unlocked"}},
	{"account locked", Refusal{Barred, 0, "the account is locked: have it unlocked"}},
	{"suspended", Refusal{Barred, 0, "the account is suspended"}},
	{"protocol error", Refusal{Barred, 0, "the server does not understand this form of AUTH, which says nothing about the secret"}},
	{"must use apop", Refusal{Barred, 0, `this account logs in by APOP only: say auth = "apop"`}},
}

const (
	useTLS     = `the server takes this login behind TLS only: use tls = "starttls" or "implicit"`
	noMaildrop = "the account exists but has no maildrop on the server"
)

// What words of a refusal without a code say, in this order.
var (
	busyWords   = []string{"lock", "busy", "in use", "too many", "temporar", "maintenance", "unavailable", "internal", "connect to"}
	deniedWords = []string{"password", "invalid", "denied", "incorrect", "credential", "authentication fail", "authorization fail"}
	waitWords   = []string{"another", "wait", "try again", "try later"}
	absentWords = []string{"unknown command", "unknown mechanism", "unknown auth", "unrecognized", "unrecognised", "unsupported", "not supported", "not implemented",
		"invalid command", "bad command", "command not", "mechanism not", "not understood", "unimplemented"}
)

// Busy tells whether the text of a refusal, not its code, speaks of something
// that passes.
func Busy(text string) bool {
	text = strings.ToLower(text)
	return containsAny(text, busyWords) || containsAny(text, waitWords)
}

// Explain tells what the refusal of a login means. Where the server announced
// codes says that it gives the code AUTH whenever credentials are wrong (RFC
// 3206 section 5), so that a refusal without one is about something else; a
// bare -ERR is taken for the credentials all the same, the safe side.
func Explain(reply *pop3.ReplyError, codesAnnounced bool) Refusal {
	text := strings.ToLower(reply.Text)
	if reply.Code == "" || reply.HasCode("AUTH") {
		for _, known := range texts {
			if strings.Contains(text, known.text) {
				return known.Refusal
			}
		}
	}
	for _, known := range codes {
		if reply.HasCode(known.code) {
			return known.Refusal
		}
	}
	busy := Refusal{Verdict: Later, After: 30 * time.Second}
	switch {
	case containsAny(text, absentWords):
		return Refusal{Absent, 0, ""}
	case containsAny(text, busyWords):
		return busy
	case containsAny(text, deniedWords):
		return Refusal{Denied, 0, checkPassword}
	case containsAny(text, waitWords):
		return busy
	case codesAnnounced && text != "":
		busy.Hint = "the server gives no reason, but says that it would if the password were wrong"
		return busy
	}
	return Refusal{Denied, 0, checkPassword}
}

func containsAny(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

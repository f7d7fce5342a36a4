package pop3

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrBroken is wrapped by every command on a connection whose framing is in doubt.
var ErrBroken = errors.New("connection is broken")

// ErrNoGreeting is wrapped when the server closed the line before its greeting:
// what servers and firewalls do with a client that has too many sessions.
var ErrNoGreeting = errors.New("server closed the connection before its greeting")

// ReplyError is a refusal: what the server said in an -ERR reply. The
// connection is as sound as before.
type ReplyError struct {
	Command string // keyword and message-number, never a secret: "RETR 3"
	Code    string // response code without brackets, in upper case: "IN-USE" (RFC 2449 section 8); "" without one
	Text    string // the rest of the line, cleaned for display
	Detail  string // what the server said in a challenge before it refused, cleaned; "" nothing
}

func (e *ReplyError) Error() string {
	said := "-ERR " + e.Text
	if e.Code != "" {
		said = "-ERR [" + e.Code + "] " + e.Text
	}
	if e.Detail != "" {
		return fmt.Sprintf("%s: server said %q and before it %q", e.Command, strings.TrimRight(said, " "), e.Detail)
	}
	return fmt.Sprintf("%s: server said %q", e.Command, strings.TrimRight(said, " "))
}

// Temporary tells whether the response code promises that a later try may
// succeed: IN-USE, LOGIN-DELAY (RFC 2449 section 8.1) and SYS/TEMP (RFC 3206
// section 4). Without a code it is false: nothing is known.
func (e *ReplyError) Temporary() bool {
	return e.HasCode("IN-USE") || e.HasCode("LOGIN-DELAY") || e.HasCode("SYS/TEMP")
}

// HasCode tells whether the reply has the response code or one below it:
// codes are hierarchical, so SYS/TEMP/DISK has SYS/TEMP and SYS.
func (e *ReplyError) HasCode(code string) bool {
	return e.Code == code || strings.HasPrefix(e.Code, code+"/")
}

// asRefusal returns the *ReplyError in err, nil where there is none.
func asRefusal(err error) *ReplyError {
	if err == nil {
		return nil // it costs no allocation
	}
	var refused *ReplyError
	errors.As(err, &refused)
	return refused
}

// ProtocolError is a server's breach of the protocol. The connection is broken.
type ProtocolError struct {
	Command string
	Problem string
	Line    string // the offending line, cleaned for display; may be ""
	Hint    string // what a person can do; may be ""
}

func (e *ProtocolError) Error() string {
	if e.Line == "" {
		return e.Command + ": " + e.Problem
	}
	return fmt.Sprintf("%s: %s: %q", e.Command, e.Problem, e.Line)
}

// splitCode takes the response code off the text of a reply (RFC 2449 section
// 8): the first token, if it is in brackets.
func splitCode(text string) (code, rest string) {
	if !strings.HasPrefix(text, "[") {
		return "", text
	}
	end := strings.IndexByte(text, ']')
	if end < 0 || strings.ContainsAny(text[:end], " \t") {
		return "", text
	}
	return strings.ToUpper(text[1:end]), strings.TrimLeft(text[end+1:], " ")
}

// display makes server text fit for a log: valid UTF-8, no control characters, bounded.
func display(text []byte) string {
	if len(text) > maxShownText {
		text = text[:maxShownText]
	}
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteByte('?')
		case r == '\t':
			b.WriteByte(' ')
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0):
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
		text = text[n:]
	}
	return b.String()
}

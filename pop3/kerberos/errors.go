package kerberos

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
)

// Error says at which step a Kerberos login failed, and what helps against it.
// It holds no secret, and what others wrote in it is quoted and capped.
type Error struct {
	Op     string // the step and its object, such as "get ticket for pop/pop.example.net@EXAMPLE.NET"
	Err    error
	Remedy string // for a person; "" where there is none to offer
	Kind   Kind
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns the remedy.
func (e *Error) Hint() string { return e.Remedy }

// Class returns the kind as a word that package migrate sorts failures by.
func (e *Error) Class() string { return string(e.Kind) }

// Kind sorts errors by who can do something about them.
type Kind string

// The kinds of errors.
const (
	KindLocal      Kind = "local"      // this machine: a file, the configuration, the clock
	KindCredential Kind = "credential" // the KDC or the server refused the principal
	KindNetwork    Kind = "network"    // unreachable or broken off: it may work later
	KindServer     Kind = "server"     // the server is no Kerberos server, or not the one it says it is
)

// fail makes an Error of a cause without one.
func fail(kind Kind, op, remedy, format string, args ...any) *Error {
	return &Error{Op: op, Err: fmt.Errorf(format, args...), Remedy: remedy, Kind: kind}
}

// rescue turns a panic of the Kerberos library into an error. It is deferred
// wherever the library reads what another program wrote.
func rescue(err *error) {
	if p := recover(); p != nil {
		*err = errors.New("the message or file is malformed")
	}
}

// refusal is a KRB_ERROR (RFC 4120 section 5.9.1).
type refusal struct {
	code int32
	text string    // e-text, quoted; "" where there is none
	time time.Time // of the clock of whoever sent it
	data []byte    // e-data
}

func (r *refusal) Error() string {
	words := strings.Fields(errorcode.Lookup(r.code)) // (35) KRB_AP_ERR_NOT_US The ticket isn't for us
	meaning := fmt.Sprintf("error %d", r.code)
	if len(words) > 2 && words[0] != "Unknown" {
		meaning += ", " + strings.Join(words[2:], " ")
	}
	if r.text != "" && !strings.Contains(strings.ToLower(meaning), strings.ToLower(strings.Trim(r.text, `"`))) {
		meaning += ", text " + r.text
	}
	return meaning
}

// parseRefusal reads a KRB_ERROR.
func parseRefusal(b []byte) (r *refusal, err error) {
	defer rescue(&err)
	var m messages.KRBError
	if err := m.Unmarshal(b); err != nil {
		return nil, errors.New("the error message is malformed")
	}
	r = &refusal{code: m.ErrorCode, time: m.STime, data: m.EData}
	if text := strings.Trim(m.EText, "\x00 "); text != "" {
		r.text = quote(text)
	}
	return r, nil
}

// maxQuoted bounds what is repeated of another program's text, in octets.
const maxQuoted = 200

// quote makes text of another program fit for a log.
func quote(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) || r == '\u2028' || r == '\u2029' || r == '\ufffd' {
			return ' '
		}
		return r
	}, text)
	clean = strings.Join(strings.Fields(clean), " ")
	if len(clean) > maxQuoted {
		clean = strings.ToValidUTF8(clean[:maxQuoted], "") + "…"
	}
	return `"` + clean + `"`
}

// apart says by how much two clocks differ: "12 minutes behind the KDC's".
func apart(now, theirs time.Time, whose string) string {
	difference, direction := theirs.Sub(now), "behind"
	if difference < 0 {
		difference, direction = -difference, "ahead of"
	}
	minutes := int(difference.Round(time.Minute) / time.Minute)
	unit := "minutes"
	if minutes == 1 {
		unit = "minute"
	}
	return fmt.Sprintf("this machine's clock is %d %s %s %s", minutes, unit, direction, whose)
}

const setClock = "set the clock of this machine, or the other's, by NTP: Kerberos tolerates five minutes"

// enctypeNames are the encryption types (RFC 3961 section 8) that the library
// knows, strongest first: those of RFC 3962 and RFC 8009, then the weak ones.
var enctypeNames = []struct {
	id    int32
	names []string // as krb5.conf may say; the first is shown
}{
	{18, []string{"aes256-cts-hmac-sha1-96", "aes256-cts", "aes256-sha1", "aes"}},
	{17, []string{"aes128-cts-hmac-sha1-96", "aes128-cts", "aes128-sha1", "aes"}},
	{20, []string{"aes256-cts-hmac-sha384-192", "aes256-sha2", "aes"}},
	{19, []string{"aes128-cts-hmac-sha256-128", "aes128-sha2", "aes"}},
	{23, []string{"arcfour-hmac", "rc4-hmac", "arcfour-hmac-md5", "rc4"}},
	{16, []string{"des3-cbc-sha1", "des3-hmac-sha1", "des3-cbc-sha1-kd", "des3"}},
}

// enctypeName returns how an encryption type is called.
func enctypeName(id int32) string {
	for _, e := range enctypeNames {
		if e.id == id {
			return e.names[0]
		}
	}
	return fmt.Sprintf("enctype %d", id)
}

// isAES tells whether an encryption type is one of RFC 3962 or RFC 8009.
func isAES(id int32) bool { return id >= 17 && id <= 20 }

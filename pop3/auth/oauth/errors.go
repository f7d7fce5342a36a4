package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"
)

const (
	maxName = 100 // characters of a host or a code in an error
	maxText = 300 // characters of a description in an error
)

// Error says why there is no token. It holds no secret.
type Error struct {
	Op   string // what it failed by: "command", "key", "its secrets"; "" for a request
	Host string // of the endpoint, where one was asked

	Status      int    // of HTTP, 0 where no answer came
	Code        string // of OAuth2 (RFC 6749 section 5.2), cleaned
	Description string // likewise: for people
	Err         error  // what else it was

	Retryable bool          // it may pass: the network, a server error, too many requests
	After     time.Duration // when to try again at the earliest, where that is known
	Hint      string        // what a person can do
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("get token")
	if e.Op != "" {
		b.WriteString(" by " + e.Op)
	}
	if e.Host != "" {
		b.WriteString(" from " + e.Host)
	}
	b.WriteString(":")
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Description != "" {
		b.WriteString(" " + strconv.Quote(e.Description))
	}
	if e.Err != nil {
		b.WriteString(" " + e.Err.Error())
	}
	if e.Status != 0 && e.Code == "" {
		fmt.Fprintf(&b, " (HTTP status %d)", e.Status)
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Temporary tells whether it may pass by itself.
func (e *Error) Temporary() bool { return e.Retryable }

// RetryAfter returns how long to wait before another try; 0 where that is not
// known.
func (e *Error) RetryAfter() time.Duration { return e.After }

// waiting returns the failure as it stands at now, while nothing is asked.
func (e *Error) waiting(until, now time.Time) *Error {
	still := *e
	if still.Retryable {
		still.After = max(until.Sub(now), 0)
	}
	return &still
}

// asError makes an *Error of any error. What is none yet comes from this side:
// a secret or a file.
func asError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Op: "its secrets", Err: errors.New(clean(err.Error(), maxText))}
}

// failure makes an *Error of what the last exchange came to; cause is what the
// library says, which is used only where the exchange itself went well.
func (x *exchange) failure(cause error) *Error {
	e := &Error{Host: x.host, Status: x.status}
	if x.err != nil {
		e.Err, e.Retryable = x.err, !x.final
		return e
	}
	e.Code, e.Description = x.oauthError(cause)
	switch {
	case x.status == http.StatusTooManyRequests, x.status >= 500,
		e.Code == "temporarily_unavailable", e.Code == "server_error":
		e.Retryable, e.After = true, retryAfter(x.header)
	case x.status >= 300 && x.status < 400:
		e.Err = errors.New("redirected elsewhere, which is not followed")
	case e.Code == "" && x.status == http.StatusOK:
		e.Err = errors.New("what came is no answer to a request for a token")
	case e.Code == "":
		e.Err = errors.New("refused without an OAuth2 error; check the endpoint's URL")
	}
	return e
}

// oauthError reads the error code and its description (RFC 6749 section 5.2).
func (x *exchange) oauthError(cause error) (code, description string) {
	var known *oauth2.RetrieveError
	if errors.As(cause, &known) && known.ErrorCode != "" {
		return x.show(known.ErrorCode, maxName), x.show(known.ErrorDescription, maxText)
	}
	var body struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(x.body, &body) != nil {
		return "", ""
	}
	return x.show(body.Code, maxName), x.show(body.Description, maxText)
}

// show takes the secrets out of a server's text and cleans it.
func (x *exchange) show(text string, most int) string {
	return clean(string(x.secrets.Hide([]byte(text))), most)
}

// retryAfter reads the header of RFC 9110 section 10.2.3.
func retryAfter(header http.Header) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longestPause)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), longestPause)
	}
	return 0
}

// clean makes one line of text, without control characters, of at most so many
// characters.
func clean(text string, most int) string {
	text = text[:min(len(text), utf8.UTFMax*most+utf8.UTFMax)]
	var b strings.Builder
	n := 0
	for _, word := range strings.FieldsFunc(strings.ToValidUTF8(text, "?"), unprintable) {
		if n > 0 {
			b.WriteByte(' ')
		}
		for _, r := range word {
			if n++; n > most {
				return b.String() + "…"
			}
			b.WriteRune(r)
		}
		n++
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }

// hostOf returns the host of an endpoint for display.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return clean(u.Host, maxName)
}

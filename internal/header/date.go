package header

import (
	"net/mail"
	"strings"
	"time"
)

// layouts are what is met in the field beyond what net/mail reads.
var layouts = []string{
	"Mon, 2 Jan 2006 15:04:05",
	"2 Jan 2006 15:04:05",
	"Mon, 2 Jan 2006 15:04",
	time.ANSIC,
	time.UnixDate,
	time.RubyDate,
	"Mon, 2 January 2006 15:04:05 -0700",
	"Monday, 2 January 2006 15:04:05 -0700",
	"Monday, 2-Jan-06 15:04:05 MST",
	"Mon, 2-Jan-2006 15:04:05 MST",
	time.RFC3339,
	time.DateTime,
}

// ParseDate reads a date as messages have it (RFC 5322 §3.3 and how others
// write it); the zero time where it cannot. A date without zone is taken for UTC.
func ParseDate(s string) time.Time {
	if i := strings.IndexByte(s, '('); i > 0 { // the comment that follows most zones
		s = s[:i]
	}
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 100 {
		return time.Time{}
	}
	t, err := time.Parse("Mon, 2 Jan 2006 15:04:05 -0700", s)
	if err != nil {
		t, err = mail.ParseDate(s)
	}
	for i := 0; err != nil && i < len(layouts); i++ {
		t, err = time.Parse(layouts[i], s)
	}
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

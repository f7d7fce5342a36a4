// Package header reads a message's header section by best effort: what an
// index and an envelope want to know of it, and which fields a server writes
// into the messages it keeps.
//
// Messages are opaque octets and this package never fails: what it cannot
// make out it leaves empty. What it returns is valid UTF-8 without control
// characters and of bounded length, whatever the message holds.
package header

import (
	"bytes"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxSection is how many octets of a header section are looked at.
const MaxSection = 64 << 10 // 64 KiB

// maxValue bounds a returned field, in octets; RFC 5322 §2.1.1 has this for a line.
const maxValue = 998

// Fields are what Scan makes out, each of the topmost field of its name,
// unfolded; "" or the zero time where the section lacks it.
type Fields struct {
	MessageID  string // as written, with angle brackets
	From       string
	Date       string
	ReturnPath string    // the address without angle brackets; "" also for the null sender
	Received   time.Time // date of the topmost Received, else of Date
}

// Scan reads a header section (RFC 5322 §2.2), which ends at an empty line,
// at the end of section or after MaxSection octets. Lines may end with CRLF or LF.
func Scan(section []byte) Fields {
	section = section[:min(len(section), MaxSection)]
	var f Fields
	var seen [wanted]bool
	var values [wanted][]byte
	for len(section) > 0 {
		var field []byte
		field, section = cutField(section)
		if len(trimEOL(field)) == 0 {
			break
		}
		name, value, ok := bytes.Cut(field, colon)
		if !ok {
			continue
		}
		k := kindOf(bytes.TrimRight(name, " \t"))
		if k == other || seen[k] {
			continue
		}
		seen[k] = true
		values[k] = value
	}
	f.show(&values)
	if received := values[receivedTrace]; len(received) > 0 {
		if i := bytes.LastIndexByte(received, ';'); i >= 0 {
			var buf [maxValue]byte
			f.Received = ParseDate(string(appendText(buf[:0], received[i+1:])))
		}
	}
	if f.Received.IsZero() && f.Date != "" {
		f.Received = ParseDate(f.Date)
	}
	return f
}

// show makes the fields of their values: parts of one string, since there are
// as many of it as there are messages.
func (f *Fields) show(values *[wanted][]byte) {
	var buf [4 * maxValue]byte
	all := buf[:0]
	var ends [4]int
	for i, k := range [...]kind{messageID, from, date, returnPath} {
		all = appendText(all, values[k])
		ends[i] = len(all)
	}
	shown := string(all)
	f.MessageID, f.From, f.Date = shown[:ends[0]], shown[ends[0]:ends[1]], shown[ends[1]:ends[2]]
	f.ReturnPath = address(shown[ends[2]:])
}

var colon = []byte(":")

// kind is a field that Scan looks for.
type kind int

const (
	messageID kind = iota
	from
	date
	returnPath
	receivedTrace
	wanted // how many there are
	other  = wanted
)

// kindOf looks at the length first: most fields are none of ours.
func kindOf(name []byte) kind {
	switch len(name) {
	case 4:
		if equalFold(name, "from") {
			return from
		}
		if equalFold(name, "date") {
			return date
		}
	case 8:
		if equalFold(name, "received") {
			return receivedTrace
		}
	case 10:
		if equalFold(name, "message-id") {
			return messageID
		}
	case 11:
		if equalFold(name, "return-path") {
			return returnPath
		}
	}
	return other
}

// equalFold compares name with lower-case ASCII of the same length.
func equalFold(name []byte, lower string) bool {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// cutField splits off the first field with its continuation lines.
func cutField(section []byte) (field, rest []byte) {
	end := 0
	for {
		i := bytes.IndexByte(section[end:], '\n')
		if i < 0 {
			return section, nil
		}
		empty := len(trimEOL(section[end:end+i+1])) == 0
		end += i + 1
		if empty || end == len(section) || section[end] != ' ' && section[end] != '\t' {
			return section[:end], section[end:]
		}
	}
}

func trimEOL(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// appendText unfolds a field's value (RFC 5322 §2.2.3), makes it fit to be
// shown and appends it, maxValue octets at the most.
func appendText(out, value []byte) []byte {
	value = bytes.TrimSpace(value)
	most := len(out) + maxValue
	for len(value) > 0 {
		r, octets := utf8.DecodeRune(value) // of an invalid octet: U+FFFD
		value = value[octets:]
		if unicode.IsControl(r) {
			if r != '\t' {
				continue
			}
			r = ' '
		}
		if len(out)+utf8.RuneLen(r) > most {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// address takes the brackets off an address.
func address(s string) string {
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		s = s[i+1:]
		if j := strings.LastIndexByte(s, '>'); j >= 0 {
			s = s[:j]
		}
	}
	return s
}

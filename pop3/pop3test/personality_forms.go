package pop3test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// Forms of unique-ids.

// numbered makes a unique-id of the number that a message has for good.
func numbered(format string) func(Message, int) string {
	return func(m Message, _ int) string { return fmt.Sprintf(format, m.key) }
}

// fromHeader takes a unique-id from the message itself: whoever sent it chose
// it, copies have the same, and it may be empty. Without any of the fields it
// is made of the message-number, which changes.
func fromHeader(without string, fields ...string) func(Message, int) string {
	return func(m Message, position int) string {
		for _, field := range fields {
			if value, ok := headerField(m.Content, field); ok {
				return value
			}
		}
		return fmt.Sprintf(without, position)
	}
}

// inventive is Qpopper's: an X-UIDL that the message brought along, else
// twenty characters with much punctuation.
func inventive(m Message, _ int) string {
	if value, ok := headerField(m.Content, "X-UIDL"); ok {
		return value
	}
	return madeUIDL(m)
}

func madeUIDL(m Message) string {
	sum := md5.Sum(fmt.Appendf(nil, "%d", m.key))
	id := make([]byte, 20)
	for i := range id {
		id[i] = '!' + sum[i%len(sum)]%80
	}
	return string(id)
}

// exchangeID is a store's id and a message's, together 32 characters of base64.
func exchangeID(m Message, _ int) string {
	var id [24]byte
	copy(id[:], "\x00\x00\x00\x01")
	id[7] = byte(m.key)
	sum := md5.Sum([]byte("store"))
	copy(id[8:], sum[:])
	return base64.StdEncoding.EncodeToString(id[:])
}

// headerField returns the value of the first field of that name.
func headerField(content []byte, name string) (value string, ok bool) {
	for line := range strings.Lines(string(content[:headerOctets(content)])) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.EqualFold(key, name) {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// Forms of octet counts.

// lfCount counts a line end as one octet.
func lfCount(content []byte) int64 {
	return int64(len(content) - bytes.Count(content, crlf))
}

// mboxCount is lfCount with the separator line of an mbox.
func mboxCount(content []byte) int64 {
	return lfCount(content) + int64(len("From sender@example.org Thu Oct  9 08:53:20 2025\n"))
}

// estimated is a tenth too many or too few.
func estimated(content []byte) int64 {
	n := int64(len(content))
	if n%2 == 0 {
		return n + n/10
	}
	return n - n/10
}

// Orders of listings.

// turned lists the mail in another order in each session.
func turned(messages []Message) []Message {
	if len(messages) < 2 {
		return messages
	}
	at := messages[0].Listed % len(messages)
	messages = slices.Concat(messages[at:], messages[:at])
	if at%2 == 1 {
		slices.Reverse(messages)
	}
	return messages
}

// window is the beginning of what was never retrieved before.
func window(most int) func([]Message) []Message {
	return func(messages []Message) []Message {
		messages = slices.DeleteFunc(messages, func(m Message) bool { return m.Retrieved > 0 })
		return messages[:min(most, len(messages))]
	}
}

// Forms of messages.

// withField adds a header field, given without its line end.
func withField(content []byte, field string) []byte {
	return WithHeader(field)([]Message{{Content: content}})[0].Content
}

// status is the field in which mbox servers keep what was seen, of one length.
func status(m Message) string {
	switch {
	case m.Retrieved > 0:
		return "Status: RO"
	case m.Listed > 0:
		return "Status:  O"
	}
	return "Status:   "
}

// cutAtNUL loses the rest of each line that has a NUL, but for its line end.
func cutAtNUL(content []byte) []byte {
	lines := bytes.SplitAfter(content, []byte("\n"))
	for i, line := range lines {
		if at := bytes.IndexByte(line, 0); at >= 0 {
			end := line[len(line)-len(lineEnd(line)):]
			lines[i] = slices.Concat(line[:at], end)
		}
	}
	return bytes.Join(lines, nil)
}

// joinedAtNUL is cutAtNUL with the line end lost as well.
func joinedAtNUL(content []byte) []byte {
	lines := bytes.SplitAfter(content, []byte("\n"))
	for i, line := range lines {
		if at := bytes.IndexByte(line, 0); at >= 0 {
			lines[i] = line[:at]
		}
	}
	return bytes.Join(lines, nil)
}

func lineEnd(line []byte) []byte {
	switch {
	case bytes.HasSuffix(line, crlf):
		return crlf
	case bytes.HasSuffix(line, crlf[1:]):
		return crlf[1:]
	}
	return nil
}

// ended ends a last line that has no line end.
func ended(content []byte) []byte {
	if len(content) == 0 || content[len(content)-1] != '\n' {
		return slices.Concat(content, crlf)
	}
	return content
}

// rebuilt is a message put together anew from what a database kept of it:
// fields in another order and form, an empty line more, nothing behind a NUL.
func rebuilt(m Message) []byte {
	header, body := m.Content[:headerOctets(m.Content)], m.Content[headerOctets(m.Content):]
	var lines [][]byte
	for line := range bytes.Lines(header) {
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0:
			continue
		case bytes.HasPrefix(line, []byte("From:")):
			line = []byte(`From: "sender" <sender@example.org>`)
		}
		lines = append(lines, line)
	}
	slices.Reverse(lines)
	if _, ok := headerField(header, "Message-ID"); !ok {
		lines = append(lines, fmt.Appendf(nil, "Message-ID: <%d@citadel.example>", m.key))
	}
	if at := bytes.IndexByte(body, 0); at >= 0 {
		body = body[:at]
	}
	return slices.Concat(bytes.Join(lines, crlf), []byte("\r\n\r\n\r\n"), ended(body))
}

// topWithoutEnd is a reply to TOP behind which no client finds the termination
// line: its last line ends in LF.
func topWithoutEnd(content []byte) []byte { return slices.Concat(content, []byte("\n")) }

// otherBoundary has a multipart message's boundary made anew for each fetch.
func otherBoundary(content []byte, before int) []byte {
	return bytes.ReplaceAll(content, []byte("boundary-0"), fmt.Appendf(nil, "boundary-%d", before+1))
}

// explained wraps a message whose header has 8-bit octets into one that says
// that it cannot be shown; the original is a part of it.
func explained() func(content []byte) []byte {
	var wraps atomic.Int64
	return func(content []byte) []byte {
		if !slices.ContainsFunc(content[:headerOctets(content)], func(c byte) bool { return c > 127 }) {
			return content
		}
		sum := md5.Sum(fmt.Appendf(nil, "%d", wraps.Add(1)))
		boundary := hex.EncodeToString(sum[:8])
		return slices.Concat(fmt.Appendf(nil, "From: Mail Delivery Subsystem <postmaster>\r\nSubject: Cannot display Unicode content\r\n"+
			"Mime-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"%[1]s\"\r\n\r\n--%[1]s\r\n\r\nThis message needs a mail program that knows UTF-8.\r\n\r\n"+
			"--%[1]s\r\nContent-Type: message/global\r\n\r\n", boundary), content, fmt.Appendf(nil, "\r\n--%s--\r\n", boundary))
	}
}

// internalData is the pseudo message in which one family of programs keeps
// notes on an mbox, at its beginning.
func internalData() Message {
	return Message{UniqueID: "folder-internal", Content: []byte("From: Mail System Internal Data <MAILER-DAEMON@pop.example.org>\r\n" +
		"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\r\nMessage-ID: <1760000000@pop.example.org>\r\n" +
		"X-IMAP: 1760000000 0000000012\r\nStatus: RO\r\n\r\n" +
		"This is no mail. A mail program keeps its notes on this folder here and makes\r\nthem again where they are gone.\r\n")}
}

// withoutInternalData is the view of a server that knows that message.
func withoutInternalData(messages []Message) []Message {
	return slices.DeleteFunc(messages, func(m Message) bool {
		_, found := headerField(m.Content, "X-IMAP")
		return found
	})
}

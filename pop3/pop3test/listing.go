package pop3test

import (
	"bytes"
	"slices"
	"strconv"
)

// Entry is a message as STAT, LIST and UIDL show it.
type Entry struct {
	Number   int
	UniqueID string
	Octets   int64 // negative: left out of the scan listing's line
}

// Emptied is a listing or view with nothing in it.
func Emptied[T any]([]T) []T { return nil }

// Reversed is a listing or view in reverse order. A listing's entries keep
// their message-numbers, a view's messages are numbered anew.
func Reversed[T any](list []T) []T {
	slices.Reverse(list)
	return list
}

// Omitting leaves the n-th element, counted from 1, out of a listing or view.
func Omitting[T any](n int) func([]T) []T {
	return func(list []T) []T {
		if n > len(list) {
			return list
		}
		return slices.Delete(list, n-1, n)
	}
}

// Scaled multiplies the octets of a listing: 0.5, 2, 0.
func Scaled(factor float64) func([]Entry) []Entry {
	return func(entries []Entry) []Entry {
		for i := range entries {
			entries[i].Octets = int64(factor * float64(entries[i].Octets))
		}
		return entries
	}
}

// WithoutOctets is a scan listing of message-numbers only.
func WithoutOctets(entries []Entry) []Entry {
	for i := range entries {
		entries[i].Octets = -1
	}
	return entries
}

// Identified gives each message of a listing the unique-id that name makes of
// its own: the same for all, another one, "".
func Identified(name func(uniqueID string) string) func([]Entry) []Entry {
	return func(entries []Entry) []Entry {
		for i := range entries {
			entries[i].UniqueID = name(entries[i].UniqueID)
		}
		return entries
	}
}

// Renamed gives each message of a view the unique-id that name makes of its
// own, as a server that renumbers its mail.
func Renamed(name func(uniqueID string) string) func([]Message) []Message {
	return func(messages []Message) []Message {
		for i := range messages {
			messages[i].UniqueID = name(messages[i].UniqueID)
		}
		return messages
	}
}

// WithHeader adds a field, given without its line end, at the end of each
// header section of a view, as servers do that keep their state in the mail:
// "Status: RO".
func WithHeader(field string) func([]Message) []Message {
	return func(messages []Message) []Message {
		for i := range messages {
			content := messages[i].Content
			at := headerOctets(content)
			if at == len("\r\n") || bytes.HasSuffix(content[:at], []byte("\r\n\r\n")) {
				at -= len("\r\n")
			}
			messages[i].Content = slices.Concat(content[:at], []byte(field+"\r\n"), content[at:])
		}
		return messages
	}
}

// scanLine appends an entry's line of the scan listing, without its end.
func scanLine(line []byte, e Entry) []byte {
	line = strconv.AppendInt(line, int64(e.Number), 10)
	if e.Octets < 0 {
		return line
	}
	return strconv.AppendInt(append(line, ' '), e.Octets, 10)
}

// uniqueIDLine appends an entry's line of the unique-id listing, without its end.
func uniqueIDLine(line []byte, e Entry) []byte {
	line = strconv.AppendInt(line, int64(e.Number), 10)
	return append(append(line, ' '), e.UniqueID...)
}

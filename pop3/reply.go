package pop3

import (
	"bytes"
	"fmt"
	"strings"
)

// splitStatus reads the status indicator of a reply (RFC 1939 section 3):
// +OK or -ERR, in any case. Text glued to it is tolerated.
func splitStatus(line []byte) (ok bool, rest []byte, known bool) {
	for _, status := range []struct {
		word string
		ok   bool
	}{{"+OK", true}, {"-ERR", false}} {
		n := len(status.word)
		if len(line) >= n && bytes.EqualFold(line[:n], []byte(status.word)) {
			return status.ok, bytes.Trim(line[n:], " \t"), true
		}
	}
	return false, nil, false
}

// keyword is the part of a command line that may be shown.
func keyword(command string) string {
	word, _, _ := strings.Cut(command, " ")
	return word
}

// argument checks that a command's argument cannot end its line or smuggle
// another command in.
func argument(command, name, value string) error {
	if strings.ContainsAny(value, "\r\n\x00") {
		return fmt.Errorf("%s: %s contains CR, LF or NUL", command, name)
	}
	return nil
}

// fits checks the length of a command line (RFC 2449 section 4).
func (c *Client) fits(command, name string, octets int) error {
	if octets+2 > maxCommandLine && !c.opts.LongLines {
		return fmt.Errorf("%s: %s makes the command longer than the %d octets that RFC 2449 allows", command, name, maxCommandLine)
	}
	return nil
}

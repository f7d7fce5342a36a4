package pop3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
)

// Greeting reads the server's greeting (RFC 1939 section 3). It is the first
// call on a client; nothing was sent before. A greeting of -ERR is a
// *ReplyError and the server closes.
func (c *Client) Greeting(ctx context.Context) (string, error) {
	if err := c.ready("greeting", stateGreeting); err != nil {
		return "", err
	}
	defer c.begin(ctx, c.timeouts.Greeting)()
	// Enough octets to recognise another protocol by, unless a line ends before.
	for c.r.buffered() < foreignOctets && !bytes.ContainsRune(c.r.unread(), '\n') {
		if err := c.r.more(); err != nil {
			if c.r.buffered() == 0 {
				err = greetingError(err)
			} else if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return "", c.breakWith("greeting", err)
		}
	}
	if problem := foreignGreeting(c.r.unread()); problem != "" {
		return "", c.breakWith("greeting", &ProtocolError{Command: "greeting", Problem: problem, Hint: checkPort})
	}
	text, err := c.status("greeting")
	if protocol := (*ProtocolError)(nil); errors.As(err, &protocol) {
		protocol.Hint = checkPort
	}
	if err != nil {
		return "", err
	}
	c.apop = string(timestampPattern.Find(text))
	c.state = stateAuthorization
	return c.show(text), nil
}

const checkPort = "check the port: POP3 with TLS from the first octet is usually 995, clear text and STLS 110"

func greetingError(err error) error {
	var operation *net.OpError
	switch {
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return ErrNoGreeting
	case errors.As(err, &operation) && !operation.Timeout() && !errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%w: %w", ErrNoGreeting, err) // reset
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w; a port that expects TLS from the first octet keeps silent like this", err)
	}
	return err
}

const foreignOctets = 6 // "+ POP2"

// foreignGreeting recognises what other protocols say first.
func foreignGreeting(b []byte) string {
	switch {
	case len(b) >= 2 && (b[0] == 0x15 || b[0] == 0x16) && b[1] == 3:
		return "the server speaks TLS on this port"
	case bytes.HasPrefix(b, []byte("* ")):
		return "an IMAP server answers on this port"
	case bytes.HasPrefix(b, []byte("220")):
		return "an SMTP or FTP server answers on this port"
	case bytes.HasPrefix(b, []byte("+ POP2")):
		return "a POP2 server answers on this port"
	case bytes.HasPrefix(b, []byte("HTTP/")):
		return "a web server answers on this port"
	case bytes.HasPrefix(b, []byte("SSH-")):
		return "an SSH server answers on this port"
	}
	return ""
}

var timestampPattern = regexp.MustCompile(`<[!-;=?-~]+@[!-;=?-~]+>`)

// Timestamp returns the greeting's APOP timestamp with its brackets (RFC 1939
// section 7), "" where there is none. That one is there does not prove that
// APOP works.
func (c *Client) Timestamp() string { return c.apop }

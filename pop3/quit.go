package pop3

import (
	"bytes"
	"context"
	"errors"
	"strings"
)

// Quit sends QUIT, which makes the server carry out the marks (RFC 1939
// section 6), reads its reply and everything up to the end of the stream, and
// closes. It returns all that the server said. An -ERR anywhere in it is a
// *ReplyError; no reply at all is another error, and then the outcome is
// unknown. +OK proves nothing: only a later listing does.
//
// The stream is read to its end because some servers answer first and delete
// then, and would be cut short by a reset.
func (c *Client) Quit(ctx context.Context) (string, error) {
	if c.broken != nil {
		return "", c.ready("QUIT", c.state)
	}
	if c.state == stateGreeting || c.state == stateEnded {
		return "", errors.New("QUIT: not allowed in this state of the session")
	}
	if err := c.ready("QUIT", c.state); err != nil {
		return "", err
	}
	defer c.Close()
	defer c.begin(ctx, c.timeouts.Quit)()
	text, err := c.exchange("QUIT")
	c.state = stateEnded
	var refused *ReplyError
	if err != nil && !errors.As(err, &refused) {
		return "", err
	}
	c.patience(afterQuitWait)
	words := []string{text}
	if refused != nil {
		words[0] = refused.Text
	}
	for len(words) < 10 {
		line, readErr := c.r.line()
		if readErr != nil {
			break // end of the stream, or the server keeps it open: both are fine
		}
		words = append(words, c.show(line))
		if status, rest, known := splitStatus(line); known && !status && refused == nil {
			code, text := splitCode(display(bytes.TrimSpace(rest)))
			refused = &ReplyError{Command: "QUIT", Code: code, Text: text}
		}
	}
	said := strings.Join(words, " / ")
	if refused != nil {
		return said, refused
	}
	return said, nil
}

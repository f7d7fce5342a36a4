package pop3

import (
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
	if err := c.sound("QUIT"); err != nil {
		return "", err
	}
	if c.state == stateGreeting || c.state == stateEnded {
		return "", errors.New("QUIT: not allowed in this state of the session")
	}
	if err := c.ready("QUIT", c.state); err != nil {
		return "", err
	}
	defer c.Close()
	end := c.begin(ctx, c.timeouts.Quit)
	text, err := c.exchange("QUIT")
	end()
	c.state = stateEnded
	refused := asRefusal(err)
	if err != nil && refused == nil {
		return "", err
	}
	words := []string{text}
	if refused != nil {
		words[0] = refused.Text
	}
	ctx, cancel := context.WithTimeout(ctx, afterQuitWait)
	defer cancel()
	defer c.begin(ctx, afterQuitWait)()
	for len(words) < 10 {
		line, readErr := c.r.line()
		if readErr != nil {
			// The end of the stream, or the server keeps it open: both are
			// fine. What it said last may lack its line end.
			if line = c.r.unread(); len(line) == 0 {
				break
			}
		}
		words = append(words, c.show(line))
		if ok, rest, known := splitStatus(line); known && !ok && refused == nil {
			refused = c.replyError("QUIT", rest)
		}
		if readErr != nil {
			break
		}
	}
	said := strings.Join(words, " / ")
	if refused != nil {
		return said, refused
	}
	return said, nil
}

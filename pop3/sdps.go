package pop3

import (
	"context"
	"fmt"
)

// Envelope is what a server says of a message's transport.
type Envelope struct {
	Sender    string // reverse-path without brackets; "" for a bounce
	Recipient string
}

// sdpsPreamble counts the lines of a reply to *ENV before sender and recipient.
const sdpsPreamble = 2

// SDPSEnvelope asks for a message's envelope with *ENV, a command of the
// Standard Dial-up POP3 Service that Demon Internet ran: no RFC describes it.
// The sender stands in the third line of the reply and the recipient in the
// fourth. A server without the command, and a reply with fewer lines or
// without a recipient, give a *ReplyError: the message itself can be fetched.
func (c *Client) SDPSEnvelope(ctx context.Context, number Number) (Envelope, error) {
	command := fmt.Sprintf("*ENV %d", number)
	if err := c.ready(command, stateTransaction); err != nil {
		return Envelope{}, err
	}
	defer c.begin(ctx, c.timeouts.Command)()
	c.queue("*ENV", number)
	if err := c.flush(command); err != nil {
		return Envelope{}, err
	}
	if _, err := c.reply(command); err != nil {
		return Envelope{}, err
	}
	var lines []string
	err := c.listing(command, func(line []byte) error {
		if len(lines) < sdpsPreamble+2 {
			lines = append(lines, string(line))
		}
		return nil
	})
	if err != nil {
		return Envelope{}, err
	}
	if len(lines) < sdpsPreamble+2 || lines[sdpsPreamble+1] == "" {
		return Envelope{}, &ReplyError{Command: command, Text: "a reply without sender and recipient"}
	}
	return Envelope{Sender: lines[sdpsPreamble], Recipient: lines[sdpsPreamble+1]}, nil
}

package pop3

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-sasl"
)

// maxInitialLine bounds a command line with an initial response: some proxies
// close at 128 octets. A longer one is sent as the answer to an empty challenge.
const maxInitialLine = 127

// Authenticate logs in by AUTH (RFC 5034 section 4) with a SASL mechanism. A
// mechanism that speaks first sends its initial response with the command if
// the line stays short. A challenge that is not base64, or that the mechanism
// cannot answer, is cancelled with "*" and the connection stays usable.
func (c *Client) Authenticate(ctx context.Context, mechanism sasl.Client) error {
	if err := c.ready("AUTH", stateAuthorization); err != nil {
		return err
	}
	name, initial, err := mechanism.Start()
	if err != nil {
		return fmt.Errorf("AUTH %s: %w", name, err)
	}
	defer c.begin(ctx, c.timeouts.Login)()
	command := "AUTH " + name
	if initial != nil {
		encoded := encodeInitial(initial)
		c.secrets = append(c.secrets, encoded)
		if line := command + " " + encoded; len(line)+2 <= maxInitialLine {
			command, initial = line, nil
		}
	}
	c.out = append(append(c.out, command...), '\r', '\n')
	for {
		if err := c.flush("AUTH"); err != nil {
			return err
		}
		challenge, done, err := c.challenge(name)
		if done || err != nil {
			return c.loggedIn(err)
		}
		response := initial
		if initial == nil {
			response, err = c.answer(mechanism, challenge)
		}
		initial = nil
		if err != nil {
			return c.cancel(name, err)
		}
		encoded := base64.StdEncoding.EncodeToString(response)
		c.secrets = append(c.secrets, encoded)
		c.out = append(append(c.out, encoded...), '\r', '\n')
	}
}

// encodeInitial writes an initial response: "=" stands for an empty one.
func encodeInitial(response []byte) string {
	if len(response) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(response)
}

var errNotBase64 = errors.New("server's challenge is not base64")

func (c *Client) answer(mechanism sasl.Client, challenge []byte) ([]byte, error) {
	decoded, err := base64.StdEncoding.DecodeString(string(challenge))
	if err != nil {
		return nil, errNotBase64
	}
	return mechanism.Next(decoded)
}

// challenge reads the server's next line in an AUTH exchange: a challenge
// behind "+ ", or the reply that ends it.
func (c *Client) challenge(name string) (challenge []byte, done bool, err error) {
	if c.r.buffered() == 0 {
		if err := c.r.more(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, false, c.breakWith("AUTH "+name, err)
		}
	}
	next := c.r.buf[c.r.pos:c.r.end]
	for len(next) < 2 && next[0] == '+' {
		if err := c.r.more(); err != nil {
			return nil, false, c.breakWith("AUTH "+name, err)
		}
		next = c.r.buf[c.r.pos:c.r.end]
	}
	if next[0] != '+' || next[1] == 'O' || next[1] == 'o' {
		_, err := c.reply("AUTH " + name)
		return nil, true, err
	}
	line, err := c.r.line()
	if err != nil {
		return nil, false, c.breakWith("AUTH "+name, err)
	}
	return bytes.TrimSpace(line[1:]), false, nil
}

// cancel ends an exchange that the client cannot go on with (RFC 5034 section 4).
func (c *Client) cancel(name string, cause error) error {
	if _, err := c.exchange("*"); err != nil {
		var refused *ReplyError
		if !errors.As(err, &refused) {
			return err
		}
	}
	return fmt.Errorf("AUTH %s: %w", name, cause)
}

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
	answered := false // the server has had a response
	if initial != nil {
		c.hideResponse(initial)
		if line := command + " " + encodeInitial(initial); len(line)+2 <= maxInitialLine {
			command, initial, answered = line, nil, true
		}
	}
	c.out = append(append(c.out, command...), '\r', '\n')
	for rounds := 0; ; rounds++ {
		if err := c.flush("AUTH " + name); err != nil {
			return err
		}
		challenge, done, err := c.challenge(name, answered)
		if done || err != nil {
			return c.loggedIn(err)
		}
		if err := c.quiet("AUTH " + name); err != nil {
			return err
		}
		response := initial
		if rounds >= maxChallenges {
			err = errEndlessChallenges
		} else if initial == nil {
			response, err = answer(mechanism, challenge)
		}
		initial, answered = nil, true
		if err != nil {
			return c.cancel(name, err)
		}
		c.hideResponse(response)
		c.out = append(base64.StdEncoding.AppendEncode(c.out, response), '\r', '\n')
	}
}

// hideResponse hides a response as it is sent and, of one in parts such as
// PLAIN's, the last part: the password. The user's name before it is no secret.
func (c *Client) hideResponse(response []byte) {
	c.secrets.Add(base64.StdEncoding.EncodeToString(response), string(response[bytes.LastIndexByte(response, 0)+1:]))
}

// encodeInitial writes an initial response: "=" stands for an empty one.
func encodeInitial(response []byte) string {
	if len(response) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(response)
}

var (
	errNotBase64         = errors.New("server's challenge is not base64")
	errEndlessChallenges = errors.New("server goes on asking")
)

func answer(mechanism sasl.Client, challenge []byte) ([]byte, error) {
	decoded, err := base64.StdEncoding.DecodeString(string(challenge))
	if err != nil {
		return nil, errNotBase64
	}
	return mechanism.Next(decoded)
}

// challenge reads the server's next line in an AUTH exchange: a challenge
// behind "+ ", or the reply that ends it. A +OK before the server was answered
// is an empty challenge (Exchange says that), never a success.
func (c *Client) challenge(name string, answered bool) (challenge []byte, done bool, err error) {
	c.renew()
	for c.r.buffered() == 0 || (c.r.buffered() == 1 && c.r.unread()[0] == '+') {
		if err := c.r.more(); err != nil {
			if err == io.EOF {
				err = fmt.Errorf("server closed the connection: %w", io.ErrUnexpectedEOF)
			}
			return nil, false, c.breakWith("AUTH "+name, err)
		}
	}
	next := c.r.unread()
	if next[0] != '+' || next[1] == 'O' || next[1] == 'o' {
		_, err := c.reply("AUTH " + name)
		return nil, answered || err != nil, err
	}
	line, err := c.r.line()
	if err != nil {
		return nil, false, c.breakWith("AUTH "+name, err)
	}
	return bytes.TrimSpace(line[1:]), false, nil
}

// cancel ends an exchange that the client cannot go on with (RFC 5034 section 4).
func (c *Client) cancel(name string, cause error) error {
	c.out = append(c.out, "*\r\n"...)
	if err := c.flush("AUTH " + name); err != nil {
		return err
	}
	if _, err := c.reply("AUTH " + name); err != nil && asRefusal(err) == nil {
		return err
	}
	return fmt.Errorf("AUTH %s: %w", name, cause)
}

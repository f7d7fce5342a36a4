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

// Mechanism is a SASL mechanism that Authenticate can ask more than a
// sasl.Client.
type Mechanism interface {
	sasl.Client

	// Secrets returns what no error may show, besides the responses.
	Secrets() []string

	// Verify is asked when the server has said +OK. An error says that the
	// server did not prove what the mechanism demands; then it is no login.
	Verify() error

	// Said returns what the server said inside the exchange about its
	// failure, "" where that is nothing.
	Said() string
}

// Authenticate logs in by AUTH (RFC 5034 section 4) with a SASL mechanism,
// which may be a [Mechanism]. The response of a mechanism that speaks first
// waits for the server's empty challenge, unless Options.InitialLine lets it
// go with the command; a server that refuses the bare command, for no reason
// that it names, is asked once more with the response in it. A challenge that
// is not base64, or that the mechanism cannot answer, is cancelled with "*"
// and the connection stays usable.
func (c *Client) Authenticate(ctx context.Context, mechanism sasl.Client) error {
	if err := c.ready("AUTH", stateAuthorization); err != nil {
		return err
	}
	name, initial, err := mechanism.Start()
	if err != nil {
		return fmt.Errorf("AUTH %s: %w", name, err)
	}
	if err := argument("AUTH", "mechanism", name); err != nil {
		return err
	}
	defer c.begin(ctx, c.timeouts.Login)()
	demands, _ := mechanism.(Mechanism)
	if demands != nil {
		c.secrets.Add(demands.Secrets()...)
	}
	x := &exchange{c: c, mechanism: mechanism, name: name, initial: initial}
	if initial != nil {
		c.hideResponse(initial)
	}
	err = x.run(c.opts.InitialLine)
	if x.mayStartAnew(err) {
		err = x.run(maxCommandLine)
	}
	if demands != nil {
		if refused := asRefusal(err); refused != nil {
			refused.Detail = c.show([]byte(demands.Said()))
		}
		if err == nil {
			if cause := demands.Verify(); cause != nil {
				c.broken = &exchangeError{name, c.show([]byte(cause.Error())), cause}
				return c.broken
			}
		}
	}
	return c.loggedIn(err)
}

// exchange is one AUTH command.
type exchange struct {
	c         *Client
	mechanism sasl.Client
	name      string
	initial   []byte // the response of a mechanism that speaks first, nil where it does not
	answered  bool   // the server has had a response
}

// run sends the command, with the initial response if the line has at most so
// many octets, and answers challenges until the server's last word.
func (x *exchange) run(longest int) error {
	c, command, initial := x.c, "AUTH "+x.name, x.initial
	if initial != nil {
		if line := command + " " + encodeInitial(initial); len(line)+2 <= longest {
			command, initial, x.answered = line, nil, true
		}
	}
	c.out = append(append(c.out, command...), '\r', '\n')
	for rounds := 0; ; rounds++ {
		if err := c.flush("AUTH " + x.name); err != nil {
			return err
		}
		challenge, done, err := c.challenge(x.name, x.answered)
		if done || err != nil {
			return err
		}
		if err := c.quiet("AUTH " + x.name); err != nil {
			return err
		}
		response := initial
		if rounds >= maxChallenges {
			err = errEndlessChallenges
		} else if initial == nil {
			response, err = answer(x.mechanism, challenge)
		}
		initial, x.answered = nil, true
		if err != nil {
			return c.cancel(x.name, err)
		}
		c.hideResponse(response)
		c.out = append(base64.StdEncoding.AppendEncode(c.out, response), '\r', '\n')
	}
}

// mayStartAnew tells whether the server may want the initial response with the
// command: it refused the bare one without a response code, had no response
// yet, and the response fits.
func (x *exchange) mayStartAnew(err error) bool {
	refused := asRefusal(err)
	return refused != nil && refused.Code == "" && !x.answered && x.initial != nil &&
		len("AUTH "+x.name+" "+encodeInitial(x.initial))+2 <= maxCommandLine
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
	return &exchangeError{name, c.show([]byte(cause.Error())), cause}
}

// exchangeError says why the client gave an exchange up. The cause may repeat
// what the server sent, so that its text is shown only cleaned.
type exchangeError struct {
	name, text string
	cause      error
}

func (e *exchangeError) Error() string { return "AUTH " + e.name + ": " + e.text }
func (e *exchangeError) Unwrap() error { return e.cause }

package pop3

import (
	"context"
	"errors"
	"strings"
)

// Capabilities is a CAPA reply (RFC 2449 section 5).
type Capabilities struct {
	Lines []string // as sent, cleaned for display and without secrets
	tags  map[string][]string
}

// Capabilities asks CAPA. It may be asked before and after the login: servers
// answer differently. A server without CAPA gives a *ReplyError.
func (c *Client) Capabilities(ctx context.Context) (*Capabilities, error) {
	allowed := stateAuthorization
	if c.state == stateTransaction {
		allowed = stateTransaction
	}
	if err := c.ready("CAPA", allowed); err != nil {
		return nil, err
	}
	defer c.begin(ctx, c.timeouts.Command)()
	c.queue("CAPA", 0)
	if err := c.flush("CAPA"); err != nil {
		return nil, err
	}
	caps, err := c.readCapabilities()
	if err != nil {
		return nil, err
	}
	if c.opts.Pipelining == PipelineAuto && c.state == stateTransaction {
		c.pipeline = caps.Has("PIPELINING") && !c.cautious
	}
	return caps, nil
}

func (c *Client) readCapabilities() (*Capabilities, error) {
	if _, err := c.reply("CAPA"); err != nil {
		return nil, err
	}
	caps, octets := &Capabilities{tags: map[string][]string{}}, 0
	err := c.listing("CAPA", func(line []byte) error {
		if octets += len(line) + 2; octets > maxCapa || len(caps.Lines) >= maxCapaLines {
			return errors.New("endless list of capabilities")
		}
		caps.Lines = append(caps.Lines, c.show(line))
		caps.add(display(line))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return caps, nil
}

func (k *Capabilities) add(line string) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	tag := strings.ToUpper(words[0])
	k.tags[tag] = append(k.tags[tag], words[1:]...)
}

// Has tells whether the tag was announced, in any case. It is false on nil.
func (k *Capabilities) Has(tag string) bool {
	if k == nil {
		return false
	}
	_, ok := k.tags[strings.ToUpper(tag)]
	return ok
}

// Args returns the words behind a tag, those of repeated lines joined.
func (k *Capabilities) Args(tag string) []string {
	if k == nil {
		return nil
	}
	return k.tags[strings.ToUpper(tag)]
}

// HasArg tells whether word stands behind tag, in any case.
func (k *Capabilities) HasArg(tag, word string) bool {
	for _, arg := range k.Args(tag) {
		if strings.EqualFold(arg, word) {
			return true
		}
	}
	return false
}

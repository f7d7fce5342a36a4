package pop3

import (
	"bytes"
	"context"
	"strings"
)

// UniqueIDListing is one line of a UIDL reply (RFC 1939 section 7). The
// unique-id may be "", over-long or hold any octets but line ends: servers
// differ, and it is kept as it was sent, blanks at its end taken off.
type UniqueIDListing struct {
	Number   Number
	UniqueID UniqueID
}

// UIDL asks for the whole unique-id listing; errors as in List. A server
// without unique-ids gives a *ReplyError.
func (c *Client) UIDL(ctx context.Context) ([]UniqueIDListing, error) {
	if err := c.ready("UIDL", stateTransaction); err != nil {
		return nil, err
	}
	defer c.begin(ctx, c.timeouts.Login)()
	c.queue("UIDL", 0)
	if err := c.flush("UIDL"); err != nil {
		return nil, err
	}
	return c.readUIDL()
}

func (c *Client) readUIDL() ([]UniqueIDListing, error) {
	if _, err := c.reply("UIDL"); err != nil {
		return nil, err
	}
	var rows []UniqueIDListing
	var ends []int // where each unique-id ends in text
	var text strings.Builder
	var seen numberSet
	err := c.listing("UIDL", func(line []byte) error {
		number, rest, err := seen.row(line)
		if err != nil {
			return err
		}
		text.Write(bytes.TrimRight(rest, " \t"))
		rows = append(rows, UniqueIDListing{Number: number})
		ends = append(ends, text.Len())
		return nil
	})
	if err == nil {
		err = c.distinct("UIDL", &seen)
	}
	if err != nil {
		return nil, err
	}
	// All unique-ids share one string: a million of them is one allocation.
	all, begin := UniqueID(text.String()), 0
	for i, end := range ends {
		rows[i].UniqueID = all[begin:end]
		begin = end
	}
	return rows, nil
}

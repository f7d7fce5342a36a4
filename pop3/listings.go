package pop3

import (
	"context"
	"errors"
)

// Listings are a session's three views of its maildrop.
type Listings struct {
	UniqueIDs []UniqueIDListing
	UIDLError *ReplyError // set where the server has no unique-ids
	Scan      []ScanListing
	Drop      DropListing
	StatError *ReplyError
}

// Listings asks UIDL, LIST and STAT, in one flight where pipelining is on.
// UIDL comes first: one server (GNU mailutils) inserts a header into each
// message when it is asked, and only then lists the right octets.
func (c *Client) Listings(ctx context.Context) (*Listings, error) {
	if err := c.ready("UIDL", stateTransaction); err != nil {
		return nil, err
	}
	defer c.begin(ctx, c.timeouts.Login)()
	commands := []string{"UIDL", "LIST", "STAT"}
	if c.pipeline {
		for _, command := range commands {
			c.queue(command, 0)
		}
		if err := c.flush("UIDL"); err != nil {
			return nil, err
		}
	}
	var all Listings
	for _, command := range commands {
		if !c.pipeline {
			if err := c.ready(command, stateTransaction); err != nil {
				return nil, err
			}
			c.queue(command, 0)
			if err := c.flush(command); err != nil {
				return nil, err
			}
		}
		c.renew()
		var err error
		switch command {
		case "UIDL":
			all.UniqueIDs, err = c.readUIDL()
			err = refusal(err, &all.UIDLError)
		case "LIST":
			all.Scan, err = c.readList()
		case "STAT":
			all.Drop, err = c.readStat()
			err = refusal(err, &all.StatError)
		}
		if err != nil {
			if c.pipeline {
				c.breakWith(command, errors.New("left with replies outstanding"))
			}
			return nil, err
		}
	}
	return &all, nil
}

// refusal moves a *ReplyError to where it is told apart from real errors.
func refusal(err error, to **ReplyError) error {
	*to = asRefusal(err)
	if *to != nil {
		return nil
	}
	return err
}

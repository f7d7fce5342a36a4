package pop3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ScanListing is one line of a LIST reply (RFC 1939 section 5).
type ScanListing struct {
	Number Number
	Octets int64 // advisory; -1 where the server gives none
}

// List asks for the whole scan listing. A listing that is cut or that names a
// number twice is an error: no part of it is returned.
func (c *Client) List(ctx context.Context) ([]ScanListing, error) {
	if err := c.ready("LIST", stateTransaction); err != nil {
		return nil, err
	}
	defer c.begin(ctx, c.timeouts.Login)()
	c.queue("LIST", 0)
	if err := c.flush("LIST"); err != nil {
		return nil, err
	}
	return c.readList()
}

func (c *Client) readList() ([]ScanListing, error) {
	if _, err := c.reply("LIST"); err != nil {
		return nil, err
	}
	var rows []ScanListing
	var seen numberSet
	err := c.listing("LIST", func(line []byte) error {
		number, rest, err := seen.row(line)
		if err != nil {
			return err
		}
		octets, _, ok := leadingInt(rest)
		if !ok {
			octets = -1
		}
		rows = append(rows, ScanListing{number, octets})
		return nil
	})
	if err == nil {
		err = c.distinct("LIST", &seen)
	}
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// listingLimit bounds what a listing makes the client hold.
type listingLimit struct{ rows, octets int }

// listing reads the lines of a multi-line reply up to its termination line and
// undoes dot-stuffing. Any error breaks the connection.
func (c *Client) listing(command string, row func(line []byte) error) error {
	octets := 0
	c.renew()
	for n := 0; ; n++ {
		line, err := c.r.line()
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return c.breakWith(command, fmt.Errorf("listing cut after %d lines: %w", n, err))
		}
		if len(line) > 0 && line[0] == '.' {
			if len(line) == 1 {
				return nil
			}
			line = line[1:]
		}
		octets += len(line)
		if n >= c.limit.rows || octets > c.limit.octets {
			return c.breakWith(command, &ProtocolError{Command: command,
				Problem: fmt.Sprintf("listing of more than %d lines or %d octets", c.limit.rows, c.limit.octets)})
		}
		if err := row(line); err != nil {
			return c.breakWith(command, &ProtocolError{Command: command, Problem: err.Error(), Line: c.show(line)})
		}
	}
}

// numberSet checks that a listing names each message-number once.
type numberSet struct {
	numbers []Number
	sorted  bool
}

var errNotNumber = errors.New("listing line does not begin with a message-number")

// row takes the message-number off a listing line.
func (s *numberSet) row(line []byte) (Number, []byte, error) {
	n, rest, ok := leadingInt(bytes.TrimLeft(line, " \t"))
	if !ok || n < 1 || n > 1<<31-1 {
		return 0, nil, errNotNumber
	}
	number := Number(n)
	s.sorted = len(s.numbers) == 0 || (s.sorted && number > s.numbers[len(s.numbers)-1])
	s.numbers = append(s.numbers, number)
	return number, bytes.TrimLeft(rest, " \t"), nil
}

// distinct breaks the connection if a number stood in the listing twice.
func (c *Client) distinct(command string, s *numberSet) error {
	if s.sorted || len(s.numbers) == 0 {
		return nil
	}
	slices.Sort(s.numbers)
	for i, n := range s.numbers[1:] {
		if n == s.numbers[i] {
			return c.breakWith(command, &ProtocolError{Command: command,
				Problem: fmt.Sprintf("listing names message %d twice", n)})
		}
	}
	return nil
}

// leadingInt reads the decimal digits at the beginning of text.
func leadingInt(text []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for ; i < len(text) && i < 18 && text[i] >= '0' && text[i] <= '9'; i++ {
		n = n*10 + int64(text[i]-'0')
	}
	if i == 0 || (i < len(text) && text[i] != ' ' && text[i] != '\t') {
		return 0, text, false
	}
	return n, text[i:], true
}

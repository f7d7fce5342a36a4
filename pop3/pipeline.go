package pop3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// flight sends one command per message-number, up to a window of them ahead
// of the replies, and hands each status line to a consumer in order.
//
// Commands in flight are a few hundred octets at the most: they always fit
// into the connection's send buffer, so that writing never waits for a server
// that itself waits for its replies to be read.
type flight struct {
	c       *Client
	keyword string
	suffix  string // arguments behind the number, with their leading blank
	next    func() (Number, bool)
	sent    []Number // replies outstanding, oldest first
	window  window
	dry     bool // next has no more
	handed  bool // the consumer has an item, whose data may be unread
}

// launch begins a flight; every number that next yields is sent.
func (c *Client) launch(keyword, suffix string, next func() (Number, bool)) *flight {
	c.flying = true
	mean := c.mean
	if keyword != "RETR" {
		mean = 0
	}
	return &flight{c: c, keyword: keyword, suffix: suffix, next: next, window: newWindow(c.pipeline, c.opts.Window, mean, c.r.given)}
}

// topUp sends more commands once half of the window is answered.
func (f *flight) topUp() error {
	size := f.window.size()
	if len(f.sent) > size/2 {
		return nil
	}
	if len(f.sent) == 0 {
		if err := f.c.quiet(f.keyword); err != nil {
			return err
		}
	}
	for !f.dry && len(f.sent) < size {
		number, ok := f.next()
		if !ok {
			f.dry = true
			break
		}
		if number < 1 {
			return f.c.breakWith(f.keyword, fmt.Errorf("%d is not a message-number", number))
		}
		if f.c.cautious && f.keyword != "DELE" {
			if err := f.c.prove(f.keyword); err != nil {
				return err
			}
		}
		f.c.queue(f.keyword, number)
		if f.suffix != "" {
			f.c.out = append(append(f.c.out[:len(f.c.out)-2], f.suffix...), '\r', '\n')
		}
		f.sent = append(f.sent, number)
	}
	return f.c.flush(f.keyword)
}

// reply returns the number and status of the oldest command in flight; ok is
// false when nothing is left. A *ReplyError concerns that number only.
func (f *flight) reply() (number Number, text []byte, err error, ok bool) {
	if err := f.topUp(); err != nil {
		return 0, nil, err, true
	}
	if len(f.sent) == 0 {
		return 0, nil, nil, false
	}
	number = f.sent[0]
	f.sent = slices.Delete(f.sent, 0, 1)
	f.c.renew()
	if f.c.r.buffered() == 0 {
		f.window.silent()
	}
	text, err = f.c.status(f.keyword)
	if refused := asRefusal(err); refused != nil {
		refused.Command = numbered(f.keyword, number)
	}
	return number, text, err, true
}

// land ends the flight. Replies that nobody will read break the connection:
// the consumer left early, or panicked.
func (f *flight) land() {
	f.c.flying = false
	if f.keyword == "RETR" {
		f.c.mean = f.window.mean
	}
	if (len(f.sent) > 0 || f.handed) && f.c.broken == nil {
		f.c.breakWith(f.keyword, errors.New("left with replies outstanding"))
	}
}

// fly runs a flight as a sequence. item turns one status line into a value;
// where it is refused the value is item's too, with the *ReplyError.
func fly[T any](ctx context.Context, c *Client, keyword, suffix string, numbers iter.Seq[Number],
	item func(Number, []byte, error) (T, error), after func(item T, leaving bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := c.ready(keyword, stateTransaction); err != nil {
			yield(zero, err)
			return
		}
		defer c.begin(ctx, c.timeouts.Command)()
		next, stop := iter.Pull(numbers)
		defer stop()
		f := c.launch(keyword, suffix, next)
		defer f.land()
		for {
			number, text, err, ok := f.reply()
			if !ok {
				return
			}
			value, err := item(number, text, err)
			f.handed = true
			more := yield(value, err)
			if err != nil && asRefusal(err) == nil {
				return
			}
			if after != nil {
				if err := after(value, !more); err != nil {
					if more {
						yield(zero, err)
					}
					return
				}
			}
			f.handed = false
			f.window.read(c.r.given)
			if !more {
				return
			}
		}
	}
}

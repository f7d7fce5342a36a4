package checkpoint

import (
	"context"
	"errors"
	"fmt"
)

// Longest values that a ledger takes, in octets. They are far above what any
// caller has in mind, and far below what would fail everyone's transaction.
const (
	longestText = 1 << 20
	longestBody = 64 << 20
)

var errNoName = errors.New("a sink without a name")

// admit checks all changes of a commit before the first is carried out. A
// refusal concerns this commit only; err is the store's.
func (s *stage) admit(ctx context.Context, changes []Change) (refusal, err error) {
	known := map[int64]int64{} // messages of a maildrop, those of this commit included
	for i, c := range changes {
		refusal, err := s.admitOne(ctx, c, known)
		if err != nil {
			return nil, err
		}
		if refusal != nil {
			return fmt.Errorf("change %d of %d (%T): %w", i+1, len(changes), c, refusal), nil
		}
	}
	return nil, nil
}

func (s *stage) admitOne(ctx context.Context, c Change, known map[int64]int64) (refusal, err error) {
	id, refusal := check(c)
	if refusal != nil {
		return refusal, nil
	}
	if entry, ok := c.(AddCustody); ok && entry.Entry.Maildrop == 0 {
		return nil, nil
	}
	if _, ok := known[id]; !ok {
		m, err := s.tally.maildrop(ctx, id)
		if err != nil {
			return nil, err
		}
		if m == nil {
			return fmt.Errorf("unknown maildrop %d", id), nil
		}
		known[id] = m.messages
	}
	switch c := c.(type) {
	case PutMessage:
		switch ordinal := c.Message.Ordinal; {
		case ordinal < 1 || ordinal > known[id]+1:
			return fmt.Errorf("ordinal %d would leave a gap after %d", ordinal, known[id]), nil
		case ordinal == known[id]+1:
			known[id] = ordinal
		}
	case PutCopy:
		return unknownMessage(c.Ordinal, known[id]), nil
	case PutMark:
		return unknownMessage(c.Ordinal, known[id]), nil
	}
	return nil, nil
}

func unknownMessage(ordinal, last int64) error {
	if ordinal < 1 || ordinal > last {
		return fmt.Errorf("unknown message %d", ordinal)
	}
	return nil
}

// check tells what is wrong with a change by itself, and whose maildrop's it is.
func check(c Change) (maildrop int64, err error) {
	switch c := c.(type) {
	case PutMessage:
		if c.Message.Octets < 0 {
			return 0, fmt.Errorf("%d octets", c.Message.Octets)
		}
		return c.Maildrop, short(c.Message.UniqueID)
	case PutCopy:
		switch {
		case c.Copy.Sink == "":
			return 0, errNoName
		case c.Copy.Proof != Lost && (c.Copy.Proof < Sending || c.Copy.Proof > Verified):
			return 0, fmt.Errorf("unknown %v", c.Copy.Proof)
		}
		return c.Maildrop, short(c.Copy.Sink, c.Copy.Where, c.Copy.Session, c.Copy.Reason)
	case PutMark:
		if c.Mark.State < Unmarked || c.Mark.State > Kept {
			return 0, fmt.Errorf("unknown %v", c.Mark.State)
		}
		return c.Maildrop, short(c.Mark.Session, c.Mark.Reply)
	case PutAttempt:
		if c.Attempt.Count < 0 {
			return 0, fmt.Errorf("%d attempts", c.Attempt.Count)
		}
		return c.Maildrop, short(c.Attempt.UniqueID, c.Attempt.Class, c.Attempt.Reason)
	case PutSink:
		if c.Name == "" {
			return 0, errNoName
		}
		return c.Maildrop, short(c.Name, c.Sink.ArchiveID)
	case PutWeak:
		return c.Maildrop, nil
	case PutStatus:
		return c.Maildrop, short(c.Status.State, c.Status.Class, c.Status.Reason, c.Status.RunID)
	case AddCustody:
		if len(c.Entry.Body) > longestBody {
			return 0, fmt.Errorf("a body of %d octets", len(c.Entry.Body))
		}
		return c.Entry.Maildrop, short(c.Entry.Session, c.Entry.Kind)
	}
	return 0, errors.New("unknown change")
}

func short(texts ...string) error {
	for _, text := range texts {
		if len(text) > longestText {
			return fmt.Errorf("a value of %d octets", len(text))
		}
	}
	return nil
}

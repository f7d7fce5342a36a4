package checkpoint

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
)

// Load implements [Store]. It reads each table once, in one snapshot.
func (s *SQLite) Load(ctx context.Context, key Key) (*Maildrop, error) {
	m, err := s.load(ctx, key)
	if err != nil {
		return nil, newError("load maildrop from ledger", s.path, s.closed(err))
	}
	return m, nil
}

func (s *SQLite) load(ctx context.Context, key Key) (*Maildrop, error) {
	if s.writer != nil {
		if err := s.enter(ctx, key); err != nil {
			return nil, err
		}
	}
	conn, err := s.readers.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()

	l := &loader{maildrop: &Maildrop{Key: key, Sinks: map[string]Sink{}}, names: map[int64]string{}, replies: map[string]string{}}
	if err := l.find(ctx, tx); errors.Is(err, sql.ErrNoRows) {
		return l.maildrop, nil // and s is open for reading
	} else if err != nil {
		return nil, err
	}
	// The large tables are read below database/sql, whose conversions take
	// half of the time for millions of rows.
	err = conn.Raw(func(c any) error {
		query, ok := c.(driver.QueryerContext)
		if !ok {
			return errors.New("driver without QueryContext")
		}
		l.query = query
		return l.rows(ctx)
	})
	if err != nil {
		return nil, err
	}
	return l.maildrop, nil
}

// enter makes sure that the maildrop has a row, asking the writer only when
// it has not.
func (s *SQLite) enter(ctx context.Context, key Key) error {
	var id int64
	err := s.readers.QueryRowContext(ctx, "SELECT id FROM maildrop WHERE name = ? AND job = ?", key.Name, key.Job).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := short(key.Job, key.Name, key.Server, key.User); err != nil {
		return err
	}
	return s.submit(ctx, &request{enter: &key, done: make(chan error, 1)})
}

// loader assembles one maildrop.
type loader struct {
	query    driver.QueryerContext
	maildrop *Maildrop
	messages int64             // how many there must be
	names    map[int64]string  // sinks and sessions met so far
	replies  map[string]string // servers' replies met so far, each once in memory
	copies   []Copy            // room for copies to come
	last     int64             // ordinal of the copy before
}

// find reads the maildrop's own row.
func (l *loader) find(ctx context.Context, tx *sql.Tx) error {
	m := l.maildrop
	err := tx.QueryRowContext(ctx, `SELECT id, server, user, weak, messages FROM maildrop
		WHERE name = ? AND job = ?`, m.Key.Name, m.Key.Job).
		Scan(&m.ID, &m.Key.Server, &m.Key.User, &m.Weak, &l.messages)
	if err != nil {
		return err
	}
	// Before memory is set aside for so many.
	var last int64
	err = tx.QueryRowContext(ctx, "SELECT coalesce(max(ordinal), 0) FROM message WHERE maildrop = ?", m.ID).Scan(&last)
	if err == nil && last != l.messages {
		err = damaged("maildrop %d should have %d messages and ends at %d", m.ID, l.messages, last)
	}
	return err
}

// rows reads what belongs to the maildrop.
func (l *loader) rows(ctx context.Context) error {
	const most = 1 << 20 // rows to set memory aside for on the word of a counter
	l.maildrop.Messages = make([]Message, 0, min(l.messages, most))
	for _, table := range []struct {
		query string
		row   func(context.Context, *columns) error
	}{
		{`SELECT ordinal, unique_id, listed_octets, octets, digest, stable, header, flags
			FROM message WHERE maildrop = ? ORDER BY ordinal`, l.message},
		{`SELECT ordinal, sink, proof, place, session, reason, at
			FROM copy WHERE maildrop = ? ORDER BY ordinal, sink`, l.copy},
		{`SELECT ordinal, state, tries, session, reply, at
			FROM mark WHERE maildrop = ? ORDER BY ordinal`, l.mark},
		{`SELECT unique_id, listed_octets, count, class, reason
			FROM attempt WHERE maildrop = ? ORDER BY unique_id, listed_octets`, l.attempt},
		{`SELECT name, archive_id, generation FROM sink WHERE maildrop = ?`, l.sink},
	} {
		if err := each(ctx, l.query, table.query, l.maildrop.ID, table.row); err != nil {
			return err
		}
	}
	if n := int64(len(l.maildrop.Messages)); n != l.messages {
		return damaged("maildrop %d should have %d messages and has %d", l.maildrop.ID, l.messages, n)
	}
	l.sortCopies()
	return nil
}

func (l *loader) message(_ context.Context, c *columns) error {
	ordinal := c.integer(0)
	if want := int64(len(l.maildrop.Messages)) + 1; ordinal != want && c.err == nil {
		return damaged("maildrop %d has no message %d", l.maildrop.ID, want)
	}
	m := Message{
		Ordinal:      ordinal,
		UniqueID:     c.text(1),
		ListedOctets: c.integer(2),
		Octets:       c.integer(3),
		Digest:       c.digest(4),
		Header:       c.digest(6),
		Flags:        Flags(c.integer(7)),
	}
	m.Stable = m.Digest
	if !c.null(5) {
		m.Stable = c.digest(5)
	}
	l.maildrop.Messages = append(l.maildrop.Messages, m)
	return nil
}

func (l *loader) copy(ctx context.Context, c *columns) error {
	m, err := l.known(c)
	if err != nil {
		return err
	}
	if m.Ordinal < l.last {
		return damaged("the copies of maildrop %d are out of order at message %d", l.maildrop.ID, m.Ordinal)
	}
	l.last = m.Ordinal
	sink, err := l.name(ctx, c, 1)
	if err != nil {
		return err
	}
	session, err := l.name(ctx, c, 4)
	if err != nil {
		return err
	}
	// A message's copies come one after the other and share a piece of one
	// large array, whose capacity ends with them.
	const room = 4096
	n := len(m.Copies)
	if cap(l.copies)-len(l.copies) == 0 {
		l.copies = append(make([]Copy, 0, room+n), m.Copies...)
	}
	l.copies = append(l.copies, Copy{
		Sink:    sink,
		Proof:   Proof(c.integer(2)),
		Where:   c.text(3),
		Session: session,
		Reason:  c.text(5),
		At:      c.time(6),
	})
	end := len(l.copies)
	m.Copies = l.copies[end-n-1 : end : end]
	return nil
}

func (l *loader) mark(ctx context.Context, c *columns) error {
	m, err := l.known(c)
	if err != nil {
		return err
	}
	session, err := l.name(ctx, c, 3)
	if err != nil {
		return err
	}
	m.Mark = Mark{
		State:   MarkState(c.integer(1)),
		Tries:   int(c.integer(2)),
		Session: session,
		Reply:   l.reply(c.text(4)),
		At:      c.time(5),
	}
	return nil
}

func (l *loader) attempt(_ context.Context, c *columns) error {
	l.maildrop.Attempts = append(l.maildrop.Attempts, Attempt{
		UniqueID:     c.text(0),
		ListedOctets: c.integer(1),
		Count:        int(c.integer(2)),
		Class:        c.text(3),
		Reason:       c.text(4),
	})
	return nil
}

func (l *loader) sink(_ context.Context, c *columns) error {
	l.maildrop.Sinks[c.text(0)] = Sink{ArchiveID: c.text(1), Generation: c.integer(2)}
	return nil
}

// known returns the message whose ordinal stands in the first column.
func (l *loader) known(c *columns) (*Message, error) {
	ordinal := c.integer(0)
	if ordinal < 1 || ordinal > int64(len(l.maildrop.Messages)) {
		return nil, damaged("maildrop %d has no message %d", l.maildrop.ID, ordinal)
	}
	return &l.maildrop.Messages[ordinal-1], nil
}

// name returns the name whose number stands in column i.
func (l *loader) name(ctx context.Context, c *columns, i int) (string, error) {
	if c.null(i) {
		return "", nil
	}
	id := c.integer(i)
	if text, ok := l.names[id]; ok {
		return text, nil
	}
	err := each(ctx, l.query, "SELECT text FROM name WHERE id = ?", id, func(_ context.Context, c *columns) error {
		l.names[id] = c.text(0)
		return nil
	})
	text, ok := l.names[id]
	if err == nil && !ok {
		err = damaged("name %d is missing", id)
	}
	return text, err
}

// reply returns an equal string that is already in memory, if there is one.
func (l *loader) reply(text string) string {
	const most = 4096 // replies that number the messages are not worth keeping
	if old, ok := l.replies[text]; ok {
		return old
	}
	if len(l.replies) < most {
		l.replies[text] = text
	}
	return text
}

func (l *loader) sortCopies() {
	byName := func(a, b Copy) int { return strings.Compare(a.Sink, b.Sink) }
	for i := range l.maildrop.Messages {
		if c := l.maildrop.Messages[i].Copies; len(c) > 1 && !slices.IsSortedFunc(c, byName) {
			slices.SortFunc(c, byName)
		}
	}
}

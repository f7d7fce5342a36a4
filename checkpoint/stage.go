package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// mostStaged bounds the rows that wait in memory before they are written
// inside the running transaction.
const mostStaged = 8192

// mostNames bounds the names remembered, some ten megabytes.
const mostNames = 1 << 16

// stage carries admitted changes out. The three tables that make up nearly
// all of a ledger are written many rows at a time; the rest at once.
type stage struct {
	conn    *sql.Conn
	tally   *tally
	names   map[string]int64
	custody custodyHead

	messages, copies, marks *bulk

	selectName, insertName, enterMaildrop                *sql.Stmt
	insertAttempt, updateAttempt, deleteAttempt, putSink *sql.Stmt
	putWeak, putStatus, addCustody                       *sql.Stmt
}

func newStage(ctx context.Context, prepared *statements) (s *stage, err error) {
	s = &stage{conn: prepared.conn, names: map[string]int64{}}
	if s.tally, err = newTally(ctx, prepared); err != nil {
		return nil, err
	}
	if s.custody, err = readHead(ctx, prepared.conn); err != nil {
		return nil, err
	}
	for _, b := range []struct {
		into                **bulk
		table, columns, key string
	}{
		{&s.messages, "message", "maildrop ordinal unique_id listed_octets octets digest stable header flags", "maildrop ordinal"},
		{&s.copies, "copy", "maildrop ordinal sink proof place session reason at", "maildrop ordinal sink"},
		{&s.marks, "mark", "maildrop ordinal state tries session reply at", "maildrop ordinal"},
	} {
		if *b.into, err = newBulk(ctx, prepared, b.table, b.columns, b.key); err != nil {
			return nil, err
		}
	}
	return s, prepared.prepare(ctx, map[string]**sql.Stmt{
		`SELECT id FROM name WHERE text = ?`: &s.selectName,
		`INSERT INTO name (text) VALUES (?)`: &s.insertName,
		`INSERT INTO maildrop (name, job, server, user) VALUES (?, ?, ?, ?)
			ON CONFLICT (name, job) DO NOTHING`: &s.enterMaildrop,
		`INSERT INTO attempt (count, class, reason, maildrop, unique_id, listed_octets)
			VALUES (?, ?, ?, ?, ?, ?)`: &s.insertAttempt,
		`UPDATE attempt SET count = ?, class = ?, reason = ?
			WHERE maildrop = ? AND unique_id = ? AND listed_octets = ?`: &s.updateAttempt,
		`DELETE FROM attempt
			WHERE maildrop = ? AND unique_id = ? AND listed_octets = ?`: &s.deleteAttempt,
		`INSERT INTO sink (maildrop, name, archive_id, generation) VALUES (?, ?, ?, ?)
			ON CONFLICT (maildrop, name) DO UPDATE SET archive_id = excluded.archive_id,
			generation = excluded.generation`: &s.putSink,
		`UPDATE maildrop SET weak = 1 WHERE id = ?`: &s.putWeak,
		`UPDATE maildrop SET state = ?, class = ?, reason = ?, listed = ?, run_id = ?, at = ?
			WHERE id = ?`: &s.putStatus,
		`INSERT INTO custody (seq, maildrop, session, kind, at, body, prev, hash)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`: &s.addCustody,
	})
}

// enter gives a maildrop a row where it is new.
func (s *stage) enter(ctx context.Context, key Key) error {
	_, err := s.enterMaildrop.ExecContext(ctx, key.Name, key.Job, key.Server, key.User)
	return err
}

// apply carries an admitted change out, as far as the transaction.
func (s *stage) apply(ctx context.Context, c Change) (err error) {
	switch c := c.(type) {
	case PutMessage:
		err = s.applyMessage(ctx, &c)
	case PutCopy:
		err = s.applyCopy(ctx, &c)
	case PutMark:
		err = s.applyMark(ctx, &c)
	case PutAttempt:
		err = s.applyAttempt(ctx, c.Maildrop, &c.Attempt)
	case PutSink:
		_, err = s.putSink.ExecContext(ctx, c.Maildrop, c.Name, c.Sink.ArchiveID, c.Sink.Generation)
	case PutWeak:
		_, err = s.putWeak.ExecContext(ctx, c.Maildrop)
	case PutStatus:
		_, err = s.putStatus.ExecContext(ctx, c.Status.State, c.Status.Class, c.Status.Reason,
			c.Status.Listed, c.Status.RunID, millis(c.Status.At), c.Maildrop)
	case AddCustody:
		err = s.applyCustody(ctx, c.Entry)
	}
	if err == nil && s.messages.rows()+s.copies.rows()+s.marks.rows() >= mostStaged {
		err = s.flushRows(ctx)
	}
	return err
}

func (s *stage) applyMessage(ctx context.Context, c *PutMessage) error {
	m := &c.Message
	if err := s.tally.message(ctx, messageKey{c.Maildrop, m.Ordinal}, m.Octets); err != nil {
		return err
	}
	var stable any
	if m.Stable != m.Digest {
		stable = digestBlob(m.Stable)
	}
	s.messages.add(c.Maildrop, m.Ordinal, m.UniqueID, m.ListedOctets, m.Octets,
		digestBlob(m.Digest), stable, digestBlob(m.Header), int64(m.Flags))
	return nil
}

func (s *stage) applyCopy(ctx context.Context, c *PutCopy) error {
	sink, err := s.name(ctx, c.Copy.Sink)
	if err != nil {
		return err
	}
	session, err := s.session(ctx, c.Copy.Session)
	if err != nil {
		return err
	}
	if err := s.tally.copy(ctx, messageKey{c.Maildrop, c.Ordinal}, sink, c.Copy.Proof); err != nil {
		return err
	}
	s.copies.add(c.Maildrop, c.Ordinal, sink, int64(c.Copy.Proof), c.Copy.Where, session,
		c.Copy.Reason, millis(c.Copy.At))
	return nil
}

func (s *stage) applyMark(ctx context.Context, c *PutMark) error {
	session, err := s.session(ctx, c.Mark.Session)
	if err != nil {
		return err
	}
	if err := s.tally.mark(ctx, messageKey{c.Maildrop, c.Ordinal}, c.Mark.State); err != nil {
		return err
	}
	s.marks.add(c.Maildrop, c.Ordinal, int64(c.Mark.State), int64(c.Mark.Tries), session,
		c.Mark.Reply, millis(c.Mark.At))
	return nil
}

func (s *stage) applyAttempt(ctx context.Context, maildrop int64, a *Attempt) error {
	if a.Count == 0 {
		n, err := affected(s.deleteAttempt.ExecContext(ctx, maildrop, a.UniqueID, a.ListedOctets))
		s.tally.change(maildrop).failing -= n
		return err
	}
	values := []any{a.Count, a.Class, a.Reason, maildrop, a.UniqueID, a.ListedOctets}
	n, err := affected(s.updateAttempt.ExecContext(ctx, values...))
	if err != nil || n > 0 {
		return err
	}
	n, err = affected(s.insertAttempt.ExecContext(ctx, values...))
	s.tally.change(maildrop).failing += n
	return err
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// name returns the number of a name that recurs.
func (s *stage) name(ctx context.Context, text string) (id int64, err error) {
	if id, ok := s.names[text]; ok {
		return id, nil
	}
	err = s.selectName.QueryRowContext(ctx, text).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		var result sql.Result
		if result, err = s.insertName.ExecContext(ctx, text); err == nil {
			id, err = result.LastInsertId()
		}
	}
	if err != nil {
		return 0, fmt.Errorf("number a name: %w", err)
	}
	if len(s.names) >= mostNames {
		clear(s.names)
	}
	s.names[text] = id
	return id, nil
}

// session is name for a session, which may be absent.
func (s *stage) session(ctx context.Context, text string) (any, error) {
	if text == "" {
		return nil, nil
	}
	return s.name(ctx, text)
}

// flushRows writes what is staged, messages before what refers to them.
func (s *stage) flushRows(ctx context.Context) error {
	for _, b := range []*bulk{s.messages, s.copies, s.marks} {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// flush writes everything that the transaction still lacks.
func (s *stage) flush(ctx context.Context) error {
	if err := s.flushRows(ctx); err != nil {
		return err
	}
	if err := s.tally.flush(ctx); err != nil {
		return err
	}
	return s.custody.flush(ctx, s.conn)
}

// committed forgets what only the transaction needed.
func (s *stage) committed() { s.tally.committed() }

// digestBlob is the form of a digest in the file.
func digestBlob(d Digest) []byte {
	if d.IsZero() {
		return []byte{}
	}
	return d[:]
}

// millis is the form of a time in the file.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

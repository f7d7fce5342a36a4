package checkpoint

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"strconv"
	"time"
)

// Sum returns the hash that the entry must have: the SHA-256 of
//
//	"popmigrate custody 1\n"
//	Prev, 32 octets
//	Seq, Maildrop, At in milliseconds since 1970 UTC (-2^63 for the zero time),
//	each 8 octets, most significant first, two's complement
//	Session, Kind, Body, each after its length in 8 octets
//
// Prev binds the entry to the one before it, so that no entry can be changed,
// dropped, moved or put in without changing all that follow.
func (e *CustodyEntry) Sum() Digest {
	at := int64(math.MinInt64)
	if !e.At.IsZero() {
		at = e.At.UnixMilli()
	}
	b := append([]byte("popmigrate custody 1\n"), e.Prev[:]...)
	for _, n := range []int64{e.Seq, e.Maildrop, at} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, field := range [][]byte{[]byte(e.Session), []byte(e.Kind), e.Body} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	return sha256.Sum256(b)
}

// custodyHead is the end of the custody record. It is kept apart from the
// entries too, so that a record cut off at its end does not pass for whole.
type custodyHead struct {
	seq   int64
	hash  Digest
	moved bool
}

// querier is what reading needs of a connection or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readHead(ctx context.Context, q querier) (custodyHead, error) {
	var seq, hash string
	err := q.QueryRowContext(ctx, `SELECT a.value, b.value FROM meta AS a, meta AS b
		WHERE a.name = 'custody_seq' AND b.name = 'custody_hash'`).Scan(&seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return custodyHead{}, nil
	}
	if err != nil {
		return custodyHead{}, err
	}
	head := custodyHead{}
	if head.seq, err = strconv.ParseInt(seq, 10, 64); err != nil {
		return custodyHead{}, damaged("the custody record's end: %v", err)
	}
	if err := head.hash.UnmarshalText([]byte(hash)); err != nil {
		return custodyHead{}, damaged("the custody record's end: %v", err)
	}
	return head, nil
}

func (h *custodyHead) flush(ctx context.Context, conn *sql.Conn) error {
	if !h.moved {
		return nil
	}
	h.moved = false
	return putMeta(ctx, conn, map[string]string{
		"custody_seq":  strconv.FormatInt(h.seq, 10),
		"custody_hash": h.hash.String(),
	})
}

func (s *stage) applyCustody(ctx context.Context, e CustodyEntry) error {
	e.Seq, e.Prev = s.custody.seq+1, s.custody.hash
	e.Hash = e.Sum()
	var maildrop any
	if e.Maildrop != 0 {
		maildrop = e.Maildrop
	}
	body := e.Body
	if body == nil {
		body = []byte{}
	}
	_, err := s.addCustody.ExecContext(ctx, e.Seq, maildrop, e.Session, e.Kind, millis(e.At), body,
		e.Prev[:], e.Hash[:])
	s.custody = custodyHead{seq: e.Seq, hash: e.Hash, moved: true}
	return err
}

// Custody implements [Store]. It reads the record as it stood when the loop
// began, at little memory, and holds a connection until the loop ends.
func (s *SQLite) Custody(ctx context.Context) iter.Seq2[CustodyEntry, error] {
	return func(yield func(CustodyEntry, error) bool) {
		if err := s.eachEntry(ctx, func(e CustodyEntry) bool { return yield(e, nil) }); err != nil {
			yield(CustodyEntry{}, newError("read custody record of ledger", s.path, s.closed(err)))
		}
	}
}

// eachEntry calls f for each sound entry; f returns false to end it.
func (s *SQLite) eachEntry(ctx context.Context, f func(CustodyEntry) bool) error {
	tx, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	head, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT seq, maildrop, session, kind, at, body, prev, hash
		FROM custody ORDER BY seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	last := CustodyEntry{}
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return err
		}
		if e.Seq != last.Seq+1 || e.Prev != last.Hash || e.Hash != e.Sum() {
			return damaged("the custody record is broken at entry %d, after entry %d", e.Seq, last.Seq)
		}
		if !f(e) {
			return nil
		}
		last = e
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if last.Seq != head.seq || last.Hash != head.hash {
		return damaged("the custody record ends at entry %d and should end at %d", last.Seq, head.seq)
	}
	return nil
}

func scanEntry(rows *sql.Rows) (e CustodyEntry, err error) {
	var maildrop, at sql.NullInt64
	var prev, hash []byte
	if err := rows.Scan(&e.Seq, &maildrop, &e.Session, &e.Kind, &at, &e.Body, &prev, &hash); err != nil {
		return e, err
	}
	e.Maildrop, e.At = maildrop.Int64, fromMillis(at)
	if len(prev) != len(e.Prev) || len(hash) != len(e.Hash) {
		return e, damaged("custody entry %d has a digest of another length", e.Seq)
	}
	copy(e.Prev[:], prev)
	copy(e.Hash[:], hash)
	return e, nil
}

// fromMillis undoes millis.
func fromMillis(at sql.NullInt64) time.Time {
	if !at.Valid {
		return time.Time{}
	}
	return time.UnixMilli(at.Int64).UTC()
}

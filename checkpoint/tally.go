package checkpoint

import (
	"context"
	"database/sql"
	"errors"
)

// tally keeps the counters of maildrops exactly right under replacements. For
// each row that a transaction touches it knows what counted before: rows
// written in the same transaction from memory, older ones by asking once.
type tally struct {
	maildrops map[int64]*counters
	changed   map[int64]*counters // whose row must be written in this transaction

	octets map[messageKey]int64 // as the row has them now; rows touched in this transaction
	proofs map[messageKey][]sinkProof
	marks  map[messageKey]MarkState

	selectCounters, selectOctets, selectProofs, selectMark *sql.Stmt
	updateCounters                                         *sql.Stmt
}

// messageKey is the key of a message's row.
type messageKey struct{ maildrop, ordinal int64 }

// counters are those of Status.
type counters struct {
	messages, octets, verified, accepted, marked, gone, kept, failing, lost int64

	before int64 // messages when the transaction began: no row has a higher ordinal
}

type sinkProof struct {
	sink  int64
	proof Proof
}

func newTally(ctx context.Context, prepared *statements) (*tally, error) {
	t := &tally{
		maildrops: map[int64]*counters{},
		changed:   map[int64]*counters{},
		octets:    map[messageKey]int64{},
		proofs:    map[messageKey][]sinkProof{},
		marks:     map[messageKey]MarkState{},
	}
	return t, prepared.prepare(ctx, map[string]**sql.Stmt{
		`SELECT messages, octets, verified, accepted, marked, gone, kept, failing, lost
			FROM maildrop WHERE id = ?`: &t.selectCounters,
		`SELECT octets FROM message WHERE maildrop = ? AND ordinal = ?`:   &t.selectOctets,
		`SELECT sink, proof FROM copy WHERE maildrop = ? AND ordinal = ?`: &t.selectProofs,
		`SELECT state FROM mark WHERE maildrop = ? AND ordinal = ?`:       &t.selectMark,
		`UPDATE maildrop SET messages = ?, octets = ?, verified = ?, accepted = ?, marked = ?,
			gone = ?, kept = ?, failing = ?, lost = ? WHERE id = ?`: &t.updateCounters,
	})
}

// maildrop returns the counters of a maildrop, nil where there is none such.
func (t *tally) maildrop(ctx context.Context, id int64) (*counters, error) {
	if m := t.maildrops[id]; m != nil {
		return m, nil
	}
	m := &counters{}
	err := t.selectCounters.QueryRowContext(ctx, id).Scan(&m.messages, &m.octets, &m.verified, &m.accepted,
		&m.marked, &m.gone, &m.kept, &m.failing, &m.lost)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m.before = m.messages
	t.maildrops[id] = m
	return m, nil
}

// change returns the counters of a known maildrop for changing.
func (t *tally) change(id int64) *counters {
	m := t.maildrops[id]
	t.changed[id] = m
	return m
}

func (t *tally) message(ctx context.Context, k messageKey, octets int64) error {
	m := t.change(k.maildrop)
	was, touched := t.octets[k]
	switch {
	case k.ordinal > m.messages:
		m.messages++
	case !touched:
		if err := t.selectOctets.QueryRowContext(ctx, k.maildrop, k.ordinal).Scan(&was); err != nil {
			return missing(err, "message", k)
		}
	}
	m.octets += octets - was
	t.octets[k] = octets
	return nil
}

func (t *tally) copy(ctx context.Context, k messageKey, sink int64, proof Proof) error {
	m := t.change(k.maildrop)
	proofs, touched := t.proofs[k]
	if !touched && k.ordinal <= m.before {
		var err error
		if proofs, err = t.storedProofs(ctx, k); err != nil {
			return err
		}
	}
	m.best(proofs, -1)
	replaced := false
	for i := range proofs {
		if proofs[i].sink == sink {
			proofs[i].proof, replaced = proof, true
		}
	}
	if !replaced {
		proofs = append(proofs, sinkProof{sink, proof})
	}
	m.best(proofs, +1)
	t.proofs[k] = proofs
	return nil
}

func (t *tally) storedProofs(ctx context.Context, k messageKey) ([]sinkProof, error) {
	rows, err := t.selectProofs.QueryContext(ctx, k.maildrop, k.ordinal)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var proofs []sinkProof
	for rows.Next() {
		var p sinkProof
		if err := rows.Scan(&p.sink, &p.proof); err != nil {
			return nil, err
		}
		proofs = append(proofs, p)
	}
	return proofs, rows.Err()
}

// best counts a message, by its best copy and by whether one is lost, n times.
func (m *counters) best(proofs []sinkProof, n int64) {
	best, lost := Proof(0), false
	for _, p := range proofs {
		best, lost = max(best, p.proof), lost || p.proof == Lost
	}
	if lost {
		m.lost += n
	}
	switch best {
	case Verified:
		m.verified += n
	case Accepted:
		m.accepted += n
	}
}

func (t *tally) mark(ctx context.Context, k messageKey, state MarkState) error {
	m := t.change(k.maildrop)
	was, touched := t.marks[k]
	if !touched && k.ordinal <= m.before {
		err := t.selectMark.QueryRowContext(ctx, k.maildrop, k.ordinal).Scan(&was)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	m.state(was, -1)
	m.state(state, +1)
	t.marks[k] = state
	return nil
}

func (m *counters) state(s MarkState, n int64) {
	switch s {
	case Marking, Marked:
		m.marked += n
	case Gone:
		m.gone += n
	case Kept:
		m.kept += n
	}
}

// flush writes the counters that changed.
func (t *tally) flush(ctx context.Context) error {
	for id, m := range t.changed {
		_, err := t.updateCounters.ExecContext(ctx, m.messages, m.octets, m.verified, m.accepted,
			m.marked, m.gone, m.kept, m.failing, m.lost, id)
		if err != nil {
			return err
		}
	}
	return nil
}

// committed makes the transaction's rows old ones.
func (t *tally) committed() {
	for _, m := range t.changed {
		m.before = m.messages
	}
	clear(t.changed)
	clear(t.octets)
	clear(t.proofs)
	clear(t.marks)
}

// missing says that a row which the counters promise is not there.
func missing(err error, what string, k messageKey) error {
	if errors.Is(err, sql.ErrNoRows) {
		return damaged("%s %d of maildrop %d is missing", what, k.ordinal, k.maildrop)
	}
	return err
}

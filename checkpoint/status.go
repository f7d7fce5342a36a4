package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
)

// Status implements [Store]. Rows are by name, then by job.
func (s *SQLite) Status(ctx context.Context) ([]Status, error) {
	list, err := s.status(ctx)
	if err != nil {
		return nil, newError("read status of ledger", s.path, s.closed(err))
	}
	return list, nil
}

func (s *SQLite) status(ctx context.Context) ([]Status, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT job, name, server, user,
		messages, octets, verified, accepted, marked, gone, kept, failing, lost,
		state, class, reason, listed, run_id, at FROM maildrop ORDER BY name, job`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Status
	for rows.Next() {
		var r Status
		var at sql.NullInt64
		err := rows.Scan(&r.Key.Job, &r.Key.Name, &r.Key.Server, &r.Key.User,
			&r.Messages, &r.Octets, &r.Verified, &r.Accepted, &r.Marked, &r.Gone, &r.Kept, &r.Failing, &r.Lost,
			&r.State, &r.Class, &r.Reason, &r.Listed, &r.RunID, &at)
		if err != nil {
			return nil, err
		}
		r.At = fromMillis(at)
		list = append(list, r)
	}
	return list, rows.Err()
}

// Check reads the whole file and checks its structure; it takes minutes for
// each ten gigabytes. What it finds comes back as an error wrapping ErrDamaged.
func (s *SQLite) Check(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return newError("check ledger", s.path, s.closed(err))
	}
	return nil
}

func (s *SQLite) check(ctx context.Context) error {
	var finding string
	if err := s.readers.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&finding); err != nil {
		return err
	}
	if finding != "ok" {
		return damaged("%s", finding)
	}
	rows, err := s.readers.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		return damaged("a row refers to one that is missing")
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("check references: %w", err)
	}
	return nil
}

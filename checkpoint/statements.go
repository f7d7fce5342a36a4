package checkpoint

import (
	"context"
	"database/sql"
	"errors"
)

// statements prepares on one connection and remembers what must be closed
// before it: database/sql does not, and SQLite would keep the file open.
type statements struct {
	conn *sql.Conn
	all  []*sql.Stmt
}

// prepare prepares each query into its variable.
func (s *statements) prepare(ctx context.Context, into map[string]**sql.Stmt) error {
	for query, stmt := range into {
		var err error
		if *stmt, err = s.conn.PrepareContext(ctx, query); err != nil {
			return err
		}
		s.all = append(s.all, *stmt)
	}
	return nil
}

func (s *statements) close() error {
	var errs []error
	for _, stmt := range s.all {
		errs = append(errs, stmt.Close())
	}
	s.all = nil
	return errors.Join(errs...)
}

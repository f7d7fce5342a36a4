package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// bulkRows is how many rows one statement writes: measured, half the time of
// a statement per row; with more rows it gets slower again.
const bulkRows = 16

// bulk gathers rows of one table and inserts or replaces them, in the order
// in which they were added.
type bulk struct {
	columns   int
	many, one *sql.Stmt
	values    []any
}

// newBulk prepares for a table; columns and those of its key are separated by
// spaces.
func newBulk(ctx context.Context, prepared *statements, table, columns, key string) (*bulk, error) {
	names, keys := strings.Fields(columns), strings.Fields(key)
	row := "(?" + strings.Repeat(", ?", len(names)-1) + ")"
	var replaced []string
	for _, name := range names[len(keys):] { // the key's columns come first
		replaced = append(replaced, name+" = excluded."+name)
	}
	query := func(rows int) string {
		return fmt.Sprintf("INSERT INTO %s (%s) VALUES %s ON CONFLICT (%s) DO UPDATE SET %s",
			table, strings.Join(names, ", "), row+strings.Repeat(", "+row, rows-1),
			strings.Join(keys, ", "), strings.Join(replaced, ", "))
	}
	b := &bulk{columns: len(names)}
	return b, prepared.prepare(ctx, map[string]**sql.Stmt{query(1): &b.one, query(bulkRows): &b.many})
}

func (b *bulk) add(values ...any) { b.values = append(b.values, values...) }

func (b *bulk) rows() int { return len(b.values) / b.columns }

func (b *bulk) flush(ctx context.Context) error {
	rest := b.values
	for len(rest) > 0 {
		stmt, n := b.one, b.columns
		if len(rest) >= bulkRows*b.columns {
			stmt, n = b.many, bulkRows*b.columns
		}
		if _, err := stmt.ExecContext(ctx, rest[:n]...); err != nil {
			return err
		}
		rest = rest[n:]
	}
	clear(b.values)
	b.values = b.values[:0]
	return nil
}

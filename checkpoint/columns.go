package checkpoint

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"
)

// columns reads the values of one row. A value of the wrong type, which only
// damage leaves, sets err and reads as zero.
type columns struct {
	values []driver.Value
	err    error
}

// each runs a query with one argument and calls row for every row of its
// result. The columns are valid during the call only; its strings stay.
func each(ctx context.Context, q driver.QueryerContext, query string, arg int64,
	row func(context.Context, *columns) error) (err error) {
	// With a context that can end the driver watches it at every row, at a
	// fifth of the whole time.
	rows, err := q.QueryContext(context.WithoutCancel(ctx), query, []driver.NamedValue{{Ordinal: 1, Value: arg}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	c := &columns{values: make([]driver.Value, len(rows.Columns()))}
	for n := 0; ; n++ {
		const interval = 1024
		if n%interval == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch err := rows.Next(c.values); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := row(ctx, c); err != nil {
			return err
		}
		if c.err != nil {
			return c.err
		}
	}
}

func (c *columns) null(i int) bool { return c.values[i] == nil }

func (c *columns) integer(i int) int64 {
	v, ok := c.values[i].(int64)
	if !ok {
		c.err = damaged("a value is no integer")
	}
	return v
}

func (c *columns) text(i int) string {
	v, ok := c.values[i].(string)
	if !ok {
		c.err = damaged("a value is no text")
	}
	return v
}

func (c *columns) digest(i int) (d Digest) {
	v, ok := c.values[i].([]byte)
	if !ok || len(v) != 0 && len(v) != len(d) {
		c.err = damaged("a value is no digest")
		return d
	}
	copy(d[:], v)
	return d
}

func (c *columns) time(i int) time.Time {
	if c.null(i) {
		return time.Time{}
	}
	return time.UnixMilli(c.integer(i)).UTC()
}

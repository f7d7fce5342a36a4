package checkpoint

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
)

// A schema that was hit by noise is damage, and the error names the remedy.
func TestDamagedSchema(t *testing.T) {
	for _, statement := range []string{"ALTER TABLE copy RENAME COLUMN session TO sessiom", "ALTER TABLE maildrop RENAME TO maxldrop"} {
		dir := t.TempDir()
		ledger, err := OpenSQLite(t.Context(), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := ledger.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", filepath.Join(dir, ledgerName))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		db.Close()
		ledger, err = OpenSQLite(t.Context(), dir, nil)
		if err == nil {
			ledger.Close()
		}
		var said *Error
		if !errors.Is(err, ErrDamaged) || !errors.As(err, &said) || said.Hint == "" {
			t.Errorf("%s: %v, %+v", statement, err, said)
		}
	}
}

package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID stands in the file's header and says whose it is ("PopM").
const applicationID = 0x506f704d

// A migration brings a ledger from the version before to its own; its place
// in the table is its version. Released entries are never changed.
type migration string

var migrations = []migration{schema1, schema2}

// schema1 keeps rows small: sink names and session names, which recur in
// every copy, stand once in name; Stable is NULL where it equals the digest; a
// digest that is not known is an empty blob. Times are milliseconds since 1970
// UTC, NULL for none. Unique-ids are TEXT that need not be UTF-8: SQLite
// keeps and compares their octets. A message's deletion record has a table
// of its own because it changes several times and the message's row does not.
const schema1 migration = `
CREATE TABLE meta (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE name (
	id   INTEGER PRIMARY KEY,
	text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE maildrop (
	id       INTEGER PRIMARY KEY,
	job      TEXT    NOT NULL,
	name     TEXT    NOT NULL,
	server   TEXT    NOT NULL,
	user     TEXT    NOT NULL,
	weak     INTEGER NOT NULL DEFAULT 0,
	messages INTEGER NOT NULL DEFAULT 0,
	octets   INTEGER NOT NULL DEFAULT 0,
	verified INTEGER NOT NULL DEFAULT 0,
	accepted INTEGER NOT NULL DEFAULT 0,
	marked   INTEGER NOT NULL DEFAULT 0,
	gone     INTEGER NOT NULL DEFAULT 0,
	kept     INTEGER NOT NULL DEFAULT 0,
	failing  INTEGER NOT NULL DEFAULT 0,
	state    TEXT    NOT NULL DEFAULT '',
	class    TEXT    NOT NULL DEFAULT '',
	reason   TEXT    NOT NULL DEFAULT '',
	listed   INTEGER NOT NULL DEFAULT -1,
	run_id   TEXT    NOT NULL DEFAULT '',
	at       INTEGER,
	UNIQUE (name, job)
) STRICT;

CREATE TABLE message (
	maildrop      INTEGER NOT NULL REFERENCES maildrop,
	ordinal       INTEGER NOT NULL,
	unique_id     TEXT    NOT NULL,
	listed_octets INTEGER NOT NULL,
	octets        INTEGER NOT NULL,
	digest        BLOB    NOT NULL,
	stable        BLOB,
	header        BLOB    NOT NULL,
	flags         INTEGER NOT NULL,
	PRIMARY KEY (maildrop, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE copy (
	maildrop INTEGER NOT NULL,
	ordinal  INTEGER NOT NULL,
	sink     INTEGER NOT NULL REFERENCES name,
	proof    INTEGER NOT NULL, -- 1 sending, 2 refused, 3 accepted, 4 verified
	place    TEXT    NOT NULL,
	session  INTEGER REFERENCES name,
	reason   TEXT    NOT NULL,
	at       INTEGER,
	PRIMARY KEY (maildrop, ordinal, sink),
	FOREIGN KEY (maildrop, ordinal) REFERENCES message
) STRICT, WITHOUT ROWID;

CREATE TABLE mark (
	maildrop INTEGER NOT NULL,
	ordinal  INTEGER NOT NULL,
	state    INTEGER NOT NULL, -- 0 unmarked, 1 marking, 2 marked, 3 gone, 4 kept
	tries    INTEGER NOT NULL,
	session  INTEGER REFERENCES name,
	reply    TEXT    NOT NULL,
	at       INTEGER,
	PRIMARY KEY (maildrop, ordinal),
	FOREIGN KEY (maildrop, ordinal) REFERENCES message
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
	maildrop      INTEGER NOT NULL REFERENCES maildrop,
	unique_id     TEXT    NOT NULL,
	listed_octets INTEGER NOT NULL,
	count         INTEGER NOT NULL,
	class         TEXT    NOT NULL,
	reason        TEXT    NOT NULL,
	PRIMARY KEY (maildrop, unique_id, listed_octets)
) STRICT, WITHOUT ROWID;

CREATE TABLE sink (
	maildrop   INTEGER NOT NULL REFERENCES maildrop,
	name       TEXT    NOT NULL,
	archive_id TEXT    NOT NULL,
	generation INTEGER NOT NULL,
	PRIMARY KEY (maildrop, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE custody (
	seq      INTEGER PRIMARY KEY,
	maildrop INTEGER REFERENCES maildrop,
	session  TEXT    NOT NULL,
	kind     TEXT    NOT NULL,
	at       INTEGER,
	body     BLOB    NOT NULL,
	prev     BLOB    NOT NULL,
	hash     BLOB    NOT NULL
) STRICT;
`

// schema2 lets a copy be lost (proof -1) and counts the messages that have
// such a copy.
const schema2 migration = `
ALTER TABLE maildrop ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
`

// upgrade runs the steps that the ledger lacks, each with its version in one
// transaction: a crash leaves the version before or the one after.
func upgrade(ctx context.Context, conn *sql.Conn, steps []migration) error {
	version, err := schemaVersion(ctx, conn, len(steps))
	if err != nil {
		return err
	}
	for ; version < len(steps); version++ {
		if err := step(ctx, conn, steps[version], version+1); err != nil {
			return fmt.Errorf("bring schema to version %d: %w", version+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, conn *sql.Conn, sql migration, version int) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, string(sql)); err != nil {
		return err
	}
	// A pragma takes no parameters; the number is ours.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaVersion returns the ledger's schema version, or an error wrapping
// ErrNewer where it is above newest.
func schemaVersion(ctx context.Context, conn *sql.Conn, newest int) (int, error) {
	version := 0
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, err
	}
	if version > newest {
		return 0, fmt.Errorf("%w: schema version %d, this one knows %d", ErrNewer, version, newest)
	}
	if version < 0 {
		return 0, damaged("schema version %d", version)
	}
	return version, nil
}

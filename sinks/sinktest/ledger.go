package sinktest

import (
	"fmt"
	"slices"

	"popmigrate/sinks"
)

// Ledger stands in for the real ledger of one sink of one maildrop: what it
// holds survives every crash. The zero value is not useful; see [NewLedger].
type Ledger struct {
	Maildrop   string
	ArchiveID  string
	Generation int64
	Copies     []sinks.Copy
	Torn       string
}

// NewLedger returns the ledger of a maildrop that was never opened. The
// directory torn takes what a crash left; it need not exist.
func NewLedger(maildrop, torn string) *Ledger {
	return &Ledger{Maildrop: maildrop, ArchiveID: "0123456789abcdef0123456789abcdef", Torn: torn}
}

// Opening raises the generation and returns what a sink is opened with, as a run does.
func (l *Ledger) Opening() sinks.Opening {
	l.Generation++
	return sinks.Opening{
		Maildrop:   l.Maildrop,
		ArchiveID:  l.ArchiveID,
		Generation: l.Generation,
		Copies:     slices.Values(slices.Clone(l.Copies)),
		Torn:       l.Torn,
	}
}

// Commit records the copies that the receipts vouch for.
func (l *Ledger) Commit(group []sinks.Message, receipts []sinks.Receipt) error {
	if len(receipts) != len(group) {
		return fmt.Errorf("commit: %d receipts for %d messages", len(receipts), len(group))
	}
	for i, r := range receipts {
		if r.Proof < sinks.Accepted {
			continue
		}
		m := group[i]
		l.Copies = append(l.Copies, sinks.Copy{
			Ordinal: m.Ordinal, UniqueID: m.UniqueID, Session: m.Session,
			Octets: m.Octets, Digest: m.Digest, Where: r.Where,
		})
	}
	return nil
}

// Snapshot returns a copy of the ledger: an older ledger, once the original moved on.
func (l *Ledger) Snapshot() *Ledger {
	older := *l
	older.Copies = slices.Clone(l.Copies)
	return &older
}

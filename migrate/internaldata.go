package migrate

import "bytes"

// internalMost bounds the pseudo message, in octets.
const internalMost = 4 << 10

// isInternal tells whether a header section is that of the pseudo message in
// which UW's programs keep their notes at the beginning of an mbox. Servers of
// other make show it as mail. To delete it is to lose the folder's unique-ids.
func isInternal(head []byte) bool {
	return bytes.Contains(head, []byte("\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA")) &&
		bytes.Contains(head, []byte("\nX-IMAP: ")) && bytes.Contains(head, []byte("MAILER-DAEMON"))
}

// isNotes tells whether a fetched message is that pseudo message. It is the
// first of its folder, always.
func isNotes(e Entry, p *print) bool { return e.Number == 1 && p.internal }

// setAside notes that an entry is no mail: it is neither kept nor deleted.
func (m *mover) setAside(i int) {
	m.loose = true
	m.spool.Abandon()
	e := m.listing.Entries[i]
	why := failure{"folder-internal data", "a mail program's notes on its folder, not a message"}
	m.left[i] = fated{Skipped, why}
	m.observeMessage(e.UniqueID, e.Octets, Skipped, why.reason)
}

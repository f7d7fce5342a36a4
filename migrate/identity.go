package migrate

import (
	"iter"

	"popmigrate/checkpoint"
	"popmigrate/internal/digest"
)

// identities matches what a session shows with what the ledger holds of the
// maildrop. The ledger's messages are a multiset of digests; unique-id and
// listed octets are hints that save a RETR. Each record is claimed by at most
// one listed message a session.
type identities struct {
	drop    *checkpoint.Maildrop
	reck    *Reckoning
	claimed []bool // by index into drop.Messages

	byUID    map[string]int32 // record with this unique-id, or several
	byDigest chains
	byStable chains
}

// chains finds the records of each digest, oldest first. Nearly always there
// is one: a slice for each would be an allocation a message.
type chains struct {
	first map[digest.Digest]int32
	rest  map[digest.Digest][]int32
}

func newChains(n int) chains {
	return chains{make(map[digest.Digest]int32, n), map[digest.Digest][]int32{}}
}

func (c *chains) add(d digest.Digest, record int32) {
	if _, found := c.first[d]; found {
		c.rest[d] = append(c.rest[d], record)
		return
	}
	c.first[d] = record
}

// all yields the records of a digest.
func (c *chains) all(d digest.Digest) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		first, found := c.first[d]
		if !found || !yield(first) {
			return
		}
		for _, record := range c.rest[d] {
			if !yield(record) {
				return
			}
		}
	}
}

// several stands in byUID for a unique-id that occurs in more than one record.
const several = -1

func newIdentities(drop *checkpoint.Maildrop, reck *Reckoning) *identities {
	ids := &identities{drop: drop, reck: reck, claimed: make([]bool, len(drop.Messages)),
		byUID: make(map[string]int32, len(drop.Messages))}
	for i := range drop.Messages {
		uid := drop.Messages[i].UniqueID
		if uid == "" {
			continue
		}
		if _, seen := ids.byUID[uid]; seen {
			ids.byUID[uid] = several
		} else {
			ids.byUID[uid] = int32(i)
		}
	}
	return ids
}

// hinted returns the record that an entry's unique-id points to, if the hint
// is good enough to go without a RETR: the unique-id only ever stood in one
// record, the listed octets are the same, and the message was not seen gone.
func (ids *identities) hinted(e Entry) (record int, ok bool) {
	i, found := ids.byUID[e.UniqueID]
	if !found || i == several || e.UniqueID == "" || ids.drop.Weak {
		return 0, false
	}
	m := &ids.drop.Messages[i]
	if m.ListedOctets != e.Octets || m.Mark.State == checkpoint.Gone {
		return 0, false
	}
	return int(i), true
}

// contradicted tells whether a fetched message proves that its unique-id was
// used before for another message.
func (ids *identities) contradicted(e Entry, p *print) bool {
	i, found := ids.byUID[e.UniqueID]
	if !found || e.UniqueID == "" {
		return false
	}
	if i == several {
		return true
	}
	m := &ids.drop.Messages[i]
	return m.Digest != p.digest && m.Stable != p.stable && m.Flags&checkpoint.Short == 0
}

// match claims the record of a fetched message: an unclaimed one of equal
// digest, else of equal digest without volatile header fields. Of several the
// one with the entry's unique-id comes first, gone ones last.
func (ids *identities) match(e Entry, p *print) (record int, ok bool) {
	ids.needDigests()
	best, rank := -1, 0
	consider := func(candidates iter.Seq[int32], base int) {
		for i := range candidates {
			if ids.claimed[i] {
				continue
			}
			m, r := &ids.drop.Messages[i], base
			if ids.twin(m, e) {
				continue
			}
			if m.UniqueID == e.UniqueID {
				r += 2
			}
			if m.Mark.State != checkpoint.Gone {
				r++
			}
			if r > rank {
				best, rank = int(i), r
			}
		}
	}
	consider(ids.byDigest.all(p.digest), 11)
	consider(ids.byStable.all(p.stable), 1)
	if best < 0 {
		return 0, false
	}
	ids.claimed[best] = true
	return best, true
}

// twin tells whether a message of a record's digest is known to be another one:
// the session that marked the recorded one listed both. Otherwise the two
// count as one, for the marked one may have stayed and been renumbered.
func (ids *identities) twin(m *checkpoint.Message, e Entry) bool {
	return !ids.drop.Weak && m.Mark.State != checkpoint.Unmarked && m.UniqueID != e.UniqueID && ids.reck.together(e.UniqueID, m.Mark.Session)
}

// occurrence returns how many records of equal digest stand before this one.
func (ids *identities) occurrence(record int) int {
	ids.needDigests()
	n := 0
	for i := range ids.byDigest.all(ids.drop.Messages[record].Digest) {
		if int(i) == record {
			return n
		}
		n++
	}
	return 0
}

// add enters a new record, claimed, and returns its index.
func (ids *identities) add(m checkpoint.Message) int {
	ids.needDigests()
	i := len(ids.drop.Messages)
	m.Ordinal = int64(i) + 1
	ids.drop.Messages = append(ids.drop.Messages, m)
	ids.claimed = append(ids.claimed, true)
	ids.index(i)
	return i
}

// needDigests builds the digest maps at the first message that is fetched:
// a resume that finds nothing new goes without them.
func (ids *identities) needDigests() {
	if ids.byDigest.first != nil {
		return
	}
	n := len(ids.drop.Messages)
	ids.byDigest, ids.byStable = newChains(n), newChains(0)
	for i := range ids.drop.Messages {
		ids.index(i)
	}
}

func (ids *identities) index(i int) {
	m := &ids.drop.Messages[i]
	ids.byDigest.add(m.Digest, int32(i))
	ids.byStable.add(m.Stable, int32(i))
}

package preflight

import (
	"fmt"
	"strconv"

	"popmigrate/migrate"
)

// overLong is more octets than a unique-id may have (RFC 1939 section 7).
const overLong = 70

// Qualities of a unique-id listing.
const (
	UniqueIDsGood = "good" // a second run fetches only what is new
	UniqueIDsWeak = "weak" // messages are fetched again to be compared
	UniqueIDsNone = "none" // likewise; the server has no UIDL
)

// UniqueIDs is what a unique-id listing is worth. Counts are of messages.
type UniqueIDs struct {
	Quality    string `json:"quality"`
	Empty      int    `json:"empty"`      // without one
	Duplicate  int    `json:"duplicate"`  // that an earlier message has too
	OverLong   int    `json:"over_long"`  // more than 70 octets
	Unsound    int    `json:"unsound"`    // octets that RFC 1939 does not allow
	Positional bool   `json:"positional"` // they may just be the message-numbers
}

func newUniqueIDs(l *migrate.Listing) *UniqueIDs {
	u := &UniqueIDs{Quality: UniqueIDsGood}
	if !l.HasUIDL {
		u.Quality = UniqueIDsNone
		return u
	}
	seen := make(map[string]struct{}, len(l.Entries))
	u.Positional = len(l.Entries) > 1 // one alone says nothing
	for _, e := range l.Entries {
		id := e.UniqueID
		if id == "" {
			u.Empty++
		} else if _, repeated := seen[id]; repeated {
			u.Duplicate++
		}
		seen[id] = struct{}{}
		if len(id) > overLong {
			u.OverLong++
		}
		if unsound(id) {
			u.Unsound++
		}
		u.Positional = u.Positional && id == strconv.Itoa(int(e.Number))
	}
	if u.Empty > 0 || u.Duplicate > 0 {
		u.Quality = UniqueIDsWeak
	}
	return u
}

// unsound tells whether a unique-id has octets outside 0x21 to 0x7E.
func unsound(id string) bool {
	for i := range len(id) {
		if id[i] < 0x21 || id[i] > 0x7e {
			return true
		}
	}
	return false
}

func (u *UniqueIDs) findings() (all []Finding) {
	const again = "nothing is lost, but each run fetches and compares such messages again: plan for the time"
	add := func(n int, cause, detail, help string) {
		if n > 0 {
			all = append(all, Finding{Cause: cause, Detail: fmt.Sprintf(detail, n), Help: help})
		}
	}
	if u.Quality == UniqueIDsNone {
		all = append(all, Finding{Cause: "no unique-ids", Detail: "the server has no UIDL", Help: again})
	}
	add(u.Duplicate, "duplicate unique-ids", "%d messages have the unique-id of another", again)
	add(u.Empty, "missing unique-ids", "%d messages have none", again)
	add(u.OverLong, "over-long unique-ids", "%d unique-ids have more than 70 octets", "nothing: they are kept whole")
	add(u.Unsound, "unsound unique-ids", "%d unique-ids hold octets that RFC 1939 does not allow", "nothing: they are kept as they are")
	if u.Positional {
		all = append(all, Finding{Cause: "positional unique-ids", Detail: "every unique-id is the message-number",
			Help: "if they change when a message is deleted, messages are fetched again to be compared; nothing is deleted on their word"})
	}
	return all
}

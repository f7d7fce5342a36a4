package header

// volatile lists, in lower case, the fields that servers and mail readers
// write into messages they already keep, and change later. Two copies of one
// message may differ in them.
var volatile = map[string]bool{
	"status":            true,
	"x-status":          true,
	"x-uid":             true,
	"x-uidl":            true,
	"x-imap":            true,
	"x-imapbase":        true,
	"x-keywords":        true,
	"content-length":    true,
	"lines":             true,
	"x-evolution":       true,
	"x-mozilla-status":  true,
	"x-mozilla-status2": true,
	"x-mozilla-keys":    true,
}

// Volatile tells whether the field of that name (without its colon, in any
// case) is one that servers and mail readers change in messages they keep.
func Volatile(name []byte) bool {
	var lower [len("x-mozilla-status2")]byte
	if len(name) > len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return volatile[string(lower[:len(name)])]
}

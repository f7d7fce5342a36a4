package sinks

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A file of ours in a maildir is named
//
//	1058174813.<id>.popmigrate,S=4811,W=4935      (in new; in cur ":2,FLAGS" follows)
//
// The seconds are the envelope's received time. The id is a hash of maildrop
// and digest, and nothing else has a part in it: not host, process or time. So
// a file can be told from one that somebody has changed, and a copy is found
// wherever a mail program has moved it since. Of messages alike the second
// has "_1" behind the hash, the third "_2".
//
// S is the octets on disk and W the octets with CRLF line ends, as Dovecot and
// others define them. Where both stand the file is in LF form: each CRLF of the
// message is kept as LF, and no other CR or LF is in it. A message with a bare
// CR or LF has no such form that can be undone: its file holds the wire form
// unchanged, and only S (a W would have to differ from the wire's octets).

// maildirPlace says which copy is meant and in which form; a [Where] is its
// printed form: the id, and ",wire" where the file holds the wire form.
type maildirPlace struct {
	id   string
	wire bool
}

func (p maildirPlace) where() Where {
	if p.wire {
		return Where(p.id + ",wire")
	}
	return Where(p.id)
}

// parseMaildirPlace takes exactly what where gives.
func parseMaildirPlace(w Where) (maildirPlace, error) {
	id, wire := strings.CutSuffix(string(w), ",wire")
	if !isMaildirID(id) {
		return maildirPlace{}, fmt.Errorf("%.100q is no place in a maildir", string(w))
	}
	return maildirPlace{id, wire}, nil
}

// idEncoding uses what stands in file names everywhere, in one case.
var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const (
	idOctets   = 20 // of the hash: 160 bits
	idLength   = idOctets * 8 / 5
	maxVariant = 999
)

// newMaildirID returns the id of a message of this digest, before which there
// were so many alike. Variant 1 is the usual one; a higher one stands where
// files with the lower ones hold something else.
func newMaildirID(maildrop string, d Digest, occurrence, variant int) string {
	id := maildirHash(maildrop, d)
	if occurrence > 0 {
		id += "_" + strconv.Itoa(occurrence)
	}
	if variant > 1 {
		id += "-" + strconv.Itoa(variant)
	}
	return id
}

// maildirHash is what the ids of all messages of one digest begin with.
func maildirHash(maildrop string, d Digest) string {
	named := fmt.Appendf(nil, "popmigrate maildir 2\n%d:%s\n", len(maildrop), maildrop)
	sum := sha256.Sum256(append(named, d[:]...))
	return idEncoding.EncodeToString(sum[:idOctets])
}

// isMaildirID takes exactly what newMaildirID gives.
func isMaildirID(s string) bool {
	rest, variant, varied := strings.Cut(s, "-")
	hash, occurrence, repeated := strings.Cut(rest, "_")
	return len(hash) == idLength && strings.Trim(hash, "abcdefghijklmnopqrstuvwxyz234567") == "" &&
		(!repeated || isPositive(occurrence, 9)) && (!varied || isPositive(variant, 3) && variant != "1")
}

// isPositive tells whether s is a number of so many digits at the most.
func isPositive(s string, digits int) bool {
	return isNumber(s) && len(s) <= digits && s[0] != '0'
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// maildirStem is a file's name without the octets: its name in tmp.
func maildirStem(received time.Time, id string) string {
	return fmt.Sprintf("%d.%s.popmigrate", max(0, received.Unix()), id)
}

// maildirName is a file's name in new.
func maildirName(stem string, onDisk, wire int64, form maildirPlace) string {
	if form.wire {
		return fmt.Sprintf("%s,S=%d", stem, onDisk)
	}
	return fmt.Sprintf("%s,S=%d,W=%d", stem, onDisk, wire)
}

// maildirID returns the id in the name of a file that this sink wrote,
// whatever mail programs have added behind it.
func maildirID(name string) (id string, ours bool) {
	seconds, rest, _ := strings.Cut(name, ".")
	id, rest, _ = strings.Cut(rest, ".")
	tail, ours := strings.CutPrefix(rest, "popmigrate")
	if !ours || !isNumber(seconds) || !isMaildirID(id) || tail != "" && tail[0] != ',' && tail[0] != ':' {
		return "", false
	}
	return id, true
}

package sinks

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"
)

// A file of ours in a maildir is named
//
//	1058174813.<id>.popmigrate,S=4811,W=4935      (in new; in cur ":2,FLAGS" follows)
//
// The seconds are the envelope's received time. The id is made of maildrop,
// digest and occurrence, and of nothing else: not of host, process or time.
// So a file can be told from one that somebody has changed, and a copy is found
// wherever a mail program has moved it since.
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

// newMaildirID returns the id of a message of this digest. Variant 1 is the
// usual one; a higher one stands where files with the lower ones hold
// something else.
func newMaildirID(maildrop string, d Digest, occurrence, variant int) string {
	h := sha256.New()
	fmt.Fprintf(h, "popmigrate maildir 1\n%d:%s\n%v\n%d\n", len(maildrop), maildrop, d, occurrence)
	id := idEncoding.EncodeToString(h.Sum(nil)[:idOctets])
	if variant > 1 {
		return fmt.Sprintf("%s-%d", id, variant)
	}
	return id
}

// maildirIDs are the ids that the first n messages of one digest have.
func maildirIDs(maildrop string, d Digest, n int) []string {
	ids := make([]string, n)
	for occurrence := range ids {
		ids[occurrence] = newMaildirID(maildrop, d, occurrence, 1)
	}
	return ids
}

// baseID is an id without its variant.
func baseID(id string) string {
	base, _, _ := strings.Cut(id, "-")
	return base
}

func isMaildirID(s string) bool {
	id, variant, numbered := strings.Cut(s, "-")
	if len(id) != idLength || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return false
	}
	return !numbered || isNumber(variant) && len(variant) <= 3 && variant[0] != '0' && variant != "1"
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

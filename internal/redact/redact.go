// Package redact keeps secrets out of text that somebody else wrote. Servers
// repeat what they were sent: as it was, quoted, encoded, or cut short.
package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Mark stands where a secret stood.
const Mark = "(secret)"

// grain is how many octets in a row must be those of a secret, or of one of
// its encoded forms, to be hidden. Fewer could stand in any text: to hide a
// part of an ordinary word would tell that it occurs in the password.
const grain = 10

// leastEncoded is the length from which an encoded form of a short secret is
// looked for.
const leastEncoded = 4

// Secrets is a set of secrets. The zero value is empty. It may be used by one
// goroutine at a time.
type Secrets struct {
	grains map[[grain]byte]struct{}
	short  [][]byte // forms shorter than a grain
}

// Add adds secrets; "" adds none.
func (s *Secrets) Add(secrets ...string) {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		s.add(secret)
		for _, form := range encoded(secret) {
			if len(form) >= leastEncoded {
				s.add(form)
			}
		}
	}
}

func (s *Secrets) add(form string) {
	octets := lower([]byte(form))
	if len(octets) < grain {
		s.short = append(s.short, octets)
		return
	}
	if s.grains == nil {
		s.grains = map[[grain]byte]struct{}{}
	}
	for i := range len(octets) - grain + 1 {
		s.grains[[grain]byte(octets[i:])] = struct{}{}
	}
}

// encoded returns the forms that octets are written in, other than their own.
func encoded(secret string) []string {
	var percent strings.Builder // every octet
	for i := range len(secret) {
		fmt.Fprintf(&percent, "%%%02x", secret[i])
	}
	forms := []string{hex.EncodeToString([]byte(secret)), percent.String(), url.QueryEscape(secret), url.PathEscape(secret),
		unquoted(strconv.Quote(secret)), unquoted(strconv.QuoteToASCII(secret)), strings.ReplaceAll(secret, `"`, `""`)}
	for before := range 3 {
		// What stands before a secret shifts it, and shares its first character.
		text := append(make([]byte, before), secret...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, encoding.EncodeToString(text)[(before*8+5)/6:len(text)*8/6])
		}
	}
	return forms
}

func unquoted(quoted string) string { return quoted[1 : len(quoted)-1] }

// lower changes the case of ASCII letters, in a copy of the same length.
func lower(octets []byte) []byte {
	small := bytes.Clone(octets)
	for i, c := range small {
		if 'A' <= c && c <= 'Z' {
			small[i] = c + 'a' - 'A'
		}
	}
	return small
}

// Hide returns text with [Mark] in place of every secret, of every encoded
// form of one, and of every part of either that is long enough to tell. Case
// makes no difference.
func (s *Secrets) Hide(text []byte) []byte {
	small := lower(text)
	hidden := make([]bool, len(text))
	found := false
	hide := func(from, to int) {
		found = true
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	if len(s.grains) > 0 {
		for i := range len(small) - grain + 1 {
			if _, ok := s.grains[[grain]byte(small[i:])]; ok {
				hide(i, i+grain)
			}
		}
	}
	for _, form := range s.short {
		for from := 0; ; {
			i := bytes.Index(small[from:], form)
			if i < 0 {
				break
			}
			hide(from+i, from+i+len(form))
			from += i + 1
		}
	}
	if !found {
		return text
	}
	var shown []byte
	for i, c := range text {
		switch {
		case !hidden[i]:
			shown = append(shown, c)
		case i == 0 || !hidden[i-1]:
			shown = append(shown, Mark...)
		}
	}
	return shown
}

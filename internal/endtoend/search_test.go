//go:build linux

package endtoend

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"mime/quotedprintable"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// search looks for secrets in whatever form they may have got out.
type search struct {
	needles  []needle
	searched map[string]time.Time // modification times of files that held nothing
}

// needle is one form of one secret, or of a piece of it.
type needle struct {
	what   string
	octets []byte
}

// pieceOctets is how long the pieces of a secret are that are looked for, too:
// what was cut short is out all the same.
const pieceOctets = 14

// newSearch looks for secrets by their names. Each is longer than pieceOctets
// and unlike anything else in its beginning, middle and end.
func newSearch(secrets map[string]string) *search {
	s := &search{searched: map[string]time.Time{}}
	for name, secret := range secrets {
		for what, piece := range pieces(secret) {
			for form, text := range forms(piece) {
				s.needles = append(s.needles, needle{name + ", " + what + ", " + form, []byte(text)})
			}
		}
	}
	return s
}

func pieces(secret string) map[string]string {
	n := len(secret)
	if n <= pieceOctets {
		return map[string]string{"whole": secret}
	}
	middle := (n - pieceOctets) / 2
	return map[string]string{"whole": secret, "beginning": secret[:pieceOctets],
		"middle": secret[middle : middle+pieceOctets], "end": secret[n-pieceOctets:]}
}

// forms returns what a text looks like, plain and encoded.
func forms(text string) map[string]string {
	quoted := func(s string) string { return s[1 : len(s)-1] }
	var all strings.Builder // every octet as %XX
	for i := range len(text) {
		fmt.Fprintf(&all, "%%%02X", text[i])
	}
	var lines strings.Builder
	printable := quotedprintable.NewWriter(&lines)
	io.WriteString(printable, text)
	printable.Close()
	encoded, _ := json.Marshal(text)
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	encoder.Encode(text)
	octets := []byte(text)
	slices.Reverse(octets)
	found := map[string]string{
		"plain": text, "reversed": string(octets),
		"upper case": strings.ToUpper(text), "lower case": strings.ToLower(text),
		"hex": hex.EncodeToString([]byte(text)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(text))),
		"query": url.QueryEscape(text), "path": url.PathEscape(text), "%XX": all.String(), "%xx": strings.ToLower(all.String()),
		"quoted-printable": strings.ReplaceAll(lines.String(), "=\r\n", ""),
		"Go":               quoted(strconv.Quote(text)), "Go ASCII": quoted(strconv.QuoteToASCII(text)),
		"JSON": quoted(string(encoded)), "JSON, plain": quoted(strings.TrimSpace(plain.String())),
		"CSV": strings.ReplaceAll(text, `"`, `""`), "shell": strings.ReplaceAll(text, "'", `'\''`), "HTML": html.EscapeString(text),
	}
	for i, order := range []func(byte, byte) []byte{
		func(high, low byte) []byte { return []byte{high, low} },
		func(high, low byte) []byte { return []byte{low, high} },
	} {
		var wide []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			wide = append(wide, order(byte(unit>>8), byte(unit))...)
		}
		found["UTF-16 "+[]string{"BE", "LE"}[i]] = string(wide)
	}
	for before := range 3 {
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 URL": base64.RawURLEncoding} {
			// Of a longer text only the characters that the neighbours have no part in.
			long := encoding.EncodeToString(append(make([]byte, before), text...))
			found[fmt.Sprintf("%s behind %d", name, before)] = long[(before*8+5)/6 : (before+len(text))*8/6]
		}
	}
	return found
}

// in returns what it finds in some octets, each needle once.
func (s *search) in(octets []byte) (found []string) {
	for _, n := range s.needles {
		if bytes.Contains(octets, n.octets) {
			found = append(found, n.what)
		}
	}
	slices.Sort(found)
	return found
}

// files searches names and contents of everything in and below dir except
// the files for which skip is true. What did not change since the last time is
// not read again.
func (s *search) files(t *testing.T, dir string, skip func(path string) bool) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || skip(path) {
			return err
		}
		content := []byte(path)
		if entry.Type().IsRegular() {
			info, err := entry.Info()
			if err != nil || s.searched[path].Equal(info.ModTime()) {
				return err
			}
			s.searched[path] = info.ModTime()
			read, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = append(content, read...)
		}
		if found := s.in(content); len(found) > 0 {
			t.Errorf("%s holds a secret: %.300q", path, found)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// The search finds a secret in every form, alone and inside other text, and
// also when only a part of it got out.
func TestSearchFindsEveryForm(t *testing.T) {
	secret := `k7Wq"x \9+%41<ü&>'Zr~canary-PvT2m`
	s := newSearch(map[string]string{"it": secret})
	encode := map[string]func(string) string{
		"plain":            func(s string) string { return s },
		"hex":              func(s string) string { return hex.EncodeToString([]byte(s)) },
		"HEX":              func(s string) string { return fmt.Sprintf("%X", s) },
		"base64":           func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 unpadded":  func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
		"base64 URL":       func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
		"query":            url.QueryEscape,
		"path":             url.PathEscape,
		"%q":               strconv.Quote,
		"%+q":              strconv.QuoteToASCII,
		"JSON":             func(s string) string { b, _ := json.Marshal(s); return string(b) },
		"quoted-printable": func(s string) string { return forms(s)["quoted-printable"] },
		"UTF-16":           func(s string) string { return forms(s)["UTF-16 LE"] },
		"reversed":         func(s string) string { return forms(s)["reversed"] },
	}
	for name, f := range encode {
		for _, before := range []string{"", "a", "ab", "abc", "user\x00"} {
			for _, behind := range []string{"", "z", "zy"} {
				if len(s.in([]byte("… "+f(before+secret+behind)+" …"))) == 0 {
					t.Errorf("%s of %q + secret + %q is not found", name, before, behind)
				}
			}
		}
		for _, part := range []string{secret[:20], secret[len(secret)-20:]} {
			if len(s.in([]byte(f(part)))) == 0 {
				t.Errorf("%s of the part %q is not found", name, part)
			}
		}
	}
	if found := s.in([]byte("canary " + strings.Repeat("x", 1000))); len(found) > 0 {
		t.Errorf("found where it is not: %q", found)
	}
}

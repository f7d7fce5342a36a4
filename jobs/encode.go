package jobs

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// encodeName turns any string into one path element that exists on all
// systems, cannot climb out of its directory, and means the same string only:
// what is not allowed becomes %XX, octet by octet.
func encodeName(s string) string {
	if s == "" {
		return "%empty" // no %XX, so no other string becomes this
	}
	reserved := isReserved(s)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		edge := i == 0 && (c == '.' || c == ' ' || reserved) || i == len(s)-1 && (c == '.' || c == ' ')
		if edge || c < ' ' || c == 0x7f || strings.IndexByte(`%/\:*?"<>|`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// isReserved tells whether Windows takes the name for a device, whatever
// follows the first dot.
func isReserved(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if port, ok := strings.CutPrefix(base, "COM"); ok {
		return isPortNumber(port)
	}
	port, ok := strings.CutPrefix(base, "LPT")
	return ok && isPortNumber(port)
}

func isPortNumber(s string) bool {
	return len(s) == 1 && s[0] >= '0' && s[0] <= '9' || s == "¹" || s == "²" || s == "³"
}

// maxElement is the longest path element that common file systems take, in octets.
const maxElement = 255

// longElement returns an element of path that is too long for a file system, or "".
func longElement(path string) string {
	for _, element := range strings.Split(filepath.ToSlash(path), "/") {
		if len(element) > maxElement {
			return element
		}
	}
	return ""
}

// foldPath returns the key under which a path collides with another one on
// file systems that ignore case or Unicode normal forms.
func foldPath(path string) string {
	return norm.NFC.String(strings.ToLower(norm.NFC.String(filepath.Clean(path))))
}

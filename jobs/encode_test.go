package jobs

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestEncodeName(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"alice@example.net", "alice@example.net"},
		{"", "%empty"},
		{"%empty", "%25empty"},
		{".", "%2E"},
		{"..", "%2E%2E"},
		{"../../etc", "%2E.%2F..%2Fetc"},
		{`a\b:c`, "a%5Cb%3Ac"},
		{"a\x00b\r\n\x7f", "a%00b%0D%0A%7F"},
		{"trailing.", "trailing%2E"},
		{" blank ", "%20blank%20"},
		{"NUL", "%4EUL"},
		{"con.txt", "%63on.txt"},
		{"com1", "%63om1"},
		{"com¹.x", "%63om¹.x"},
		{"com10", "com10"},
		{"console", "console"},
		{"Grüße", "Grüße"},
	} {
		if got := encodeName(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzEncodeName(f *testing.F) {
	for _, seed := range []string{"alice", "", "..", "%2E", "con", "a/b", " ", "\xff"} {
		f.Add(seed, "other")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		name := encodeName(a)
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\:\x00\r\n") || isReserved(name) {
			t.Errorf("%q became %q", a, name)
		}
		if filepath.Base(filepath.Join("dir", name)) != name || filepath.Dir(filepath.Join("dir", name)) != "dir" {
			t.Errorf("%q became %q, which is no single element", a, name)
		}
		if a != b && name == encodeName(b) {
			t.Errorf("%q and %q became the same %q", a, b, name)
		}
	})
}

func TestFoldPath(t *testing.T) {
	for _, pair := range [][2]string{{"a/B", "A/b"}, {"a//b", "a/./b"}, {"a/é", "a/e\u0301"}, {"a/É", "a/e\u0301"}} {
		if foldPath(pair[0]) != foldPath(pair[1]) {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
	}
	if foldPath("a/b") == foldPath("a/c") {
		t.Error("different paths fold to one")
	}
}

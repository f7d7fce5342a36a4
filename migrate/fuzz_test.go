package migrate

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// FuzzFingerprint prints arbitrary octets as a message, in pieces of any
// length. The digest is that of the octets, nothing depends on the pieces, and
// the traits are those that a search of the whole finds.
func FuzzFingerprint(f *testing.F) {
	f.Fuzz(func(t *testing.T, octets []byte, piece uint16) {
		whole := newFingerprint()
		whole.Write(octets)
		want := whole.finish(true)
		pieces := newFingerprint()
		pieces.Write([]byte("another message\r\n"))
		pieces.reset()
		for rest := octets; len(rest) > 0; {
			n := min(len(rest), 1+int(piece))
			pieces.Write(rest[:n])
			rest = rest[n:]
		}
		if got := pieces.finish(true); got != want {
			t.Fatalf("in pieces %+v\nwhole %+v", got, want)
		}
		if want.digest != sha256.Sum256(octets) || want.octets != int64(len(octets)) {
			t.Fatal("digest or octets are not those of the message")
		}
		text := bytes.ReplaceAll(octets, []byte("\r\n"), nil)
		if want.traits.BareLF != bytes.ContainsRune(text, '\n') && !bytes.Contains(octets, []byte("\r\r\n")) {
			t.Errorf("bare LF %v in %q", want.traits.BareLF, octets)
		}
		if want.traits.NUL != bytes.Contains(octets, []byte{0}) {
			t.Errorf("NUL %v in %q", want.traits.NUL, octets)
		}
		if want.traits.NoFinalEOL != (len(octets) > 0 && !bytes.HasSuffix(octets, []byte("\r\n"))) {
			t.Errorf("no final line end %v in %q", want.traits.NoFinalEOL, octets)
		}
	})
}

package sinks

import (
	"bytes"
	"encoding/json"
	"testing"
)

// An index line is what encoding/json makes of it, whatever it holds.
func FuzzIndexLine(f *testing.F) {
	f.Add("000001.mbox.zst", "uid", "<a@b>", "Ann <ann@example.org>", int64(1), uint8(0xff))
	f.Add("", "\"\\\n\x00\x7f", "\xff\xfe", "ü 漢 <>&\u2028", int64(-1), uint8(0))
	f.Fuzz(func(t *testing.T, segment, uid, id, from string, n int64, flags uint8) {
		l := indexLine{Segment: segment, Frame: [2]int64{n, n / 2}, At: [2]int64{n / 3, 7}, Ordinal: n, UniqueID: uid, Octets: n / 5,
			SHA256: testDigest(uid), SHA256LF: testDigest(id), MessageID: id, Date: from + id, From: from, Session: uid + id,
			Raw: flags&1 != 0, NoEOL: flags&2 != 0}
		if flags&4 != 0 {
			l.Sum = checksum{uint32(n), true}
		}
		if flags&8 != 0 {
			l.RawSum = checksum{uint32(n) ^ 5, true}
		}
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(&l); err != nil {
			t.Fatal(err)
		}
		got := l.appendTo([]byte("before"))
		body := got[len("before") : len(got)-sealLength-1]
		if unsealed := append(bytes.Clone(body), '}', '\n'); !bytes.Equal(unsealed, want.Bytes()) {
			t.Errorf("\n%s is not\n%s", unsealed, want.Bytes())
		}
		if err := checkSeal(bytes.TrimSuffix(got[len("before"):], []byte{'\n'})); err != nil {
			t.Error(err)
		}
	})
}

package sinks

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestCodecs(t *testing.T) {
	texts := []string{"", "a", strings.Repeat("From a\n", 100_000), string(make([]byte, 3<<20))}
	for _, compression := range []Compression{Zstd, Gzip, Uncompressed} {
		codec, err := testCodecs.forCompression(compression)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			frame, err := codec.encode([]byte("before"), []byte(text), thorough)
			if err != nil || !bytes.HasPrefix(frame, []byte("before")) {
				t.Fatal(err)
			}
			hurried, err := codec.encode(nil, []byte(text), quick)
			if err != nil {
				t.Fatal(err)
			}
			var streamed bytes.Buffer
			w, err := codec.writer(&streamed)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, text)
			mustClose(t, w)
			for _, frame := range [][]byte{frame[len("before"):], hurried, streamed.Bytes()} {
				got, err := codec.decode([]byte("x"), frame)
				if err != nil || string(got) != "x"+text {
					t.Errorf("%s: %d octets of %d, %v", compression, len(got), len(text), err)
				}
				r, err := codec.reader(bytes.NewReader(frame))
				if err != nil {
					if len(frame) > 0 {
						t.Error(err)
					}
					continue
				}
				if got, err := io.ReadAll(r); err != nil || string(got) != text {
					t.Errorf("%s: streamed %d octets of %d, %v", compression, len(got), len(text), err)
				}
				mustClose(t, r)
				if compression == Uncompressed || text == "" {
					continue
				}
				for _, bad := range [][]byte{frame[:len(frame)-1], append(bytes.Clone(frame), 0), nil, []byte("garbage")} {
					if got, err := codec.decode(nil, bad); err == nil && (len(bad) > 0 || len(got) > 0) {
						t.Errorf("%s: took %.20q… for a frame", compression, bad)
					}
				}
			}
		}
		if testing.Short() {
			continue
		}
		bomb, err := codec.encode(nil, make([]byte, maxFrameText+1), thorough)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := codec.decode(nil, bomb); err == nil {
			t.Errorf("%s: decoded more than %d octets", compression, maxFrameText)
		}
	}
}

// TestBase64IsCompressed: attachments, most of a mailbox, must not be stored
// at full length, as encoders that skip entropy coding would.
func TestBase64IsCompressed(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var text bytes.Buffer
	state := uint32(1)
	for range 256 << 10 {
		state = state*1664525 + 1013904223
		text.WriteByte(alphabet[state>>26])
	}
	for _, compression := range []Compression{Zstd, Gzip} {
		codec, err := testCodecs.forCompression(compression)
		if err != nil {
			t.Fatal(err)
		}
		frame, err := codec.encode(nil, text.Bytes(), thorough)
		if err != nil {
			t.Fatal(err)
		}
		if len(frame) > text.Len()*80/100 {
			t.Errorf("%s: %d octets of base64 became %d", compression, text.Len(), len(frame))
		}
	}
}

func TestParseCompression(t *testing.T) {
	for word, want := range map[string]Compression{"": Zstd, "zstd": Zstd, "gzip": Gzip, "none": Uncompressed} {
		if got, err := ParseCompression(word); got != want || err != nil {
			t.Errorf("%q: %q, %v", word, got, err)
		}
	}
	if _, err := ParseCompression("bzip2"); err == nil {
		t.Error("took bzip2")
	}
}

// Frames are packed in a hurry while every processor packs.
func TestEffort(t *testing.T) {
	codecs := NewCodecs()
	n := cap(codecs.frames)
	for i := range n {
		if how := codecs.effort(); how != thorough {
			t.Errorf("%d of %d processors at work: %v", i, n, how)
		}
		codecs.frames <- struct{}{}
	}
	if how := codecs.effort(); how != quick {
		t.Errorf("all processors at work: %v", how)
	}
}

package sinks

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popmigrate/internal/durable"
)

// benchmarkGroup is a settle of 4 MiB of mail: of files from the folder that
// POPMIGRATE_MAIL_DIR names, else made up, 5 KB a message.
func benchmarkGroup(b *testing.B) (group []Message, octets int64) {
	add := func(wire string) error {
		m := testMessage(int64(len(group))+1, wire)
		group = append(group, m)
		if octets += m.Octets; octets > 4<<20 {
			return fs.SkipAll
		}
		return nil
	}
	dir := os.Getenv("POPMIGRATE_MAIL_DIR")
	if dir == "" {
		for i := uint64(1); add(sampleMail(i, 5000)) == nil; i++ {
		}
		return group, octets
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return add(strings.ReplaceAll(lfForm(string(content)), "\n", "\r\n"))
	})
	if err != nil {
		b.Fatal(err)
	}
	return group, octets
}

// BenchmarkMboxStore stores mail on a real disk: encode, compress, write,
// sync, read back, compare. With -cpu 1 it says what one processor sustains.
func BenchmarkMboxStore(b *testing.B) {
	group, octets := benchmarkGroup(b)
	for _, compression := range []Compression{Zstd, Gzip, Uncompressed} {
		for name, n := range map[string]int{"4MiB": len(group), "256KiB": 50, "5KB": 1} {
			b.Run(string(compression)+"/"+name, func(b *testing.B) {
				cfg := MboxConfig{FS: durable.OS{}, Dir: filepath.Join(b.TempDir(), "alice"), Compression: compression, Codecs: NewCodecs()}
				ledger := &mboxLedger{id: "one"}
				sink := mustOpen(b, cfg, ledger)
				defer sink.Close()
				b.SetBytes(octets * int64(n) / int64(len(group)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := sink.Store(b.Context(), group[:n]); err != nil {
						b.Fatal(err)
					}
					if err := sink.Committed(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkCodec encodes and decodes a frame of 256 KiB of text.
func BenchmarkCodec(b *testing.B) {
	var text []byte
	for i := range uint64(50) {
		entry, _ := encodeString(b, sampleMail(i, 5000), 10_000)
		text = append(text, entry...)
	}
	for _, compression := range []Compression{Zstd, Gzip} {
		codec, err := NewCodecs().forCompression(compression)
		if err != nil {
			b.Fatal(err)
		}
		frame, err := codec.encode(nil, text, thorough)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(compression)+"/encode", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				if out, err = codec.encode(out[:0], text, thorough); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(text))/float64(len(out)), "ratio")
		})
		b.Run(string(compression)+"/decode", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				if out, err = codec.decode(out[:0], frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package pop3_test

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"testing"

	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
)

// BenchmarkRetr fetches one message again and again over TCP. An operation is
// one message.
func BenchmarkRetr(b *testing.B) {
	line := append(bytes.Repeat([]byte{'x'}, 70), '\r', '\n')
	for _, size := range []struct {
		name   string
		octets int
	}{{"5K", 5 << 10}, {"64K", 64 << 10}, {"5M", 5 << 20}} {
		content := bytes.Repeat(line, size.octets/len(line))
		for name, options := range map[string]*pop3.Options{"pipelined": pipelined, "lockstep": lockstep} {
			b.Run(fmt.Sprintf("octets=%s/%s", size.name, name), func(b *testing.B) {
				server := serve(b, pop3test.Config{NoLog: true}, pop3test.Message{Content: content})
				client := dial(b, server, options)
				if _, err := client.Greeting(b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := client.Login(b.Context(), "alice", "sesame"); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(content)))
				b.ReportAllocs()
				for m, err := range client.Retrieve(b.Context(), timed(b)) {
					if err != nil {
						b.Fatal(err)
					}
					if n, err := m.WriteTo(io.Discard); n != int64(len(content)) || err != nil {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
}

// timed asks for message 1 as often as the benchmark wants.
func timed(b *testing.B) iter.Seq[pop3.Number] {
	return func(yield func(pop3.Number) bool) {
		for range b.N {
			if !yield(1) {
				return
			}
		}
	}
}

package pop3test_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"popmigrate/pop3/pop3test"
)

// BenchmarkRetr measures how fast the server can be drained by a client that
// sends RETR ahead and looks at nothing.
func BenchmarkRetr(b *testing.B) {
	for _, octets := range []int{5_000, 5_000_000} {
		b.Run(fmt.Sprintf("octets=%d", octets), func(b *testing.B) { benchmarkRetr(b, octets) })
	}
}

func benchmarkRetr(b *testing.B, octets int) {
	const window = 256
	server, err := pop3test.Start(pop3test.Config{NoLog: true})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	line := strings.Repeat("x", 76) + "\r\n"
	content := []byte("Subject: x\r\n\r\n" + strings.Repeat(line, octets/len(line)))
	server.AddMaildrop("alice", "secret", pop3test.Message{Content: content})
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	const login = "USER alice\r\nPASS secret\r\nSTAT\r\n"
	io.WriteString(conn, login)
	buf := make([]byte, 256<<10)
	for n := 0; !bytes.Contains(buf[:n], []byte(fmt.Sprintf("+OK 1 %d\r\n", len(content)))); {
		m, err := conn.Read(buf[n:])
		if err != nil {
			b.Fatal(err)
		}
		n += m
	}
	reply := int64(len(fmt.Sprintf("+OK %d octets\r\n", len(content))) + len(content) + len(".\r\n"))
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	b.ResetTimer()
	commands := []byte(strings.Repeat("RETR 1\r\n", window))
	for asked := 0; asked < b.N; {
		n := min(window, b.N-asked)
		conn.Write(commands[:n*len("RETR 1\r\n")])
		asked += n
		for left := int64(n) * reply; left > 0; {
			m, err := conn.Read(buf[:min(left, int64(len(buf)))])
			if err != nil {
				b.Fatal(err)
			}
			left -= int64(m)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

//go:build linux

package bench

import (
	"io"
	"net"
	"testing"
	"time"
)

// relay passes connections on to addr, each octet after half a round trip in
// either direction, without limiting how many are on the way.
func relay(t testing.TB, addr string, roundTrip time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr)
			if err != nil {
				client.Close()
				continue
			}
			go delayed(server, client, roundTrip/2)
			go delayed(client, server, roundTrip/2)
		}
	}()
	return listener.Addr().String()
}

type segment struct {
	octets []byte
	due    time.Time
}

// delayed copies from one connection to the other, later.
func delayed(to, from net.Conn, delay time.Duration) {
	line := make(chan segment, 1<<16)
	go func() {
		defer to.Close()
		for s := range line {
			time.Sleep(time.Until(s.due)) // the delay is what this is for
			if _, err := to.Write(s.octets); err != nil {
				io.Copy(io.Discard, from)
				return
			}
		}
	}()
	defer close(line)
	for {
		b := make([]byte, 64<<10)
		n, err := from.Read(b)
		if n > 0 {
			line <- segment{b[:n], time.Now().Add(delay)}
		}
		if err != nil {
			return
		}
	}
}

//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
)

// discardClient fetches a maildrop and throws it away: what the wire and the
// server can do at the most. It keeps so many RETR in flight.
type discardClient struct {
	addr       string
	user, pass string
	trust      *x509.CertPool // nil means clear text
	window     int            // 1 means lock-step
}

// fetch reads every message and returns their number and octets on the wire.
func (d *discardClient) fetch() (messages int, octets int64, err error) {
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	if d.trust != nil {
		conn = tls.Client(conn, &tls.Config{RootCAs: d.trust, ServerName: "localhost"})
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	status := func() (string, error) {
		line, err := r.ReadString('\n')
		if err == nil && !strings.HasPrefix(line, "+OK") {
			err = fmt.Errorf("discard: %q", line)
		}
		return line, err
	}
	if _, err := status(); err != nil {
		return 0, 0, err
	}
	var line string
	for _, command := range []string{"USER " + d.user, "PASS " + d.pass, "STAT"} {
		fmt.Fprintf(conn, "%s\r\n", command)
		if line, err = status(); err != nil {
			return 0, 0, err
		}
	}
	if _, err := fmt.Sscanf(line, "+OK %d", &messages); err != nil {
		return 0, 0, err
	}
	sent := 0
	ask := func(n int) error {
		var b bytes.Buffer
		for ; n > 0 && sent < messages; n-- {
			sent++
			fmt.Fprintf(&b, "RETR %d\r\n", sent)
		}
		if b.Len() == 0 {
			return nil
		}
		_, err := conn.Write(b.Bytes())
		return err
	}
	half := max(1, d.window/2)
	if err := ask(d.window); err != nil {
		return 0, 0, err
	}
	for got := range messages {
		if got > 0 && got%half == 0 {
			if err := ask(half); err != nil {
				return 0, 0, err
			}
		}
		n, err := discardMessage(r)
		if err != nil {
			return got, octets, err
		}
		octets += n
	}
	fmt.Fprint(conn, "QUIT\r\n")
	_, err = io.Copy(io.Discard, r)
	return messages, octets, err
}

// discardMessage reads a status line and a message up to its termination line.
func discardMessage(r *bufio.Reader) (octets int64, err error) {
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "+OK") {
		return 0, fmt.Errorf("discard: %q, %w", line, err)
	}
	begin := true
	for {
		line, err := r.ReadSlice('\n')
		octets += int64(len(line))
		if err == bufio.ErrBufferFull {
			begin = false
			continue
		}
		if err != nil {
			return octets, err
		}
		if begin && len(line) == 3 && line[0] == '.' {
			return octets, nil
		}
		begin = true
	}
}

//go:build linux

package endtoend

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"popmigrate/internal/realservers"
)

// plainRead returns what a server sends of a user's maildrop: a reader as plain
// as can be, in lock-step and clear text, with no code of the project. It
// leaves without QUIT, so that no server writes down what was read.
func plainRead(t *testing.T, address, user string) tally {
	t.Helper()
	found, err := readAll(address, user)
	for tries := 0; err != nil && tries < 20; tries++ { // the maildrop may still be locked
		pause := time.NewTimer(250 * time.Millisecond)
		<-pause.C
		found, err = readAll(address, user)
	}
	if err != nil {
		t.Fatalf("plain reader: %v", err)
	}
	return found
}

func readAll(address, user string) (tally, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	say := func(command string) (string, error) {
		if command != "" {
			fmt.Fprintf(conn, "%s\r\n", command)
		}
		line, err := r.ReadString('\n')
		if err == nil && !strings.HasPrefix(line, "+OK") {
			err = fmt.Errorf("%.4s: server said %q", command, line)
		}
		return line, err
	}
	if _, err := say(""); err != nil {
		return nil, err
	}
	if _, err := say("CAPA"); err == nil {
		offered, err := readBody(r)
		if err != nil {
			return nil, err
		}
		// Courier puts mail with octets outside ASCII in its header into an
		// envelope unless it is told that they are welcome (RFC 6856).
		if strings.Contains("\r\n"+offered, "\r\nUTF8") {
			if _, err := say("UTF8"); err != nil {
				return nil, err
			}
		}
	}
	var status string
	for _, command := range []string{"USER " + user, "PASS " + realservers.Password(user), "STAT"} {
		if status, err = say(command); err != nil {
			return nil, err
		}
	}
	var count int
	if _, err := fmt.Sscanf(status, "+OK %d", &count); err != nil {
		return nil, err
	}
	found := tally{}
	for n := 1; n <= count; n++ {
		if _, err := say(fmt.Sprintf("RETR %d", n)); err != nil {
			return nil, err
		}
		message, err := readBody(r)
		if err != nil {
			return nil, err
		}
		found[message]++
	}
	return found, nil
}

// readBody reads up to the line with a dot and takes doubled dots away. A line
// ends with CRLF; an LF alone is an octet as any other.
func readBody(r *bufio.Reader) (string, error) {
	var body strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if !strings.HasSuffix(body.String(), "\r\n") && body.Len() > 0 {
			body.WriteString(line)
			continue
		}
		if line == ".\r\n" {
			return body.String(), nil
		}
		body.WriteString(strings.TrimPrefix(line, "."))
	}
}

package realservers

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"
)

// firstLogin logs in once and leaves, since some servers make a mailbox only then.
func firstLogin(address, user string) error {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	replies := bufio.NewReader(conn)
	for _, command := range []string{"", "USER " + user, "PASS " + Password(user), "QUIT"} {
		if command != "" {
			fmt.Fprintf(conn, "%s\r\n", command)
		}
		line, err := replies.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "+OK") {
			return fmt.Errorf("first login of %s: server said %q (%v)", user, line, err)
		}
	}
	return nil
}

package pop2_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"popmigrate/pop2"
	"popmigrate/pop3"
)

// FuzzServer is a whole session with a server that sends anything at all. It
// ends, and a message is acknowledged only when all its octets came.
func FuzzServer(f *testing.F) {
	for _, octets := range []string{
		"+ POP2 ready\r\n#2 messages\r\n=5 characters\r\n12345=0 No more messages\r\n+ Sayonara\r\n",
		"+ POP2\n#1\n=3\n\r\n.=0\n+\n",
		"- no\r\n", "+OK POP3\r\n", "+ POP2\r\n- Bad login\r\n+ Sayonara\r\n",
		"+ POP2\r\n#1\r\n=999999999999\r\nshort", "+ POP2\r\n#1\r\n=5\r\n12345surplus\r\n",
	} {
		f.Add([]byte(octets))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		client, server := net.Pipe()
		defer server.Close()
		go func() { _, _ = io.Copy(io.Discard, server) }()
		go func() {
			_, _ = server.Write(octets)
			server.Close()
		}()
		c := pop2.NewClient(client, pop3.Timeouts{})
		defer c.Close()
		err := walk(t.Context(), c)
		if err == nil {
			_, err = c.Quit(t.Context())
		}
		if c.Broken() == nil {
			t.Errorf("the line has ended and counts as sound; %v", err)
		}
		if _, err := c.Read(t.Context(), 1); !errors.Is(err, pop3.ErrBroken) {
			t.Errorf("READ on a broken line: %v", err)
		}
	})
}

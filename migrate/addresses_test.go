package migrate

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"

	"popmigrate/pop3/pop3test"
)

// resolve has every name stand for these IPv4 addresses until the test ends.
func resolve(t *testing.T, addresses ...string) {
	t.Helper()
	system := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = system })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe() // no packets, so that queries have their length before them
		go func() {
			defer server.Close()
			for {
				var length uint16
				if binary.Read(server, binary.BigEndian, &length) != nil {
					return
				}
				query := make([]byte, length)
				if _, err := io.ReadFull(server, query); err != nil {
					return
				}
				answer := dnsAnswer(query, addresses)
				server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}
		}()
		return client, nil
	}}
}

// dnsAnswer answers a query for A with the addresses, any other with nothing
// (RFC 1035 section 4).
func dnsAnswer(query []byte, addresses []string) []byte {
	end := 12 // of the question
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	end += 5
	answer := slices.Clone(query[:end])
	copy(answer[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if kind != 1 {
		return answer
	}
	answer[7] = byte(len(addresses))
	for _, address := range addresses {
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		answer = append(answer, net.ParseIP(address).To4()...)
	}
	return answer
}

// Where a name stands for several addresses, one that refuses is not the end.
func TestEveryAddressIsDialed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere 127.0.0.2 may be no address of the machine, and a dial to it a long wait")
	}
	server := startServer(t, pop3test.Config{})
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, addresses := range [][]string{{"127.0.0.2", "127.0.0.1"}, {"127.0.0.3", "127.0.0.2", "127.0.0.1"}, {"127.0.0.1"}} {
		resolve(t, addresses...)
		facts, failure := connectTo(t, server, func(s *POP3Source) {
			s.Server, s.TLSConfig.ServerName = net.JoinHostPort("pop.pool.example", port), "localhost"
		})
		if failure != nil {
			t.Fatal(failure)
		}
		if facts.Address != server.Addr() || len(facts.Addresses) != len(addresses) {
			t.Errorf("%v: connected to %s of %v", addresses, facts.Address, facts.Addresses)
		}
	}
}

package kerberos

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// The two version strings of KPOP. Their terminating NUL counts.
const (
	sendauthVersion = "KRB5_SENDAUTH_V1.0\x00"
	kpopVersion     = "KPOPV1.0\x00"
)

// maxFrame bounds what a server may announce, in octets. A ticket with all the
// groups of its owner stays below.
const maxFrame = 64 << 10

// KPOP proves the client's identity on a new connection to host, and checks the
// server's: the exchange "sendauth" of Kerberos V5 with the application version
// "KPOPV1.0". Nothing of the server's greeting, which follows, is read. The
// connection has to be closed after an error. KPOP protects the login only: what
// follows is neither encrypted nor guarded against change.
//
// Deadlines of conn are the caller's business; ctx bounds the waiting for a
// ticket.
func (c *Client) KPOP(ctx context.Context, conn net.Conn, host string) error {
	t, err := c.ticket(ctx, host)
	if err != nil {
		return err
	}
	p, err := c.newProof(t, false)
	if err != nil {
		return &Error{Op: "make proof of identity", Err: err, Kind: KindLocal}
	}
	return p.sendauth(conn)
}

// sendauth speaks the client's side.
func (p *proof) sendauth(conn io.ReadWriter) error {
	const op = "begin KPOP"
	if _, err := conn.Write(append(frame([]byte(sendauthVersion)), frame([]byte(kpopVersion))...)); err != nil {
		return fail(KindNetwork, op, "", "%w", cause(err))
	}
	var status [1]byte
	if _, err := io.ReadFull(conn, status[:]); err != nil {
		return fail(KindNetwork, op, "a server of Kerberos IV does that, which is not supported, and one that has no KPOP at all: check server and port",
			"no answer to the version strings: %w", cause(err))
	}
	if err := refusedVersion(status[0], conn); err != nil {
		return err
	}
	if _, err := conn.Write(frame(p.octets)); err != nil {
		return fail(KindNetwork, "show ticket to server", "", "%w", cause(err))
	}
	verdict, err := readFrame(conn)
	if err != nil {
		return broken("show ticket to server", err)
	}
	if len(verdict) > 0 {
		return p.explain(verdict)
	}
	reply, err := readFrame(conn)
	if text := (*textError)(nil); errors.As(err, &text) {
		return p.unproven(fmt.Errorf("it sends text instead, %s", text.line))
	}
	if err != nil {
		return broken("verify the server's identity", err)
	}
	if _, err := p.verify(reply); err != nil {
		return p.unproven(err)
	}
	return nil
}

// refusedVersion reads the answer to the version strings.
func refusedVersion(status byte, rest io.Reader) error {
	const op = "begin KPOP"
	switch status {
	case 0:
		return nil
	case 1:
		return fail(KindServer, op, "", "the server refuses the version of sendauth")
	case 2:
		return fail(KindServer, op, "this port may belong to another service of the host: KPOP's is 1109", "the server refuses the application version KPOPV1.0")
	case '+', '-', '*', '2', '4', '5':
		line := string(status) + readLine(rest)
		if strings.HasPrefix(line, "-ERR") {
			return fail(KindServer, op, "a server of Kerberos IV, which is not supported, refuses like that", "the server says %s", quote(line))
		}
		return fail(KindServer, op, `this is no KPOP port: for POP3 with Kerberos use source "pop3" with auth = "gssapi"`,
			"the server speaks another protocol and says %s", quote(line))
	case 0x15, 0x16:
		return fail(KindServer, op, "KPOP has no TLS: check the port", "the server speaks TLS")
	}
	return fail(KindServer, op, "check server and port", "the server is none of KPOP with Kerberos V5: it answers %#02x", status)
}

func frame(octets []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(octets))), octets...)
}

// textError is a line of text where a frame was to come.
type textError struct{ line string }

func (e *textError) Error() string { return "the server says " + e.line }

// readFrame reads a length and as many octets, and not one more.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if head[0] == '+' || head[0] == '-' { // a popper's own words: as a length they would be 700 MB
		return nil, &textError{quote(string(head[:]) + readLine(r))}
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("the server announces %d octets", n)
	}
	octets := make([]byte, n)
	if _, err := io.ReadFull(r, octets); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return octets, nil
}

// readLine reads up to a line end, or as much as is worth showing.
func readLine(r io.Reader) string {
	line, _ := bufio.NewReaderSize(io.LimitReader(r, maxQuoted), maxQuoted).ReadString('\n')
	return line
}

// broken is the error of a server that does not keep to the exchange.
func broken(op string, err error) error {
	if text := (*textError)(nil); errors.As(err, &text) {
		return fail(KindCredential, op, "the server's log says more", "%w", err)
	}
	return fail(KindNetwork, op, "the server's log may say why", "%w", cause(err))
}

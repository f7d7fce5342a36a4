package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	kdcPatience = 5 * time.Second // for one try with one KDC
	maxReply    = 1 << 20         // octets of a KDC's reply over TCP
)

// ask sends a request to the KDCs of a realm, one after the other until one
// answers (RFC 4120 section 7.2): over TCP, and over UDP where a KDC does not
// take TCP. The error is a *refusal where a KDC said no.
func (s *settings) ask(ctx context.Context, realm string, request []byte) ([]byte, error) {
	addresses, err := s.kdcs(ctx, realm)
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, address := range addresses {
		reply, err := overTCP(ctx, address, request)
		if errors.Is(err, errNoTCP) {
			reply, err = overUDP(ctx, address, request)
		}
		if err == nil && len(reply) > 0 && reply[0] == tagKRBError {
			refused, err := parseRefusal(reply)
			if err != nil {
				return nil, err
			}
			return nil, refused
		}
		if err == nil {
			return reply, nil
		}
		problems = append(problems, fmt.Sprintf("%s: %v", address, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fail(KindNetwork, "ask KDC of "+realm, "see that a KDC runs there and that no firewall is between (TCP and UDP port 88)",
		"none answers: %s", strings.Join(problems, "; "))
}

const tagKRBError = 0x7e // the first octet of a KRB_ERROR: APPLICATION 30

var errNoTCP = errors.New("no connection")

func overTCP(ctx context.Context, address string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, kdcPatience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoTCP, cause(err))
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(request))), request...)); err != nil {
		return nil, cause(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, cause(err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxReply {
		return nil, fmt.Errorf("it announces a reply of %d octets", n)
	}
	reply := make([]byte, n)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return nil, cause(err)
	}
	return reply, nil
}

func overUDP(ctx context.Context, address string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, kdcPatience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
	if err != nil {
		return nil, cause(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write(request); err != nil {
		return nil, cause(err)
	}
	reply := make([]byte, 1<<16)
	n, err := conn.Read(reply)
	if err != nil {
		return nil, cause(err)
	}
	return reply[:n], nil
}

// cause takes off what net.OpError adds: the address is named already.
func cause(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		err = operation.Err
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it closed the connection")
	}
	return err
}

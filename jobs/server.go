package jobs

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"popmigrate/migrate"
)

// The registered ports of POP3 (RFC 1939, RFC 8314 section 7.3).
const (
	popPort  = "110"
	popsPort = "995"
)

// portOf returns the port for a kind of source and a TLS mode.
func portOf(kind string, mode migrate.TLSMode) string {
	switch kind {
	case "kpop":
		return kpopPort
	case "pop2":
		return pop2Port
	}
	return defaultPort(mode)
}

// defaultPort returns the port for a TLS mode.
func defaultPort(mode migrate.TLSMode) string {
	if mode == migrate.TLSImplicit {
		return popsPort
	}
	return popPort
}

// parseServer splits host, host:port, [v6], [v6]:port or a bare IPv6 address;
// port is "" where none is given. A name outside ASCII comes back as resolvers,
// TLS and certificates have it.
func parseServer(s string) (host, port string, err error) {
	if address, err := netip.ParseAddr(s); err == nil {
		return address.String(), "", nil
	}
	host, port = splitHost(s)
	if strings.HasPrefix(s, "[") {
		if address, err := netip.ParseAddr(host); err != nil || !address.Is6() {
			return "", "", errors.New("what stands in [ ] is no IPv6 address")
		}
	} else if host == "" || strings.ContainsFunc(host, notInHost) {
		return "", "", errors.New("expected host or host:port")
	} else if host, err = asciiHost(host); err != nil {
		return "", "", err
	}
	if port == "" && strings.HasSuffix(s, ":") {
		return "", "", errors.New("the port after the colon is missing")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '+' {
			return "", "", errors.New("the port is not a number from 1 to 65535")
		}
		port = strconv.FormatUint(n, 10)
	}
	return host, port, nil
}

// asciiHost returns the A-labels of a name that is not ASCII (RFC 5890).
func asciiHost(name string) (string, error) {
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return name, nil
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return "", errors.New("the name of the host has characters that no host name may have")
	}
	return ascii, nil
}

// splitHost takes the port off a server, judging nothing.
func splitHost(s string) (host, port string) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		if inside, after, ok := strings.Cut(rest, "]"); ok {
			return inside, strings.TrimPrefix(after, ":")
		}
		return s, ""
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port
}

func notInHost(r rune) bool {
	return r <= ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || strings.ContainsRune(`/\@?#[]:;,"'<>|%`, r)
}

// joinServer returns host:port.
func joinServer(host, port string) string { return net.JoinHostPort(host, port) }

// isLoopback tells whether host is this machine for certain.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

package jobs

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"popmigrate/migrate"
	"popmigrate/pop3/auth"
)

// POPURL is a POP URL (RFC 2384).
type POPURL struct {
	User string // "" where the URL names none
	Auth string // "auto", or a mechanism in lower case: "apop", "user", "plain"…
	Host string // IPv6 addresses without brackets
	Port string // never empty

	// TLS is implicit for pops:// and wherever the port is 995, else STARTTLS.
	// No URL asks for clear text but kpop://, which alone does not get it.
	TLS migrate.TLSMode

	KPOP bool // kpop://: Kerberos before the greeting, and no TLS; Auth means nothing

	explicitPort bool
}

// Server returns host:port.
func (u POPURL) Server() string { return joinServer(u.Host, u.Port) }

// ParseURL parses pop://[user[;AUTH=mechanism]@]host[:port] (RFC 2384) and, in
// the same form, pops:// for TLS from the first octet and kpop:// for KPOP. A URL with a password is
// refused: it would stand in shell histories and process lists. Errors never
// repeat the URL.
func ParseURL(s string) (POPURL, error) {
	u, err := parseURL(s)
	if err != nil {
		return POPURL{}, errors.New("parse POP URL: " + err.Error())
	}
	return u, nil
}

func parseURL(s string) (u POPURL, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	switch strings.ToLower(scheme) {
	case "pop":
		u.TLS = migrate.TLSStart
	case "pops":
		u.TLS = migrate.TLSImplicit
	case "kpop":
		u.TLS, u.KPOP = migrate.TLSNone, true
	default:
		ok = false
	}
	if !ok {
		return u, errors.New("expected pop://user@host, pops://user@host or kpop://user@host")
	}
	rest, tail, _ := strings.Cut(rest, "/")
	u.Auth = "auto"
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if u.User, u.Auth, err = parseUserinfo(rest[:at]); err != nil {
			return u, err
		}
		rest = rest[at+1:]
	}
	if tail != "" || strings.ContainsAny(rest, "?#") {
		return u, errors.New("a POP URL ends after host and port")
	}
	if u.Host, u.Port, err = parseServer(rest); err != nil {
		return u, err
	}
	u.explicitPort = u.Port != ""
	switch {
	case u.KPOP && u.Auth != "auto":
		return u, errors.New("KPOP logs in by a Kerberos ticket and by nothing else: leave ;AUTH= out")
	case u.KPOP && u.Port == "":
		u.Port = kpopPort
	case u.KPOP:
	case u.Port == popsPort:
		u.TLS = migrate.TLSImplicit
	case u.Port == "":
		u.Port = defaultPort(u.TLS)
	}
	return u, nil
}

// parseUserinfo parses user[;AUTH=mechanism].
func parseUserinfo(s string) (user, mechanism string, err error) {
	if strings.Contains(s, ":") {
		return "", "", errors.New("a password in a URL ends up in shell histories and process lists; leave it out and it will be asked for (a colon in a user name is written %3A)")
	}
	encoded, option, hasOption := strings.Cut(s, ";")
	if user, err = percentDecode(encoded); err != nil {
		return "", "", err
	}
	if user == "" {
		return "", "", errors.New("nothing stands before the @")
	}
	if hasControl(user) || !utf8.ValidString(user) {
		return "", "", errors.New("the user name contains control characters or is not UTF-8")
	}
	if !hasOption {
		return user, "auto", nil
	}
	key, mechanism, _ := strings.Cut(option, "=")
	if !strings.EqualFold(key, "AUTH") {
		return "", "", errors.New("only ;AUTH= may follow the user name (a semicolon in a user name is written %3B)")
	}
	if mechanism, err = percentDecode(mechanism); err != nil {
		return "", "", err
	}
	name := strings.ToUpper(mechanism)
	switch {
	case name == "*":
		return user, "auto", nil
	case name == "+APOP":
		return user, "apop", nil
	case name == "+USER":
		return user, "user", nil
	case slices.Contains(auth.Names(), name) && name != auth.User && name != auth.APOP:
		return user, strings.ToLower(name), nil
	}
	return "", "", errors.New("this version knows ;AUTH=* for any mechanism, ;AUTH=+APOP, ;AUTH=+USER, and of SASL " +
		strings.Join(slices.DeleteFunc(auth.Names(), func(name string) bool { return name == auth.User || name == auth.APOP }), ", "))
}

// percentDecode undoes %XX (RFC 3986 section 2.1). A plus sign is a plus sign.
func percentDecode(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errors.New("a % in a URL needs two hexadecimal digits (a percent sign itself is written %25)")
		}
		hi, ok1 := unhex(s[i+1])
		lo, ok2 := unhex(s[i+2])
		if !ok1 || !ok2 {
			return "", errors.New("a % in a URL needs two hexadecimal digits (a percent sign itself is written %25)")
		}
		b.WriteByte(hi<<4 | lo)
		i += 2
	}
	return b.String(), nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

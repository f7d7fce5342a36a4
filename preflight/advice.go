package preflight

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"popmigrate/migrate"
)

// Best returns the way to choose, nil where none is any good: it works, with
// TLS from the first octet before STLS before clear text; or all that it lacks
// is trust in the certificate.
func Best(ways []*Way) *Way {
	var best *Way
	rank := func(w *Way) int {
		switch {
		case w == nil:
			return 0
		case w.Works && w.mode == migrate.TLSImplicit:
			return 5
		case w.Works && w.mode == migrate.TLSStart:
			return 4
		case w.TLS != nil && w.Class == migrate.ClassTLS && w.mode == migrate.TLSImplicit:
			return 3
		case w.TLS != nil && w.Class == migrate.ClassTLS:
			return 2
		case w.Works:
			return 1
		}
		return 0
	}
	for _, w := range ways {
		if rank(w) > rank(best) {
			best = w
		}
	}
	return best
}

// Advice returns lines for the source block of a job: how to reach the server
// by the way w. trust are lines that say what is trusted, preset the profile
// that the server's host belongs to; both may be empty.
func Advice(w *Way, trust []string, preset string) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if preset != "" {
		add("preset = %q", preset)
	}
	add("server = %q", shortServer(w))
	add("tls = %q", w.Mode)
	lines = append(lines, trust...)
	switch {
	case w.mode == migrate.TLSNone:
		add("allow_cleartext = true # everyone on the way can read the mail, and most passwords")
	case !w.Works && len(trust) == 0:
		add("tls_pin = %q # only once the server's administrator confirms this digest", w.TLS.Pin)
	}
	lines = append(lines, loginAdvice(w)...)
	if w.retrHides || slices.Equal(argumentsOf(w.Capabilities, "EXPIRE"), []string{"0"}) {
		add("# allow_retr_hides = true # if it is acceptable that fetching alone may hide or delete mail here")
	}
	return lines
}

// loginAdvice is for servers where auth = "auto" needs help.
func loginAdvice(w *Way) []string {
	tokens := func(name string) bool { return name == "XOAUTH2" || name == "OAUTHBEARER" }
	switch {
	case !w.Works:
		return nil
	case len(w.Mechanisms) > 0 && !slices.ContainsFunc(w.Mechanisms, func(name string) bool { return !tokens(name) }):
		return []string{"# this server takes OAuth2 tokens only: add an oauth2 block"}
	case len(w.Mechanisms) > 0:
		return nil
	case w.APOP && w.HasCAPA:
		return []string{`auth = "apop" # nothing else is announced`}
	case !w.HasCAPA:
		return []string{`# no CAPA: auth = "auto" tries USER and PASS`}
	}
	return []string{`# no login is announced here: auth = "user" tries USER and PASS unannounced`}
}

// shortServer leaves the port out where it is the usual one.
func shortServer(w *Way) string {
	host, port, err := net.SplitHostPort(w.Server)
	if usual := map[migrate.TLSMode]string{migrate.TLSImplicit: "995"}[w.mode]; err == nil && !strings.Contains(host, ":") && (port == usual || usual == "" && port == "110") {
		return host
	}
	return w.Server
}

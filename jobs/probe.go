package jobs

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"popmigrate/internal/profiles"
	"popmigrate/migrate"
	"popmigrate/pop3"
)

// Target is a server to be looked at without an account.
type Target struct {
	Host   string
	Ways   []*migrate.POP3Source // in which it may be reached, port by port; they cannot log in
	Trust  []string              // lines of a source block that say what is trusted, beside the system's authorities
	Preset string                // the profile that the host belongs to, "" where none does
}

// NewTarget returns the ways to reach a server: host, host:port, or a URL as
// ParseURL takes it, also with pop3:// and pop3s://; a user in it means
// nothing. Where neither URL nor WithTLS says how TLS begins, all that make
// sense on the port are there: on 995 and ports that are not POP3's own TLS
// from the first octet, clear text and STLS, in this order; on 110 the last
// two; without a port, those of both. patience bounds each wait for the server.
// Nothing is dialed.
func NewTarget(server string, patience time.Duration, opts ...CopyOption) (*Target, error) {
	var o copyOptions
	for _, opt := range opts {
		opt(&o)
	}
	host, port, err := parseTarget(server, &o)
	if err != nil {
		return nil, err
	}
	target := &Target{Host: host}
	if found := profiles.Default().OfHost(host); found != nil && found.Connect != nil {
		if why := noPOP(found); why != "" {
			return nil, fmt.Errorf("probe %s: %s", host, why)
		}
		target.Preset = found.Name
	}
	for _, w := range waysTo(port, o.tls) {
		source, err := probeSource(joinServer(host, w.port), w.mode, o)
		if err != nil {
			return nil, fmt.Errorf("probe %s: %w", host, err)
		}
		source.Timeouts = pop3.Timeouts{Dial: patience, TLS: patience, Greeting: patience, Command: patience, Quit: patience}
		target.Ways = append(target.Ways, source)
	}
	target.Trust = o.trustLines()
	return target, nil
}

// parseTarget reads what is to be probed. What a URL says of TLS counts where
// o says nothing.
func parseTarget(server string, o *copyOptions) (host, port string, err error) {
	scheme, rest, isURL := strings.Cut(server, "://")
	if !isURL {
		if host, port, err = parseServer(server); err != nil {
			err = errors.New("parse server: " + err.Error())
		}
		return host, port, err
	}
	switch strings.ToLower(scheme) {
	case "pop3":
		scheme = "pop"
	case "pop3s":
		scheme = "pops"
	case "kpop":
		return "", "", errors.New("parse POP URL: KPOP has nothing to be seen before the login")
	}
	u, err := ParseURL(scheme + "://" + rest)
	if err != nil {
		return "", "", err
	}
	if o.tls == "" && (u.explicitPort || u.TLS == migrate.TLSImplicit) {
		o.tls = wordFor(tlsWords, u.TLS)
	}
	if u.explicitPort || o.tls == "" {
		port = u.Port
	}
	return u.Host, port, nil
}

// way is a port and how TLS begins there.
type way struct {
	port string
	mode string
}

// waysTo returns the ways to be tried; port or tls may be "".
func waysTo(port, tls string) (ways []way) {
	modes := []string{"implicit", "none", "starttls"}
	switch {
	case tls == "starttls":
		modes = []string{"none", "starttls"} // the first one shows what is offered without TLS
	case tls != "":
		modes = []string{tls}
	case port == popPort:
		modes = []string{"none", "starttls"}
	case port == "":
		return append(waysTo(popsPort, ""), waysTo(popPort, "")...)
	}
	for _, mode := range modes {
		at := port
		if at == "" {
			at = defaultPort(wordValue(tlsWords, mode))
		}
		ways = append(ways, way{at, mode})
	}
	return ways
}

// probeSource builds a source as a job file would, so that both mean the same.
func probeSource(server, mode string, o copyOptions) (*migrate.POP3Source, error) {
	lines := []string{`job "probe" {`, `account "probe" { password = env("` + CopyPassword + `") }`, `source "pop3" {`,
		"server = " + hclString(server), "tls = " + hclString(mode), "allow_cleartext = true", "allow_retr_hides = true"}
	lines = append(lines, o.trustLines()...)
	lines = append(lines, "}", `sink "mbox" "none" { dir = "." }`, "}")
	for i, line := range lines { // blocks of one attribute may stand in one line, of several not
		lines[i] = line + "\n"
	}
	env := o.env.withDefaults()
	env.NoSecrets = true
	file, err := load("probe.hcl", []byte(strings.Join(lines, "")), env, nil)
	if err != nil {
		return nil, err
	}
	source, ok := file.Jobs[0].Job.Accounts[0].Connector.(*migrate.POP3Source)
	if !ok {
		return nil, errors.New("not a POP3 server")
	}
	return source, nil
}

// trustLines say in a source block what the options trust.
func (o *copyOptions) trustLines() (lines []string) {
	if o.ca != "" {
		lines = append(lines, "tls_ca = "+hclString(filepath.ToSlash(o.ca)))
	}
	if o.pin != "" {
		lines = append(lines, "tls_pin = "+hclString(o.pin))
	}
	return lines
}

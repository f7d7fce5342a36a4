package jobs

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"popmigrate/migrate"
)

// CopyFile is the name, in the directory that mail is copied to, under which
// the job file of FromURL belongs: its paths are relative to it.
const CopyFile = "popmigrate.hcl"

// CopyPassword is the environment variable from which that job file takes the
// password.
const CopyPassword = "POPMIGRATE_PASSWORD"

// CopyOption changes what FromURL builds.
type CopyOption func(*copyOptions)

type copyOptions struct {
	env       Env
	tls       string
	cleartext bool
	ca, pin   string
}

// WithEnv replaces what is taken from the system.
func WithEnv(env Env) CopyOption { return func(o *copyOptions) { o.env = env } }

// WithTLS replaces what the URL says of TLS: "implicit", "starttls" or "none".
func WithTLS(word string) CopyOption { return func(o *copyOptions) { o.tls = word } }

// WithCleartext allows "none".
func WithCleartext() CopyOption { return func(o *copyOptions) { o.cleartext = true } }

// WithAuthorities trusts the certificates in a PEM file; path is absolute or
// relative to the directory that mail is copied to.
func WithAuthorities(path string) CopyOption { return func(o *copyOptions) { o.ca = path } }

// WithPin trusts the one certificate of a SHA-256.
func WithPin(hex string) CopyOption { return func(o *copyOptions) { o.pin = hex } }

// FromURL builds the job that copies the maildrop of a POP URL into dir: an
// mbox archive in zstd frames, nothing ever deleted by it. Over kpop:// the
// tickets of the default credential cache are used. It also returns the
// text of a job file that means the same when it stands as CopyFile in dir;
// nothing is written here. password is asked once, at the first login; the job
// file takes it from the environment variable CopyPassword.
func FromURL(url, dir string, password func(ctx context.Context) (string, error), opts ...CopyOption) (*Job, []byte, error) {
	u, err := ParseURL(url)
	if err != nil {
		return nil, nil, err
	}
	if u.User == "" {
		return nil, nil, fmt.Errorf("copy %s: the URL names no user; write pop://user@host", u.Server())
	}
	var o copyOptions
	for _, opt := range opts {
		opt(&o)
	}
	text := copyText(u, o)
	prompts := map[string]func(context.Context) (string, error){CopyPassword: password}
	file, err := load(filepath.Join(dir, CopyFile), text, o.env.withDefaults(), prompts)
	if err != nil {
		return nil, nil, err
	}
	return file.Jobs[0], text, nil
}

// copyText writes the job file. It is what FromURL loads, so the job and the
// file cannot differ.
func copyText(u POPURL, o copyOptions) []byte {
	mode := u.TLS
	for _, w := range tlsWords {
		if w.Word == o.tls {
			mode = w.Value
		}
	}
	server := u.Server()
	if !u.explicitPort && !u.KPOP {
		server = joinServer(u.Host, defaultPort(mode))
	}
	name := u.User
	if !strings.Contains(name, "@") {
		name += "@" + u.Host
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	kind, secret := "pop3", CopyPassword+"=… "
	if u.KPOP {
		kind, secret = "kpop", ""
	}
	line("# Copies one maildrop into this directory. Written by popmigrate copy; go on with")
	line("#   %spopmigrate run %s", secret, CopyFile)
	line("job \"copy\" {")
	line("  account %s {", hclString(name))
	line("    user     = %s", hclString(u.User))
	if !u.KPOP {
		line("    password = env(\"%s\")", CopyPassword)
	}
	line("  }")
	line("  source %s {", hclString(kind))
	line("    server = %s", hclString(server))
	word := o.tls // a wrong word is refused when the text is loaded
	if word == "" {
		word = wordFor(tlsWords, mode)
	}
	if !u.KPOP || o.tls != "" {
		line("    tls    = %s", hclString(word))
	}
	if o.cleartext && mode == migrate.TLSNone {
		line("    allow_cleartext = true")
	}
	if o.ca != "" {
		line("    tls_ca = %s", hclString(filepath.ToSlash(o.ca)))
	}
	if o.pin != "" {
		line("    tls_pin = %s", hclString(o.pin))
	}
	if u.Auth != "auto" {
		line("    auth   = %s", hclString(u.Auth))
	}
	if u.KPOP {
		line("    kerberos { # the tickets that kinit got; or name principal and keytab")
		line("    }")
	}
	line("  }")
	line("  sink \"mbox\" \"archive\" {")
	line("    dir = \".\"")
	line("  }")
	line("  delete = \"never\"")
	line("}")
	return []byte(b.String())
}

// hclString writes s as an HCL string without interpolation (HCL syntax
// specification, quoted templates).
func hclString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, "\\u%04x", r)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

package jobs

import (
	"crypto/tls"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"popmigrate/migrate"
	"popmigrate/pop3/auth"
)

// logins is how the accounts of a source log in.
type logins struct {
	auth        []string  // names of mechanisms in upper case, in order; empty means auto
	identity    *template // SASL authorization identity; nil means none
	cleartext   bool      // secrets may be shown to listeners
	certificate string    // path of the client certificate, "" where there is none
	utf8        migrate.UTF8Mode
}

// logins reads the attributes of a source that say how to log in.
func (l *loader) logins(src *source, s *section, list *list) {
	src.auth = l.mechanisms(s)
	src.identity = s.template("identity", list)
	src.cleartext = s.flag("allow_cleartext")
	src.utf8 = word(s, "utf8", utf8Words)
	l.clientCertificate(src, s)
	if slices.Contains(src.auth, "EXTERNAL") && !s.has("tls_cert") {
		l.add(s.where("auth"), "Missing certificate", "external logs in with a client certificate; name one with tls_cert and its key with tls_key.")
	}
}

// mechanisms reads auth: "auto", a name, or a list of names.
func (l *loader) mechanisms(s *section) []string {
	if !s.has("auth") {
		return nil
	}
	before := l.Len()
	value := s.constant("auth")
	if l.Len() > before {
		return nil
	}
	at := s.where("auth")
	known := "the mechanisms are " + quotedNames(auth.Names())
	if value.Type() == cty.String {
		if value.AsString() == "auto" {
			return nil
		}
		value = cty.TupleVal([]cty.Value{value})
	}
	if !value.Type().IsTupleType() || value.LengthInt() == 0 {
		l.add(at, "Wrong value", `auth is "auto", a mechanism, or a list such as ["scram-sha-256", "plain"]; %s.`, known)
		return nil
	}
	var names []string
	for _, element := range value.AsValueSlice() {
		name := ""
		if isString(element) {
			name = strings.ToUpper(element.AsString())
		}
		switch {
		case name == "AUTO":
			l.add(at, "Contradiction", `"auto" stands alone: it means every mechanism, strongest first.`)
		case !slices.Contains(auth.Names(), name):
			l.add(at, "Unknown word", `auth is "auto", a mechanism, or a list of them; %s.`, known)
		case slices.Contains(names, name):
			l.add(at, "One mechanism twice", "%q stands in auth already.", strings.ToLower(name))
		default:
			names = append(names, name)
		}
	}
	return names
}

func quotedNames(names []string) string {
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = strconv.Quote(strings.ToLower(name))
	}
	return strings.Join(shown, ", ")
}

// clientCertificate reads tls_cert and tls_key. One file may hold both.
func (l *loader) clientCertificate(src *source, s *section) {
	if !s.has("tls_cert") {
		if s.has("tls_key") {
			l.add(s.where("tls_key"), "Missing certificate", "tls_key is the key of the client certificate that tls_cert names.")
		}
		return
	}
	certPath, keyPath, keyAt := s.required("tls_cert"), s.text("tls_key"), s.where("tls_cert")
	if s.has("tls_key") {
		keyAt = s.where("tls_key")
	} else {
		keyPath = certPath
	}
	if certPath == "" || keyPath == "" || l.env.NoSecrets {
		src.certificate = certPath
		return
	}
	certificate, ok1 := l.readPEM(certPath, s.where("tls_cert"))
	key, ok2 := certificate, ok1
	if keyPath != certPath {
		key, ok2 = l.readPEM(keyPath, keyAt)
	}
	if !ok1 || !ok2 {
		return
	}
	if info, err := l.env.Stat(l.resolve(keyPath)); err == nil && readableByOthers(info) {
		l.warn("the key %s can be read by others; mend it with: chmod 600 %s", strconv.Quote(keyPath), shellWord(l.resolve(keyPath)))
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil { // its text holds nothing of the key
		l.add(keyAt, "Wrong certificate", "%s. The files are PEM, the key is not encrypted and belongs to the certificate.", strings.TrimSuffix(sentence(err), "."))
		return
	}
	src.certificate = certPath
	src.tls.Certificates = []tls.Certificate{pair}
}

func (l *loader) readPEM(path string, at hcl.Range) ([]byte, bool) {
	data, err := l.env.ReadFile(l.resolve(path))
	if err != nil {
		l.add(at, "Unreadable certificate", "%v.", err)
	}
	return data, err == nil
}

// policy says by which mechanisms the source's accounts may log in: the job's
// word comes before what the preset knows.
func (src *source) policy() auth.Policy {
	p := auth.Policy{Mechanisms: src.auth, Cleartext: src.cleartext}
	if len(src.auth) == 0 {
		p.Mechanisms = src.presetMechanisms()
	}
	return p
}

// passwordless tells whether an account needs no password.
func (src *source) passwordless() bool {
	return src.certificate != "" || src.kerberos != nil && !src.kerberos.own
}

// credentials are what an account proves itself with.
func (src *source) credentials(e *entry) auth.Credentials {
	c := auth.Credentials{User: e.login, Identity: e.identity, Token: e.tokens, Certificate: src.certificate != ""}
	if src.kerberos != nil {
		c.Kerberos = gssapi(e)
	}
	if e.password != nil && !src.ownTickets() {
		c.Password = e.password.get
	}
	return c
}

// evalIdentity fills in the authorization identity of an account.
func (l *loader) evalIdentity(src *source, r *row, e *entry) bool {
	if src.identity == nil {
		return true
	}
	identity, ok := src.identity.eval(l, r, (*row).plain)
	if ok && (identity == "" || hasControl(identity)) {
		l.add(src.identity.expr.Range(), "Wrong identity", "The identity of the account at %s is empty or contains control characters.", r.where())
	}
	e.identity = identity
	return ok
}

// describeLogins writes how the accounts log in, with the mechanisms that may be
// tried in their order.
func (src *source) describeLogins(d *describer) {
	account := &entry{password: literal("")}
	if src.oauth != nil {
		account = &entry{tokens: &accountTokens{}}
	}
	effective := src.credentials(account)
	if src.identity != nil {
		effective.Identity = "somebody"
	}
	if src.kind == "kpop" {
		d.pair(2, "auth", "kpop")
		return
	}
	names := strings.ToLower(strings.Join(auth.Allowed(effective, src.policy(), src.mode != migrate.TLSNone), ", "))
	if names == "" {
		names = "nothing that this source allows"
	}
	if len(src.policy().Mechanisms) == 0 {
		names = "auto: " + names
	}
	d.pair(2, "auth", names)
	if src.cleartext {
		d.pair(2, "allow_cleartext", "true: without TLS secrets are shown to listeners")
	}
	if src.identity != nil {
		d.pair(2, "identity", src.identity.text)
	}
	if src.certificate != "" {
		d.pair(2, "tls_cert", src.certificate)
	}
	if src.utf8 != migrate.UTF8Auto {
		d.pair(2, "utf8", wordFor(utf8Words, src.utf8))
	}
}

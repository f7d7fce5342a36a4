package jobs

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/internal/profiles"
	"popmigrate/migrate"
	"popmigrate/pop3"
)

// source is where maildrops are. It is broken where a problem was recorded
// that makes accounts on it pointless to look at.
type source struct {
	kind, name string
	at         hcl.Range
	broken     bool

	server string // host:port, "" where each account names its own
	mode   migrate.TLSMode
	tls    *tls.Config
	trust  string // what tls verifies against, for display
	minTLS string
	logins
	login      *template // nil means the account's user
	password   *secret   // one for all accounts; nil means each has its own
	pipelining pop3.Pipelining
	timeouts   pop3.Timeouts

	profile   *profiles.Profile // what the preset names
	profiles  *profiles.Set     // of the job; nil where nothing is to be recognised
	retrHides bool              // fetching may hide or delete
	oauth     *tokens           // nil: the source logs in without tokens
	kerberos  *kerberosLogin    // nil without a kerberos block

	demo *demoServer
}

// sources reads the source blocks of a job.
func (l *loader) sources(job *section, list *list) []*source {
	var all []*source
	for _, block := range job.blocks.OfType("source") {
		src := l.source(block, list)
		if len(all) > 0 && src.name == "" {
			l.add(src.at, "Unnamed source", "Each source but the first needs a name, which accounts then choose.")
		}
		for _, other := range all {
			if other.name == src.name && src.name != "" {
				l.add(src.at, "Two sources of one name", "The source at line %d has the name %q too.", other.at.Start.Line, src.name)
				break
			}
		}
		all = append(all, src)
	}
	if len(all) == 0 {
		l.add(job.at, "Missing source", `A job needs a source block, such as source "pop3" { server = "pop.example.net" }.`)
	}
	return all
}

func (l *loader) source(block *hcl.Block, list *list) *source {
	src := &source{kind: block.Labels[0], at: block.DefRange}
	before := l.Len()
	switch src.kind {
	case "pop3":
		l.pop3Source(src, l.section(block, pop3Schema), list)
	case "demo":
		s := l.section(block, demoSchema)
		src.name, src.pipelining = s.text("name"), word(s, "pipelining", pipeliningWords)
		src.server, src.minTLS, src.trust = demoAddress, "1.2", "the demo server"
		src.demo = new(demoServer)
	case "kpop":
		l.kpopSource(src, l.section(block, kpopSchema), list)
	case "pop2":
		l.add(src.at, "Not supported yet", "Sources of kind %q are not supported yet by this version.", src.kind)
		src.name = blockName(block)
	default:
		l.add(src.at, "Unknown source", `A source is "pop3", "kpop" or "demo".`)
		src.name = blockName(block)
	}
	src.broken = l.Len() > before
	return src
}

// blockName returns the name attribute of a block that is not read any further.
func blockName(block *hcl.Block) string {
	content, _, _ := block.Body.PartialContent(&hcl.BodySchema{Attributes: attributes("name")})
	if attr := content.Attributes["name"]; attr != nil {
		if value, diags := attr.Expr.Value(nil); !diags.HasErrors() && isString(value) {
			return value.AsString()
		}
	}
	return ""
}

func (l *loader) pop3Source(src *source, s *section, list *list) {
	src.name = s.text("name")
	src.mode = word(s, "tls", tlsWords)
	l.preset(src, s)
	l.server(src, s)
	if src.mode == migrate.TLSNone && !s.flag("allow_cleartext") {
		l.add(s.where("tls"), "Clear text", "Without TLS everyone on the way can read the passwords and the mail. If that is truly wanted, say allow_cleartext = true as well.")
	}
	l.trust(src, s)
	l.logins(src, s, list)
	src.kerberos = l.kerberos(s, list)
	l.checkKerberos(src, s)
	src.login = s.template("login", list)
	src.password = s.secret("password")
	l.oauth2(src, s, list)
	src.profiles, src.retrHides = l.profiles, s.flag("allow_retr_hides")
	l.knownProvider(src, s)
	src.pipelining = word(s, "pipelining", pipeliningWords)
	src.timeouts = s.timeouts()
}

// timeouts reads the block of that name.
func (s *section) timeouts() pop3.Timeouts {
	t := s.one("timeouts", timeoutsSchema)
	if t == nil {
		return pop3.Timeouts{}
	}
	return pop3.Timeouts{
		Dial: t.duration("dial", 0), TLS: t.duration("tls", 0), Greeting: t.duration("greeting", 0), Command: t.duration("command", 0),
		Login: t.duration("login", 0), Data: t.duration("data", 0), Top: t.duration("top", 0), Quit: t.duration("quit", 0),
	}
}

// server reads where the source is: host, host:port, or a POP URL, which also
// says how TLS begins unless the attribute tls does.
func (l *loader) server(src *source, s *section) {
	if !s.has("server") {
		return
	}
	text := s.required("server")
	if text == "" {
		return
	}
	if !strings.Contains(text, "://") {
		server, err := src.serverOf(text)
		if err != nil {
			l.add(s.where("server"), "Wrong server", "%s", sentence(err))
		}
		src.server = server
		return
	}
	u, err := parseURL(text)
	switch {
	case err != nil:
		l.add(s.where("server"), "Wrong server", "%s", sentence(err))
		return
	case u.User != "":
		l.add(s.where("server"), "User in a source", "Here a URL names the server only; users stand in account blocks or in the account list.")
		return
	case u.KPOP != (src.kind == "kpop"):
		l.add(s.where("server"), "Wrong server", `kpop:// stands in a source "kpop", and pop:// and pops:// in a source "pop3".`)
		return
	case src.kind == "kpop":
		src.server = u.Server()
		return
	case !s.has("tls"):
		src.mode = u.TLS
	case !u.explicitPort && src.mode != u.TLS && strings.HasPrefix(strings.ToLower(text), "pops:"):
		l.add(s.where("tls"), "Contradiction", "pops:// means tls = \"implicit\".")
	}
	if !u.explicitPort {
		u.Port = defaultPort(src.mode)
	}
	src.server = u.Server()
}

// serverOf returns host:port for a server as an account or a source names it.
func (src *source) serverOf(text string) (string, error) {
	if strings.Contains(text, "://") {
		return "", errors.New("expected host or host:port; a URL may stand in a source block only")
	}
	host, port, err := parseServer(text)
	if err != nil {
		return "", err
	}
	if port == "" {
		port = src.defaultPort()
	}
	return joinServer(host, port), nil
}

func (src *source) defaultPort() string {
	if src.kind == "kpop" {
		return kpopPort
	}
	return defaultPort(src.mode)
}

// trust builds the TLS configuration.
func (l *loader) trust(src *source, s *section) {
	version := word(s, "tls_min", tlsMinWords)
	src.minTLS = wordFor(tlsMinWords, version)
	src.tls = &tls.Config{MinVersion: version, ServerName: s.text("tls_server_name"), ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	if version < tls.VersionTLS12 {
		src.tls.CipherSuites = oldSuites()
	}
	src.trust = "the system's authorities"
	if s.has("tls_ca") && s.has("tls_pin") {
		l.add(s.where("tls_pin"), "Contradiction", "tls_pin accepts one certificate whoever signed it; tls_ca would mean nothing beside it.")
		return
	}
	if path := s.text("tls_ca"); path != "" {
		src.tls.RootCAs = l.authorities(path, s.where("tls_ca"))
		src.trust = path
	}
	if text := s.text("tls_pin"); s.has("tls_pin") {
		pin, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(pin) != sha256.Size {
			l.add(s.where("tls_pin"), "Wrong pin", "tls_pin is the SHA-256 of the server's certificate (DER): 64 hexadecimal digits.")
			return
		}
		src.trust = "the pinned certificate " + hex.EncodeToString(pin[:4]) + "…"
		pinCertificate(src.tls, pin)
	}
}

// pinCertificate makes config accept the certificate of one digest and no
// other, whoever signed it and whatever name it is for.
func pinCertificate(config *tls.Config, pin []byte) {
	config.InsecureSkipVerify = true // replaced by the comparison below, which runs on resumption too
	config.VerifyConnection = func(state tls.ConnectionState) error {
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		if subtle.ConstantTimeCompare(sum[:], pin) != 1 {
			return &tls.CertificateVerificationError{
				UnverifiedCertificates: state.PeerCertificates,
				Err:                    errors.New("it is not the pinned one; its SHA-256 is " + hex.EncodeToString(sum[:])),
			}
		}
		return nil
	}
}

// oldSuites are the cipher suites for servers that speak nothing newer than
// TLS 1.1; those have RSA key exchange only, which Go leaves out by default.
func oldSuites() []uint16 {
	var ids []uint16
	for _, suite := range tls.CipherSuites() {
		ids = append(ids, suite.ID)
	}
	return append(ids, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA)
}

// authorities reads certificates in PEM.
func (l *loader) authorities(path string, at hcl.Range) *x509.CertPool {
	data, err := l.env.ReadFile(l.resolve(path))
	if err != nil {
		l.add(at, "Unreadable certificates", "%v.", err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		l.add(at, "No certificates", "The file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).")
		return nil
	}
	return pool
}

// connector returns what opens sessions on one maildrop.
func (src *source) connector(server string, e *entry) migrate.Connector {
	pop := &migrate.POP3Source{
		Server:     server,
		TLS:        src.mode,
		TLSConfig:  src.tls,
		Login:      src.credentials(e),
		Policy:     src.policy(),
		UTF8:       src.utf8,
		Pipelining: src.pipelining,
		Timeouts:   src.timeouts,

		Profiles:       src.profiles,
		Preset:         src.tuning(),
		AllowRetrHides: src.retrHides,
	}
	if src.kind == "kpop" {
		overKPOP(pop, e)
	}
	if src.demo != nil {
		return &demoConnector{src.demo, pop}
	}
	return pop
}

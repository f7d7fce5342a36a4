package jobs

import (
	"context"
	"crypto/tls"
	"strings"

	"popmigrate/migrate"
	"popmigrate/sinks"
)

// deliverSink reads an smtp or lmtp block.
func (l *loader) deliverSink(sk *sink, s *section, list *list) {
	config := sinks.SMTP{Protocol: sk.kind, Network: "tcp"}
	local := l.deliverServer(sk, s, &config)
	l.deliverTLS(sk, s, &config, local)
	sk.delivers, sk.envelope = true, s.flag("envelope")
	sk.recipient = s.template("recipient", list)
	switch {
	case sk.envelope && (s.has("recipient") || s.has("mail_from")):
		l.add(s.where("envelope"), "Contradiction", "With envelope = true each message goes to its own recipient, from its own sender. Leave recipient and mail_from out.")
	case !sk.envelope && sk.recipient == nil:
		l.add(s.at, "Missing recipient", "This block needs the attribute recipient, such as recipient = account.target.")
	}
	if sk.envelope || word(s, "mail_from", mailFromWords) {
		config.Sender = sinks.ReturnPathSender
	}
	sk.detail("sender", "%s", wordFor(mailFromWords, config.Sender == sinks.ReturnPathSender))
	l.deliverLogin(sk, s, &config, local)
	sk.spec = func(string) migrate.SinkSpec {
		return migrate.SinkSpec{Open: func(ctx context.Context, o sinks.Opening) (sinks.Sink, error) {
			return sinks.OpenSMTP(ctx, config, o)
		}}
	}
}

// deliverServer reads where the server is. It tells whether that is this machine.
func (l *loader) deliverServer(sk *sink, s *section, config *sinks.SMTP) (local bool) {
	text := s.required("server")
	if text == "" {
		return false
	}
	sk.detail("server", "%s", text)
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if sk.kind != "lmtp" || path == "" {
			l.add(s.where("server"), "Wrong server", "Sockets are for lmtp, as unix:/path.")
		}
		config.Network, config.Address = "unix", l.resolve(path)
		return true
	}
	host, port, err := parseServer(text)
	if err != nil || port == "" {
		l.add(s.where("server"), "Wrong server", `server is host:port, such as "mx.example.org:25", or for lmtp unix:/path.`)
		return false
	}
	config.Address = joinServer(host, port)
	return isLoopback(host)
}

func (l *loader) deliverTLS(sk *sink, s *section, config *sinks.SMTP, local bool) {
	mode := word(s, "tls", deliverTLSWords)
	if config.Network == "unix" {
		if s.has("tls") && mode != migrate.TLSNone {
			l.add(s.where("tls"), "TLS on a socket", "A unix socket needs no TLS.")
		}
		mode = migrate.TLSNone
	}
	config.TLS = map[migrate.TLSMode]sinks.SMTPTLS{
		migrate.TLSStart: sinks.SMTPStartTLS, migrate.TLSImplicit: sinks.SMTPImplicitTLS, migrate.TLSNone: sinks.SMTPNoTLS,
	}[mode]
	if mode == migrate.TLSNone && !local && !s.flag("allow_cleartext") {
		l.add(s.where("tls"), "Clear text", "Without TLS everyone on the way can read the mail. If that is truly wanted, say allow_cleartext = true as well.")
	}
	config.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	trust := "the system's authorities"
	if path := s.text("tls_ca"); path != "" {
		config.TLSConfig.RootCAs = l.authorities(path, s.where("tls_ca"))
		trust = path
	}
	if mode == migrate.TLSNone {
		sk.detail("tls", "none")
	} else {
		sk.detail("tls", "%s, trusting %s", wordFor(deliverTLSWords, mode), trust)
	}
}

func (l *loader) deliverLogin(sk *sink, s *section, config *sinks.SMTP, local bool) {
	config.User = s.text("user")
	password := s.secret("password")
	switch {
	case s.has("user") != s.has("password"):
		l.add(s.at, "Half a login", "user and password belong together.")
	case !s.has("user"):
		sk.detail("login", "none")
	case password != nil:
		if config.TLS == sinks.SMTPNoTLS && !local {
			l.add(s.where("password"), "Password in clear text", "A password is never sent over the network without TLS.")
		}
		config.Password = password.get
		sk.detail("login", "%s, password %s", config.User, password)
	}
}

package pop3test

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"strings"
)

// serveUser answers USER (RFC 1939 section 7), for unknown names too.
func (s *session) serveUser(r *reply, args string) error {
	if args == "" {
		return s.err(r, "name missing")
	}
	s.user = args
	return s.ok(r, "name noted")
}

// servePass answers PASS (RFC 1939 section 7); all behind the first blank is
// the password.
func (s *session) servePass(r *reply, args string) error {
	user := s.user
	s.user = ""
	if user == "" {
		return s.err(r, "USER first")
	}
	return s.login(r, user, func(secret string) bool { return equal(secret, args) })
}

// serveAPOP answers APOP (RFC 1939 section 7).
func (s *session) serveAPOP(r *reply, args string) error {
	user, proof, found := strings.Cut(args, " ")
	if !found {
		return s.err(r, "name and digest wanted")
	}
	return s.login(r, user, func(secret string) bool {
		sum := md5.Sum([]byte(s.timestamp + secret))
		return equal(hex.EncodeToString(sum[:]), proof)
	})
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// login opens a session on the maildrop of user if the credentials are right,
// no rule is against it and the maildrop is free.
func (s *session) login(r *reply, user string, right func(secret string) bool) error {
	s.name = user
	o := occasion{command: OnLogin, connection: s.number}
	m := s.server.Maildrop(user)
	switch {
	case m == nil:
		o.command = OnRefusal
	case !right(m.secret()):
		o.command = OnRefusal
	default:
		o.session = m.nextSession()
	}
	s.strikeAt(r, m, &o)
	if r.instead {
		s.server.record.refused(m)
		return s.instead(r)
	}
	if o.command == OnRefusal {
		s.server.record.refused(m)
		return s.turnAway(r, BadLogin)
	}
	number, messages, err := s.open(m)
	if err != nil {
		s.server.record.refused(m)
		return s.turnAway(r, err.Error())
	}
	s.maildrop, s.session = m, number
	s.show(r, messages)
	return s.ok(r, "maildrop locked and ready")
}

// show makes messages those of the session, as its view has them.
func (s *session) show(r *reply, messages []Message) {
	if r.view != nil {
		messages = r.view(messages)
	}
	s.messages = make([]listed, len(messages))
	for i := range messages {
		s.messages[i].Message = messages[i]
	}
}

// turnAway refuses a login.
func (s *session) turnAway(r *reply, reason string) error {
	if err := s.err(r, reason); err != nil || !s.server.config.RefusalEnds {
		return err
	}
	return errHangUp
}

// open locks the maildrop, for which it may wait.
func (s *session) open(m *Maildrop) (number int, messages []Message, err error) {
	number, messages, err = s.server.record.open(m)
	if err == nil || s.server.config.LockWait == 0 {
		return number, messages, err
	}
	ctx, cancel := context.WithTimeout(s.server.ctx, s.server.config.LockWait)
	defer cancel()
	s.server.Wait(ctx, func() bool {
		number, messages, err = s.server.record.open(m)
		return err == nil
	})
	return number, messages, err
}

// serveCapa answers CAPA (RFC 2449 section 5).
func (s *session) serveCapa(r *reply, _ string) error {
	return s.lines(r, "capability list follows", s.capabilities())
}

func (s *session) capabilities() []string {
	config, loggedIn := &s.server.config, s.maildrop != nil
	switch {
	case loggedIn && config.LoggedInCapabilities != nil:
		return config.LoggedInCapabilities
	case !loggedIn && config.Capabilities != nil:
		return config.Capabilities
	}
	lines := []string{"RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "IMPLEMENTATION pop3test"}
	add := func(command, line string) {
		if s.server.knows(command) {
			lines = append(lines, line)
		}
	}
	add("TOP", "TOP")
	add("UIDL", "UIDL")
	if !loggedIn {
		add("USER", "USER")
		if names := s.mechanisms(); len(names) > 0 {
			add("AUTH", "SASL "+strings.Join(names, " "))
		}
		if !s.secure {
			add("STLS", "STLS")
		}
	}
	return lines
}

// serveSTLS answers STLS (RFC 2595 section 4).
func (s *session) serveSTLS(r *reply, _ string) error {
	if s.secure {
		return s.err(r, "TLS is active")
	}
	s.upgrade = true
	return s.ok(r, "begin TLS negotiation")
}

// startTLS makes the connection a TLS connection. What was said in the clear
// is forgotten (RFC 2595 section 4).
func (s *session) startTLS() error {
	config, err := s.server.tlsConfig()
	if err != nil {
		return err
	}
	if err := s.out.w.Flush(); err != nil {
		return err
	}
	injected, _ := s.in.Peek(s.in.Buffered())
	if len(injected) > 0 {
		s.logInjected(string(injected))
	}
	conn := tls.Server(s.raw, config)
	if err := conn.Handshake(); err != nil {
		var notTLS tls.RecordHeaderError
		if errors.As(err, &notTLS) {
			s.logInjected(string(notTLS.RecordHeader[:]))
		}
		return err
	}
	s.conn, s.secure, s.user = conn, true, ""
	s.in = bufio.NewReaderSize(conn, maxLine)
	s.out.w.Reset(conn)
	return nil
}

// log records a command line, or where keyword is "" a SASL response.
func (s *session) log(keyword, text string) {
	if s.server.config.NoLog {
		return
	}
	if !s.server.config.LogSecrets {
		text = redact(keyword, text)
	}
	line := Line{Connection: s.number, Session: s.session, TLS: s.secure, Text: text}
	if s.maildrop != nil {
		line.User = s.maildrop.User
	}
	s.server.record.line(line)
}

// logInjected records octets that came where the TLS handshake was due.
func (s *session) logInjected(octets string) {
	s.server.record.line(Line{Connection: s.number, Injected: true, Text: octets})
}

// redact replaces what is secret in a command line by ***.
func redact(keyword, text string) string {
	const hidden = "***"
	keep := 0 // words that are not secret
	switch keyword {
	case "":
		if text == "*" {
			return text
		}
	case "PASS":
		keep = 1
	case "APOP", "AUTH":
		keep = 2
	default:
		return text
	}
	words := strings.SplitN(text, " ", keep+1)
	if len(words) <= keep {
		return text
	}
	words[keep] = hidden
	return strings.Join(words, " ")
}

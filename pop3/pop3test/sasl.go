package pop3test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// mechanism runs the server's side of a SASL exchange.
type mechanism func(x *saslExchange) (outcome, error)

// outcome is what an exchange came to.
type outcome struct {
	user     string // who proved himself, or did not
	identity string // whose maildrop is wanted; "" means the user's own
	right    bool
}

// saslMechanisms are those that the server has, by name.
var saslMechanisms map[string]mechanism

func init() { // not a literal: the mechanisms look each other up
	saslMechanisms = map[string]mechanism{
		"PLAIN":              servePlain,
		"LOGIN":              serveLogin,
		"CRAM-MD5":           serveCRAM,
		"DIGEST-MD5":         serveDigest,
		"NTLM":               serveNTLM,
		"SCRAM-SHA-1":        scramSHA1.serve,
		"SCRAM-SHA-256":      scramSHA256.serve,
		"SCRAM-SHA-1-PLUS":   scramSHA1.servePlus,
		"SCRAM-SHA-256-PLUS": scramSHA256.servePlus,
		"EXTERNAL":           serveExternal,
		"OAUTHBEARER":        serveOAuthBearer,
		"XOAUTH2":            serveXOAUTH2,
	}
}

// Mechanisms returns the names of all SASL mechanisms that a server can have,
// in alphabetical order. Of OAUTHBEARER and XOAUTH2 the token is the password.
func Mechanisms() []string {
	var names []string
	for name := range saslMechanisms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// mechanisms returns the names that are listed on the session's connection.
func (s *session) mechanisms() []string {
	if s.server.config.Mechanisms == nil {
		return []string{"PLAIN"}
	}
	return slices.DeleteFunc(slices.Clone(s.server.config.Mechanisms), func(name string) bool {
		return !s.secure && (strings.HasSuffix(name, "-PLUS") || name == "EXTERNAL")
	})
}

// What ends an exchange before it came to anything.
var (
	errCancelled = errors.New("[AUTH] cancelled")
	errMalformed = errors.New("malformed response")
	errReplaced  = errors.New("a rule has had the last word")
)

// serveAuth answers AUTH (RFC 5034), with and without an initial response, and
// the bare AUTH that lists mechanisms.
func (s *session) serveAuth(r *reply, args string) error {
	name, initial, hasInitial := strings.Cut(args, " ")
	name = strings.ToUpper(name)
	if args == "" {
		s.keyword = "" // the phrase for AUTH is that of a login
		return s.lines(r, "mechanisms follow", s.mechanisms())
	}
	if !slices.Contains(s.mechanisms(), name) {
		return s.err(r, "unknown mechanism")
	}
	x := &saslExchange{s: s, r: r, hasInitial: hasInitial, initial: initial}
	came, err := saslMechanisms[name](x)
	for err == nil && r.again {
		_, err = x.ask(nil)
	}
	switch {
	case errors.Is(err, errReplaced):
		return nil
	case errors.Is(err, errCancelled), errors.Is(err, errMalformed):
		return s.err(r, err.Error())
	case err != nil:
		return err
	}
	target := came.user
	if came.identity != "" && came.identity != came.user {
		if _, master := s.server.config.Masters[came.user]; master {
			target = came.identity
		} else {
			came.right = false
		}
	}
	return s.login(r, target, func(string) bool { return came.right })
}

// saslExchange is the talk of one AUTH command.
type saslExchange struct {
	s          *session
	r          *reply
	hasInitial bool
	initial    string
	asked      int
}

// first returns what a client says that speaks first: with the command, or in
// answer to an empty challenge.
func (x *saslExchange) first() ([]byte, error) {
	if !x.hasInitial {
		return x.ask(nil)
	}
	if x.initial == "=" {
		return nil, nil
	}
	return decode(x.initial)
}

// ask sends a challenge and returns the response.
func (x *saslExchange) ask(challenge []byte) ([]byte, error) {
	x.asked++
	line := "+ " + base64.StdEncoding.EncodeToString(challenge)
	if x.r.challenge != nil {
		line = x.r.challenge(x.asked, line)
	}
	if _, err := x.s.out.WriteString(line + "\r\n"); err != nil {
		return nil, err
	}
	if strings.HasPrefix(line, "+OK") || strings.HasPrefix(line, "-ERR") {
		return nil, errReplaced
	}
	response, err := x.s.readLine()
	if err != nil {
		return nil, err
	}
	response = strings.TrimSuffix(response, "\r\n")
	x.s.log("", response)
	if response == "*" {
		return nil, errCancelled
	}
	return decode(response)
}

func decode(response string) ([]byte, error) {
	octets, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		return nil, errMalformed
	}
	return octets, nil
}

// secret returns the password of a user or master, "" where there is none.
func (x *saslExchange) secret(user string) string {
	if m := x.s.server.Maildrop(user); m != nil {
		return m.secret()
	}
	return x.s.server.config.Masters[user]
}

// proves compares a password, or what takes its place, with the user's.
func (x *saslExchange) proves(user, secret string) bool {
	known := x.secret(user)
	return known != "" && equal(known, secret)
}

package auth

import (
	"context"
	"slices"
	"strings"

	"popmigrate/pop3"
)

// mechanism is one way to log in.
type mechanism struct {
	name    string
	proves  proof
	exposes exposure
	named   bool // never chosen unless the job names it
	sasl    bool // announced behind SASL
	carries bool // an authorization identity can be sent
	tls     bool // means nothing without TLS

	// log logs in with the secret, "" where the mechanism needs none. An
	// *unableError says that nothing was sent.
	log func(ctx context.Context, l *login, secret string) error
}

// proof is what an account proves itself with.
type proof int

const (
	password proof = iota
	token
	ticket
	certificate
)

// exposure is what a listener on an unencrypted connection gets.
type exposure int

const (
	nothing   exposure = iota
	guesses            // enough to try passwords on his own machine, fast
	theSecret          // what logs in anywhere
)

// mechanisms is every mechanism, strongest first on an encrypted connection.
// There the forms that show the password come before the old challenge
// mechanisms: those force the server to store passwords as they are, and
// protect nothing that TLS does not.
func mechanisms() []*mechanism {
	return []*mechanism{
		&gssapi, &external, &oauthBearer, &xoauth2,
		&scramSHA256Plus, &scramSHA1Plus, &scramSHA256, &scramSHA1,
		&plain, &loginMechanism, &user,
		&digestMD5, &cramMD5, &ntlm, &apop,
	}
}

// Names returns the names of all mechanisms, in upper case, strongest first.
func Names() []string {
	var names []string
	for _, m := range mechanisms() {
		names = append(names, m.name)
	}
	return names
}

// find returns the mechanism of a name, nil where there is none.
func find(name string) *mechanism {
	for _, m := range mechanisms() {
		if m.name == name {
			return m
		}
	}
	return nil
}

// order returns the mechanisms that the policy lets be tried, in order, and
// whether the server need not announce them.
func (l *login) order() (all []*mechanism, forced bool) {
	if list := l.policy.Mechanisms; len(list) > 0 {
		for _, name := range list {
			if m := find(name); m != nil {
				all = append(all, m)
			}
		}
		return all, len(list) == 1
	}
	all = slices.DeleteFunc(mechanisms(), func(m *mechanism) bool { return m.named })
	if !l.encrypted {
		slices.SortStableFunc(all, func(a, b *mechanism) int { return int(a.exposes - b.exposes) })
	}
	return all, false
}

// candidates returns the mechanisms to try, in order, and why those are not
// among them that might have been.
func (l *login) candidates() (usable []*mechanism, why []string) {
	all, forced := l.order()
	for _, m := range all {
		if !forced && !l.offers(m) {
			continue
		}
		if reason := l.against(m); reason != "" {
			why = append(why, m.name+" "+reason)
			continue
		}
		usable = append(usable, m)
	}
	return usable, why
}

// Allowed returns the names of the mechanisms that such an account may try on
// a server that offers all of them, in order.
func Allowed(credentials Credentials, policy Policy, encrypted bool) []string {
	l := &login{credentials: credentials, policy: policy, encrypted: encrypted}
	all, _ := l.order()
	var names []string
	for _, m := range all {
		if l.against(m) == "" {
			names = append(names, m.name)
		}
	}
	return names
}

// offers tells whether the server announces a mechanism, or may have it
// without a word.
func (l *login) offers(m *mechanism) bool {
	switch {
	case m == &apop:
		return l.client.Timestamp() != ""
	case m == &user:
		return l.offered.Has("USER") || len(announced(l.offered)) == 0 && !l.offered.Has("SASL")
	case l.offered == nil: // CAPA is not known there: a job's list is tried in order
		return len(l.policy.Mechanisms) > 0
	}
	return slices.Contains(announced(l.offered), m.name)
}

// announced returns the SASL mechanisms of a CAPA reply, in upper case, those
// in misspelt lines too.
func announced(offered *pop3.Capabilities) []string {
	if offered == nil {
		return nil
	}
	var names []string
	for _, word := range slices.Concat(offered.Args("SASL"), offered.Args("AUTH")) {
		names = append(names, strings.ToUpper(strings.TrimPrefix(word, "=")))
	}
	for _, line := range offered.Lines {
		line = strings.ToUpper(line)
		for _, tag := range []string{"AUTH=", "SASL="} {
			if rest, ok := strings.CutPrefix(line, tag); ok {
				names = append(names, strings.Fields(rest)...)
			}
		}
	}
	return names
}

// against returns why a mechanism cannot be used, "" where it can.
func (l *login) against(m *mechanism) string {
	c := &l.credentials
	switch {
	case m.proves == password && c.Password == nil:
		return "needs a password"
	case m.proves == token && c.Token == nil:
		return "needs an OAuth2 token"
	case m.proves == ticket && c.Kerberos == nil:
		return "needs a Kerberos ticket"
	case m.proves == certificate && !c.Certificate:
		return "needs a client certificate"
	case m.tls && !l.encrypted:
		return "needs TLS"
	case m.exposes != nothing && !l.encrypted && !l.policy.Cleartext:
		return clearText
	case c.Identity != "" && !m.carries:
		return "cannot carry an identity"
	}
	return ""
}

const clearText = "would show the secret to listeners, for the connection is not encrypted"

// unableError says that a mechanism cannot work with these credentials or this
// connection; nothing was sent.
type unableError struct{ why string }

func (e *unableError) Error() string { return e.why }

func asUnable(err error, unable **unableError) bool {
	e, ok := err.(*unableError)
	*unable = e
	return ok
}

// exchange is what all SASL mechanisms of this package have in common. It is
// the rest of a pop3.Mechanism.
type exchange struct {
	secret string
	said   string
}

func (x *exchange) Secrets() []string { return []string{x.secret} }
func (x *exchange) Said() string      { return x.said }
func (x *exchange) Verify() error     { return nil }

// sendable refuses what cannot stand between the separators of a mechanism's
// messages.
func sendable(separators string, values ...string) error {
	for _, value := range values {
		if strings.ContainsAny(value, separators) {
			return &unableError{"cannot carry a control character in a name or secret"}
		}
	}
	return nil
}

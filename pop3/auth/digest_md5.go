package auth

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// DIGEST-MD5 (RFC 2831, historic since RFC 6331): a challenge mechanism in
// which the server proves that it knows the password too. Only qop=auth: the
// mail is protected by TLS or not at all.
var digestMD5 = mechanism{name: "DIGEST-MD5", proves: password, exposes: guesses, sasl: true, carries: true,
	log: func(ctx context.Context, l *login, secret string) error {
		c := &l.credentials
		if err := sendable("\x00\r\n", c.Identity, c.User, secret); err != nil {
			return err
		}
		return l.client.Authenticate(ctx, &digestExchange{exchange: exchange{secret: secret},
			user: c.User, identity: c.Identity, uri: "pop/" + c.Host, cnonce: rand.Text()})
	}}

// digestExchange is a pop3.Mechanism.
type digestExchange struct {
	exchange
	user, identity, uri, cnonce string

	proof  string // what the server has to send
	proved bool
}

func (*digestExchange) Start() (string, []byte, error) { return "DIGEST-MD5", nil, nil }

func (x *digestExchange) Next(challenge []byte) ([]byte, error) {
	switch {
	case x.proved:
		return nil, errors.New("server goes on asking")
	case x.proof != "":
		return x.check(challenge)
	}
	return x.answer(challenge)
}

// Verify says whether the server's rspauth was seen and right.
func (x *digestExchange) Verify() error {
	if !x.proved {
		return ErrUnproven
	}
	return nil
}

// check compares the server's proof and acknowledges it by an empty response.
func (x *digestExchange) check(challenge []byte) ([]byte, error) {
	d, err := parseDirectives(string(challenge))
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(d.first("rspauth")), []byte(x.proof)) != 1 {
		return nil, ErrUnproven
	}
	x.proved = true
	return []byte{}, nil
}

// answer computes the digest-response (RFC 2831 section 2.1.2).
func (x *digestExchange) answer(challenge []byte) ([]byte, error) {
	d, err := parseDirectives(string(challenge))
	if err != nil {
		return nil, err
	}
	nonce := d.first("nonce")
	qop, algorithm := d.first("qop"), d.first("algorithm")
	switch {
	case nonce == "" || len(d["nonce"]) > 1:
		return nil, errors.New("DIGEST-MD5 challenge without one nonce")
	case !strings.EqualFold(algorithm, "md5-sess"):
		return nil, errors.New("DIGEST-MD5 challenge with an algorithm other than md5-sess")
	case len(d["qop"]) > 0 && !hasWord(qop, "auth"):
		return nil, errors.New("DIGEST-MD5 challenge wants more than authentication")
	}
	utf8 := strings.EqualFold(d.first("charset"), "utf-8")
	realm, hasRealm := d.first("realm"), len(d["realm"]) > 0
	user, fits1 := latin1(x.user)
	secret, fits2 := latin1(x.secret)
	if !utf8 && !(fits1 && fits2) {
		return nil, errors.New("DIGEST-MD5 of this server takes no characters outside ISO 8859-1")
	}
	hashedRealm := realm
	if utf8 {
		hashedRealm, _ = latin1(realm)
	}
	inner := md5.Sum([]byte(user + ":" + hashedRealm + ":" + secret))
	a1 := string(inner[:]) + ":" + nonce + ":" + x.cnonce
	if x.identity != "" {
		a1 += ":" + x.identity
	}
	const count = "00000001"
	digest := func(method string) string {
		return hexMD5(hexMD5(a1) + ":" + nonce + ":" + count + ":" + x.cnonce + ":auth:" + hexMD5(method+":"+x.uri))
	}
	x.proof = digest("")

	var b strings.Builder
	if utf8 {
		b.WriteString("charset=utf-8,")
		user = x.user
	}
	fmt.Fprintf(&b, "username=%s", quoteDirective(user))
	if hasRealm {
		fmt.Fprintf(&b, ",realm=%s", quoteDirective(realm))
	}
	fmt.Fprintf(&b, ",nonce=%s,nc=%s,cnonce=%s,digest-uri=%s,response=%s,qop=auth",
		quoteDirective(nonce), count, quoteDirective(x.cnonce), quoteDirective(x.uri), digest("AUTHENTICATE"))
	if x.identity != "" {
		fmt.Fprintf(&b, ",authzid=%s", quoteDirective(x.identity))
	}
	return []byte(b.String()), nil
}

func hexMD5(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// latin1 returns text in ISO 8859-1, which is what is hashed wherever it can
// be (RFC 2831 section 2.1.2.1); else as it is.
func latin1(text string) (octets string, fits bool) {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return text, false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}

// directives are the values of a DIGEST-MD5 challenge, by lower-case name.
type directives map[string][]string

func (d directives) first(name string) string {
	if len(d[name]) == 0 {
		return ""
	}
	return d[name][0]
}

// maxDirectives is more than any server sends.
const maxDirectives = 64

// parseDirectives reads name=value and name="quoted value", parted by commas
// (RFC 2831 section 7.1). Empty elements are allowed.
func parseDirectives(text string) (directives, error) {
	d := directives{}
	for count := 0; ; count++ {
		text = strings.TrimLeft(text, ", \t\r\n")
		if text == "" {
			return d, nil
		}
		name, rest, found := strings.Cut(text, "=")
		name = strings.ToLower(strings.TrimRight(name, " \t"))
		if !found || name == "" || strings.ContainsAny(name, "\", \t") || count >= maxDirectives {
			return nil, errors.New("DIGEST-MD5 challenge cannot be read")
		}
		value, rest, ok := directiveValue(strings.TrimLeft(rest, " \t"))
		if !ok {
			return nil, errors.New("DIGEST-MD5 challenge cannot be read")
		}
		d[name] = append(d[name], value)
		text = rest
	}
}

// directiveValue reads a token or a quoted string and what follows it, which
// is nothing or a comma.
func directiveValue(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexByte(text, ',')
		if end < 0 {
			end = len(text)
		}
		return strings.TrimRight(text[:end], " \t\r\n"), text[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if i++; i < len(text) {
				b.WriteByte(text[i])
			}
		case '"':
			rest = strings.TrimLeft(text[i+1:], " \t\r\n")
			return b.String(), rest, rest == "" || rest[0] == ','
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", false
}

func quoteDirective(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// hasWord tells whether a word stands in a list parted by commas.
func hasWord(list, word string) bool {
	for _, w := range strings.Split(list, ",") {
		if strings.EqualFold(strings.TrimSpace(w), word) {
			return true
		}
	}
	return false
}

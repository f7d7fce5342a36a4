package pop3test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"strings"
)

// servePlain is PLAIN (RFC 4616).
func servePlain(x *saslExchange) (outcome, error) {
	message, err := x.first()
	if err != nil {
		return outcome{}, err
	}
	parts := strings.Split(string(message), "\x00")
	if len(parts) != 3 {
		return outcome{}, errMalformed
	}
	return outcome{user: parts[1], identity: parts[0], right: x.proves(parts[1], parts[2])}, nil
}

// serveLogin is LOGIN (draft-murchison-sasl-login).
func serveLogin(x *saslExchange) (outcome, error) {
	user, err := x.ask([]byte("Username:"))
	if err != nil {
		return outcome{}, err
	}
	password, err := x.ask([]byte("Password:"))
	return outcome{user: string(user), right: x.proves(string(user), string(password))}, err
}

// serveCRAM is CRAM-MD5 (RFC 2195).
func serveCRAM(x *saslExchange) (outcome, error) {
	challenge := fmt.Sprintf("<%s@localhost>", rand.Text())
	response, err := x.ask([]byte(challenge))
	if err != nil {
		return outcome{}, err
	}
	at := bytes.LastIndexByte(response, ' ')
	if at < 0 {
		return outcome{}, errMalformed
	}
	user, digest := string(response[:at]), string(response[at+1:])
	return outcome{user: user, right: x.secret(user) != "" && equal(cramDigest(x.secret(user), challenge), digest)}, nil
}

func cramDigest(secret, challenge string) string {
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write([]byte(challenge))
	return hex.EncodeToString(mac.Sum(nil))
}

// serveExternal is EXTERNAL (RFC 4422 appendix A): the common name of the
// client certificate is the user.
func serveExternal(x *saslExchange) (outcome, error) {
	identity, err := x.first()
	if err != nil {
		return outcome{}, err
	}
	conn, ok := x.s.conn.(*tls.Conn)
	if !ok || len(conn.ConnectionState().PeerCertificates) == 0 {
		return outcome{user: string(identity)}, nil
	}
	user := conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	return outcome{user: user, identity: string(identity), right: true}, nil
}

// tokenRefused is what a client reads that sent a wrong token (RFC 7628
// section 3.2.2).
const tokenRefused = `{"status":"401","schemes":"bearer","scope":"mail"}`

// serveOAuthBearer is OAUTHBEARER (RFC 7628).
func serveOAuthBearer(x *saslExchange) (outcome, error) {
	message, err := x.first()
	if err != nil {
		return outcome{}, err
	}
	header, rest, _ := strings.Cut(string(message), "\x01")
	user, found := strings.CutPrefix(header, "n,a=")
	user, ended := strings.CutSuffix(user, ",")
	pairs, closed := strings.CutSuffix(rest, "\x01\x01")
	if !found || !ended || !closed {
		return outcome{}, errMalformed
	}
	token := ""
	for _, pair := range strings.Split(pairs, "\x01") {
		if value, ok := strings.CutPrefix(pair, "auth=Bearer "); ok {
			token = value
		}
	}
	user = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(user)
	return serveToken(x, user, token, "\x01")
}

// serveXOAUTH2 is XOAUTH2 (Google, Microsoft).
func serveXOAUTH2(x *saslExchange) (outcome, error) {
	message, err := x.first()
	if err != nil {
		return outcome{}, err
	}
	user, rest, _ := strings.Cut(string(message), "\x01")
	user, found := strings.CutPrefix(user, "user=")
	token, bearer := strings.CutPrefix(rest, "auth=Bearer ")
	token, closed := strings.CutSuffix(token, "\x01\x01")
	if !found || !bearer || !closed {
		return outcome{}, errMalformed
	}
	return serveToken(x, user, token, "")
}

// serveToken compares a token. To a wrong one it says so in a challenge, which
// the client has to acknowledge.
func serveToken(x *saslExchange, user, token, acknowledge string) (outcome, error) {
	if x.proves(user, token) {
		return outcome{user: user, right: true}, nil
	}
	response, err := x.ask([]byte(tokenRefused))
	if err == nil && string(response) != acknowledge {
		err = errMalformed
	}
	return outcome{user: user}, err
}

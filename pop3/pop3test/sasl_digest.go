package pop3test

import (
	"crypto/md5"
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
)

const digestRealm = "pop3test"

// digestPair is one name and value of a digest-response.
var digestPair = regexp.MustCompile(`([a-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^,"]*))(?:,|$)`)

// serveDigest is DIGEST-MD5 (RFC 2831).
func serveDigest(x *saslExchange) (outcome, error) {
	nonce := rand.Text()
	challenge := fmt.Sprintf(`realm="%s",nonce="%s",qop="auth",charset=utf-8,algorithm=md5-sess`, digestRealm, nonce)
	response, err := x.ask([]byte(challenge))
	if err != nil {
		return outcome{}, err
	}
	values := map[string]string{}
	for _, match := range digestPair.FindAllStringSubmatch(string(response), -1) {
		values[match[1]] = match[3]
		if match[3] == "" {
			values[match[1]] = regexp.MustCompile(`\\(.)`).ReplaceAllString(match[2], "$1")
		}
	}
	user := values["username"]
	came := outcome{user: user, identity: values["authzid"]}
	secret := x.secret(user)
	wrong := values["nonce"] != nonce || values["realm"] != digestRealm || values["nc"] != "00000001" ||
		values["qop"] != "auth" || !strings.HasPrefix(values["digest-uri"], "pop/") || values["cnonce"] == "" || secret == ""
	if wrong || !equal(digestResponse(values, secret, "AUTHENTICATE"), values["response"]) {
		return came, nil
	}
	came.right = true
	_, err = x.ask([]byte("rspauth=" + digestResponse(values, secret, "")))
	return came, err
}

// digestResponse computes response, or with no method rspauth (RFC 2831
// section 2.1.2.1).
func digestResponse(values map[string]string, secret, method string) string {
	urp := md5.Sum([]byte(narrow(values["username"]) + ":" + narrow(values["realm"]) + ":" + narrow(secret)))
	a1 := string(urp[:]) + ":" + values["nonce"] + ":" + values["cnonce"]
	if id := values["authzid"]; id != "" {
		a1 += ":" + id
	}
	h := func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	return h(strings.Join([]string{h(a1), values["nonce"], values["nc"], values["cnonce"], values["qop"], h(method + ":" + values["digest-uri"])}, ":"))
}

// narrow writes text in ISO 8859-1 if it can be.
func narrow(text string) string {
	var octets []byte
	for _, r := range text {
		if r > 0xff {
			return text
		}
		octets = append(octets, byte(r))
	}
	return string(octets)
}

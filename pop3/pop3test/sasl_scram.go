package pop3test

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
)

// scramHash is SCRAM (RFC 5802) with one hash function.
type scramHash struct {
	name string
	hash func() hash.Hash
}

var (
	scramSHA1   = scramHash{"SCRAM-SHA-1", sha1.New}
	scramSHA256 = scramHash{"SCRAM-SHA-256", sha256.New}
)

const scramIterations = 4096

func (h scramHash) serve(x *saslExchange) (outcome, error)     { return h.run(x, false) }
func (h scramHash) servePlus(x *saslExchange) (outcome, error) { return h.run(x, true) }

func (h scramHash) run(x *saslExchange, plus bool) (outcome, error) {
	first, err := x.first()
	if err != nil {
		return outcome{}, err
	}
	flag, rest, _ := strings.Cut(string(first), ",")
	authzid, bare, found := strings.Cut(rest, ",")
	fields := scramFields(bare)
	user, nonce := scramName(fields["n"]), fields["r"]
	if !found || nonce == "" || !strings.HasPrefix(bare, "n=") {
		return outcome{}, errMalformed
	}
	came := outcome{user: user, identity: scramName(strings.TrimPrefix(authzid, "a="))}
	if !x.bindingFits(flag, h.name, plus) {
		return came, nil
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	nonce += rand.Text()
	serverFirst := fmt.Sprintf("r=%s,s=%s,i=%d", nonce, base64.StdEncoding.EncodeToString(salt), scramIterations)
	final, err := x.ask([]byte(serverFirst))
	if err != nil {
		return came, err
	}
	without, proof64, found := strings.Cut(string(final), ",p=")
	proof, err := base64.StdEncoding.DecodeString(proof64)
	fields = scramFields(without)
	bound, err2 := base64.StdEncoding.DecodeString(fields["c"])
	if !found || err != nil || err2 != nil {
		return came, errMalformed
	}
	header := flag + "," + authzid + ","
	want := append([]byte(header), x.binding(flag)...)
	signature, right := h.check(x.secret(user), salt, scramIterations, bare+","+serverFirst+","+without, proof)
	came.right = right && fields["r"] == nonce && bytes.Equal(bound, want) && x.secret(user) != ""
	if !came.right {
		return came, nil
	}
	_, err = x.ask([]byte("v=" + base64.StdEncoding.EncodeToString(signature)))
	return came, err
}

// check compares the client's proof and computes the server's signature (RFC
// 5802 section 3).
func (h scramHash) check(secret string, salt []byte, iterations int, authMessage string, proof []byte) (signature []byte, right bool) {
	salted, err := pbkdf2.Key(h.hash, secret, salt, iterations, h.hash().Size())
	if err != nil || len(proof) != len(salted) {
		return nil, false
	}
	mac := func(key []byte, text string) []byte {
		m := hmac.New(h.hash, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	sum := func(octets []byte) []byte {
		d := h.hash()
		d.Write(octets)
		return d.Sum(nil)
	}
	stored := sum(mac(salted, "Client Key"))
	clientKey := mac(stored, authMessage)
	for i := range clientKey {
		clientKey[i] ^= proof[i]
	}
	return mac(mac(salted, "Server Key"), authMessage), hmac.Equal(sum(clientKey), stored)
}

// bindingFits judges the client's channel binding flag (RFC 5802 section 6): a
// client that could have used -PLUS, and believes that it is not offered while
// it is, talks to somebody in between.
func (x *saslExchange) bindingFits(flag, name string, plus bool) bool {
	switch {
	case plus:
		return strings.HasPrefix(flag, "p=") && x.binding(flag) != nil
	case flag == "n":
		return true
	case flag == "y":
		for _, offered := range x.s.mechanisms() {
			if offered == name+"-PLUS" {
				return false
			}
		}
		return true
	}
	return false
}

// binding returns the channel binding that a flag asks for, nil where it is
// not one for this connection.
func (x *saslExchange) binding(flag string) []byte {
	conn, ok := x.s.conn.(*tls.Conn)
	if !ok {
		return nil
	}
	state := conn.ConnectionState()
	switch {
	case flag == "p=tls-exporter" && state.Version >= tls.VersionTLS13:
		octets, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
		if err != nil {
			return nil
		}
		return octets
	case flag == "p=tls-unique" && state.Version < tls.VersionTLS13:
		return state.TLSUnique
	}
	return nil
}

func scramFields(text string) map[string]string {
	fields := map[string]string{}
	for _, field := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(field, "=")
		fields[name] = value
	}
	return fields
}

func scramName(name string) string {
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name)
}

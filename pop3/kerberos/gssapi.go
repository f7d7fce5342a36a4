package kerberos

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-sasl"

	"github.com/jcmturner/gokrb5/v8/types"
)

// GSSAPI returns the client's side of the SASL mechanism GSSAPI (RFC 4752) with
// the service on host, for one login. identity is the mailbox to open, where it
// is not the principal's own; "" leaves the choice to the server. The server has
// to prove its identity; no security layer is used, so that without TLS the mail
// travels in clear text.
//
// The mechanism is a pop3.Mechanism: its Verify tells, after the server said that
// the login succeeded, whether the exchange was complete, for a server may say
// so without any proof.
func (c *Client) GSSAPI(ctx context.Context, host, identity string) (sasl.Client, error) {
	t, err := c.ticket(ctx, host)
	if err != nil {
		return nil, err
	}
	if !isAES(t.key.KeyType) {
		return nil, fail(KindLocal, "begin GSSAPI", "have the service given an AES key, and permit AES in krb5.conf",
			"the session key for %s is of type %s, and only AES is supported here", t.service, enctypeName(t.key.KeyType))
	}
	return &mechanism{c: c, ticket: t, identity: identity}, nil
}

// mechanism implements pop3.Mechanism.
type mechanism struct {
	c        *Client
	ticket   *ticket
	identity string

	proof    *proof
	step     step
	key      wrapKey
	sequence uint64 // the acceptor's next
}

type step int

const (
	stepStart step = iota
	stepProof      // the server's AP_REP is to come
	stepOffer      // its security layers are to come
	stepDone
)

// Start returns the AP_REQ as the initial response.
func (m *mechanism) Start() (name string, initial []byte, err error) {
	m.proof, err = m.c.newProof(m.ticket, true)
	if err != nil {
		return "GSSAPI", nil, &Error{Op: "make proof of identity", Err: err, Kind: KindLocal}
	}
	m.step = stepProof
	return "GSSAPI", wrapContextToken(tokenAPReq, m.proof.octets), nil
}

// Next answers a challenge.
func (m *mechanism) Next(challenge []byte) ([]byte, error) {
	switch m.step {
	case stepProof:
		return m.checkProof(challenge)
	case stepOffer:
		return m.choose(challenge)
	}
	return nil, fail(KindServer, "log in by GSSAPI", "", "the server goes on asking after the last step")
}

// Verify returns an error unless the server proved its identity and the exchange
// came to its end.
func (m *mechanism) Verify() error {
	if m.step == stepDone {
		return nil
	}
	if m.proof == nil || m.step == stepStart {
		return fail(KindServer, "log in by GSSAPI", "", "the exchange has not begun")
	}
	if m.step == stepProof {
		return m.proof.unproven(errors.New("it says that the login succeeded, and sent no proof"))
	}
	return fail(KindServer, "log in by GSSAPI", "", "the server ends the exchange before its last step")
}

// Secrets returns nothing: what is sent is of no use to others.
func (m *mechanism) Secrets() []string { return nil }

// Said returns nothing: what the server says in the exchange comes as an error.
func (m *mechanism) Said() string { return "" }

// checkProof checks the server's proof. The answer is empty: it asks for the offer.
func (m *mechanism) checkProof(challenge []byte) ([]byte, error) {
	id, message, err := openContextToken(challenge)
	switch {
	case err != nil:
		return nil, m.proof.unproven(fmt.Errorf("it sends %w", err))
	case id == tokenError:
		return nil, m.proof.explain(message)
	case id != tokenAPRep:
		return nil, m.proof.unproven(errNoAPRep)
	}
	part, err := m.proof.verify(message)
	if err != nil {
		return nil, m.proof.unproven(err)
	}
	m.key = wrapKey{key: m.proof.authenticator.SubKey}
	if part.Subkey.KeyType != 0 {
		if err := usable(part.Subkey); err != nil {
			return nil, fail(KindServer, "log in by GSSAPI", "", "%w", err)
		}
		m.key = wrapKey{key: part.Subkey, acceptor: true}
	}
	m.sequence = uint64(uint32(part.SequenceNumber)) // some write it as a negative number
	m.step = stepOffer
	return []byte{}, nil
}

// usable tells whether the server's subkey is one that can be worked with.
func usable(key types.EncryptionKey) error {
	if !isAES(key.KeyType) {
		return fmt.Errorf("the server's subkey is of type %s, and only AES is supported", enctypeName(key.KeyType))
	}
	return nil
}

// layerNone is the bit for no security layer (RFC 4752 section 3.3).
const layerNone = 1

// choose reads which security layers the server offers and answers: none, and
// the mailbox to open.
func (m *mechanism) choose(challenge []byte) ([]byte, error) {
	const op = "agree on security layer"
	offer, err := m.key.unwrap(challenge, m.sequence)
	if err != nil {
		return nil, fail(KindServer, op, "", "the server's offer is not genuine: %w", err)
	}
	if len(offer) != 4 {
		return nil, fail(KindServer, op, "", "the server's offer has %d octets instead of 4", len(offer))
	}
	if offer[0]&layerNone == 0 {
		return nil, fail(KindServer, op, "use TLS, and have the server allow GSSAPI without a layer below TLS (Cyrus: sasl_minimum_layer)",
			"the server insists on a security layer of its own, which is not supported")
	}
	answer, err := m.key.wrap(append([]byte{layerNone, 0, 0, 0}, m.identity...), uint64(m.proof.authenticator.SeqNumber))
	if err != nil {
		return nil, &Error{Op: op, Err: err, Kind: KindLocal}
	}
	m.step = stepDone
	return answer, nil
}

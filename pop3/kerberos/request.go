package kerberos

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// proof is one proof of identity to a service and back: an AP_REQ that asks
// for mutual authentication, and the AP_REP that has to come (RFC 4120
// sections 3.2 and 5.5). Each is for one connection: services refuse the same
// authenticator twice.
type proof struct {
	c             *Client
	ticket        *ticket
	authenticator types.Authenticator
	octets        []byte // the AP_REQ
}

// newProof makes an AP_REQ. forGSS adds what RFC 4121 section 4.1.1 wants: the
// context flags in place of a checksum, a subkey and a sequence number.
func (c *Client) newProof(t *ticket, forGSS bool) (p *proof, err error) {
	defer rescue(&err)
	now := c.now().UTC()
	p = &proof{c: c, ticket: t}
	p.authenticator = types.Authenticator{
		AVNO: iana.PVNO, CRealm: t.client.realm, CName: t.client.wire(),
		CTime: now.Truncate(time.Second), Cusec: now.Nanosecond() / 1000, // the wire has whole seconds
	}
	if forGSS {
		p.addContext()
	}
	request, err := messages.NewAPReq(t.ticket, t.key, p.authenticator)
	if err != nil {
		return nil, err
	}
	types.SetFlag(&request.APOptions, flags.APOptionMutualRequired)
	p.octets, err = request.Marshal()
	return p, err
}

// What the authenticator of a GSS context holds (RFC 4121 section 4.1.1).
const (
	gssChecksum  = 0x8003
	gssMutual    = 2
	gssReplay    = 4
	gssSequence  = 8
	gssIntegrity = 32
)

func (p *proof) addContext() {
	checksum := make([]byte, 24)
	binary.LittleEndian.PutUint32(checksum, 16) // octets of channel bindings, all zero: none
	binary.LittleEndian.PutUint32(checksum[20:], gssMutual|gssReplay|gssSequence|gssIntegrity)
	p.authenticator.Cksum = types.Checksum{CksumType: gssChecksum, Checksum: checksum}
	// As long as the session's key: the library is wrong about the length of
	// aes256-cts-hmac-sha384-192.
	subkey := make([]byte, len(p.ticket.key.KeyValue))
	rand.Read(subkey) // never fails
	p.authenticator.SubKey = types.EncryptionKey{KeyType: p.ticket.key.KeyType, KeyValue: subkey}
	var random [4]byte
	rand.Read(random[:])
	// Of 30 bits and never 0: old servers mistake larger ones for negative
	// numbers, and 0 for an absent one.
	p.authenticator.SeqNumber = int64(binary.BigEndian.Uint32(random[:])>>2 | 1)
}

var (
	errNoAPRep    = errors.New("what it sent as its proof is no AP_REP")
	errFakeAPRep  = errors.New("its proof is not under the key of the service")
	errOtherAPRep = errors.New("its proof answers another request")
)

// verify checks an AP_REP: only who has the key of the service could read the
// authenticator, and give its time back under the key of the session.
func (p *proof) verify(octets []byte) (part messages.EncAPRepPart, err error) {
	defer func() {
		if recover() != nil {
			err = errNoAPRep
		}
	}()
	var reply messages.APRep
	if len(octets) == 0 || octets[0] != tagAPRep || reply.Unmarshal(octets) != nil {
		return part, errNoAPRep
	}
	plain, err := crypto.DecryptEncPart(reply.EncPart, p.ticket.key, keyusage.AP_REP_ENCPART)
	if err != nil {
		return part, errFakeAPRep
	}
	if part.Unmarshal(plain) != nil {
		return part, errFakeAPRep
	}
	var sent, came [16]byte
	binary.BigEndian.PutUint64(sent[:], uint64(p.authenticator.CTime.Unix()))
	binary.BigEndian.PutUint64(sent[8:], uint64(p.authenticator.Cusec))
	binary.BigEndian.PutUint64(came[:], uint64(part.CTime.Unix()))
	binary.BigEndian.PutUint64(came[8:], uint64(part.Cusec))
	if subtle.ConstantTimeCompare(sent[:], came[:]) != 1 {
		return part, errOtherAPRep
	}
	return part, nil
}

const tagAPRep = 0x6f // the first octet of an AP_REP: APPLICATION 15

// unproven is the error of a server that does not prove who it is.
func (p *proof) unproven(err error) error {
	return fail(KindServer, "verify the server's identity",
		"this is not the server that the KDC knows, or someone is in between: nothing was sent to it. Check server, service and service_host",
		"the server does not prove that it is %s: %w", p.ticket.service, err)
}

// explain says what the KRB_ERROR means that a server answered an AP_REQ with.
func (p *proof) explain(octets []byte) error {
	const op = "show ticket to server"
	refused, err := parseRefusal(octets)
	if err != nil {
		return fail(KindServer, op, "", "the server refuses it, and %w", err)
	}
	e := &Error{Op: op, Err: fmt.Errorf("the server refuses it: %w", refused), Kind: KindCredential}
	t := p.ticket
	switch refused.code {
	case errNotForUs, errBadIntegrity, errModified, errBadKeyVersion, errNoServiceKey:
		e.Remedy = fmt.Sprintf("the server's keytab has another key for %s than the KDC: the ticket is for key version %d, type %s. "+
			"Have its keytab exported again, or name the service that it has with service and service_host",
			t.service, t.ticket.EncPart.KVNO, enctypeName(t.ticket.EncPart.EType))
	case errNoCommonEnctype:
		e.Remedy = "the server does not take type " + enctypeName(t.ticket.EncPart.EType) + ": see permitted_enctypes in its krb5.conf and in yours"
	case errClockSkew, errTicketNotYet:
		e.Remedy = setClock
		e.Err = fmt.Errorf("%w: %s", e.Err, apart(p.c.now(), refused.time, "the server's"))
		if refused.code == errClockSkew {
			e.Err = errors.New(apart(p.c.now(), refused.time, "the server's"))
		}
		e.Kind = KindLocal
	case errTicketExpired:
		e.Remedy = "see that this machine's clock and the server's are right"
	case errReplay:
		e.Kind = KindNetwork // another connection's time was the same to the microsecond
	default:
		if strings.Contains(strings.ToLower(refused.text), "no key table entry") || strings.Contains(strings.ToLower(refused.text), "keytab") {
			e.Remedy = "the server's administrator has to see to its keytab"
		}
	}
	return e
}

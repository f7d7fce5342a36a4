package kerberos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

// krb5OID is 1.2.840.113554.1.2.2, the mechanism Kerberos V5, in DER.
var krb5OID = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

// The tokens that establish a context (RFC 4121 section 4.1).
var (
	tokenAPReq = [2]byte{1, 0}
	tokenAPRep = [2]byte{2, 0}
	tokenError = [2]byte{3, 0}
)

// wrapContextToken puts the framing of RFC 2743 section 3.1 around a message.
func wrapContextToken(id [2]byte, message []byte) []byte {
	inner := slices.Concat(krb5OID, id[:], message)
	head := []byte{0x60}
	switch n := len(inner); {
	case n < 0x80:
		head = append(head, byte(n))
	case n < 0x100:
		head = append(head, 0x81, byte(n))
	case n < 0x10000:
		head = append(head, 0x82, byte(n>>8), byte(n))
	default:
		head = append(head, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(head, inner...)
}

var errNoToken = errors.New("no token of the Kerberos mechanism")

// openContextToken takes the framing off.
func openContextToken(token []byte) (id [2]byte, message []byte, err error) {
	if len(token) < 2 || token[0] != 0x60 {
		return id, nil, errNoToken
	}
	n, rest := int(token[1]), token[2:]
	if n >= 0x80 {
		digits := n - 0x80
		if digits == 0 || digits > 3 || digits > len(rest) {
			return id, nil, errNoToken
		}
		n = 0
		for _, digit := range rest[:digits] {
			n = n<<8 | int(digit)
		}
		rest = rest[digits:]
	}
	if n != len(rest) {
		return id, nil, errNoToken
	}
	rest, ok := bytes.CutPrefix(rest, krb5OID)
	if !ok || len(rest) < 2 {
		return id, nil, errNoToken
	}
	return [2]byte(rest), rest[2:], nil
}

// Parts of a Wrap token (RFC 4121 section 4.2.6.2): sixteen octets of header,
// then the message and a checksum, the two of them perhaps rotated.
const (
	wrapHeader       = 16
	flagFromAcceptor = 1
	flagSealed       = 2
	flagAcceptorKey  = 4
)

var (
	errWrapForm     = errors.New("no Wrap token of RFC 4121")
	errWrapSealed   = errors.New("it is encrypted, which no layer was agreed on for")
	errWrapFlags    = errors.New("it has the wrong direction or key")
	errWrapSequence = errors.New("it is out of sequence")
	errWrapChecksum = errors.New("its checksum is wrong")
)

// wrapKey is what Wrap tokens are made and checked with.
type wrapKey struct {
	key      types.EncryptionKey
	acceptor bool // the key is the acceptor's subkey
}

func (k wrapKey) flags(fromAcceptor bool) byte {
	var flags byte
	if fromAcceptor {
		flags |= flagFromAcceptor
	}
	if k.acceptor {
		flags |= flagAcceptorKey
	}
	return flags
}

// wrap makes a Wrap token with integrity and without confidentiality.
func (k wrapKey) wrap(message []byte, sequence uint64) (token []byte, err error) {
	defer rescue(&err)
	etype, err := crypto.GetEtype(k.key.KeyType)
	if err != nil {
		return nil, err
	}
	header := k.header(false, sequence)
	sum, err := etype.GetChecksumHash(k.key.KeyValue, slices.Concat(message, header), keyusage.GSSAPI_INITIATOR_SEAL)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(header[4:], uint16(len(sum)))
	return slices.Concat(header, message, sum), nil
}

// header returns a header as it goes into the checksum: EC and RRC are zero.
func (k wrapKey) header(fromAcceptor bool, sequence uint64) []byte {
	header := []byte{5, 4, k.flags(fromAcceptor), 0xff, 0, 0, 0, 0}
	return binary.BigEndian.AppendUint64(header, sequence)
}

// unwrap checks a Wrap token of the acceptor and returns its message.
func (k wrapKey) unwrap(token []byte, sequence uint64) (message []byte, err error) {
	defer rescue(&err)
	if len(token) < wrapHeader || token[0] != 5 || token[1] != 4 || token[3] != 0xff {
		return nil, errWrapForm
	}
	if token[2]&flagSealed != 0 {
		return nil, errWrapSealed
	}
	if token[2]&(flagFromAcceptor|flagAcceptorKey) != k.flags(true) {
		return nil, errWrapFlags
	}
	if binary.BigEndian.Uint64(token[8:]) != sequence {
		return nil, errWrapSequence
	}
	etype, err := crypto.GetEtype(k.key.KeyType)
	if err != nil {
		return nil, err
	}
	body := token[wrapHeader:]
	sumLength := int(binary.BigEndian.Uint16(token[4:]))
	if sumLength != etype.GetHMACBitLength()/8 || sumLength > len(body) {
		return nil, errWrapForm
	}
	rotated := int(binary.BigEndian.Uint16(token[6:])) % len(body)
	body = slices.Concat(body[rotated:], body[:rotated])
	message, sum := body[:len(body)-sumLength], body[len(body)-sumLength:]
	header := k.header(true, sequence)
	header[2] = token[2] // with bits that are reserved
	if !etype.VerifyChecksum(k.key.KeyValue, slices.Concat(message, header), sum, keyusage.GSSAPI_ACCEPTOR_SEAL) {
		return nil, errWrapChecksum
	}
	return message, nil
}

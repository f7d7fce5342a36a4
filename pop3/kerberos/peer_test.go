package kerberos

import (
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gofork "github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// The tests here play the server themselves, with the session's key, which a
// real one takes from the ticket. They prove nothing about other programs: that
// is what real_test.go is for.

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// sessionKey is a key of a type, the same each time.
func sessionKey(enctype int32) types.EncryptionKey {
	value := make([]byte, map[int32]int{17: 16, 18: 32, 19: 16, 20: 32, 23: 16}[enctype])
	for i := range value {
		value[i] = byte(i*7 + 1)
	}
	return types.EncryptionKey{KeyType: enctype, KeyValue: value}
}

// testTicket is a ticket that nobody can open, which nobody here needs to.
func testTicket(enctype int32) *ticket {
	service := principal{[]string{"pop", "localhost"}, "TEST"}
	return &ticket{
		client: principal{[]string{"alice"}, "TEST"}, service: service, key: sessionKey(enctype), end: epoch.Add(time.Hour),
		ticket: messages.Ticket{TktVNO: 5, Realm: "TEST", SName: service.wire(), EncPart: types.EncryptedData{EType: enctype, KVNO: 3, Cipher: make([]byte, 64)}},
	}
}

func testClient() *Client {
	return New(Config{Now: func() time.Time { return epoch }, Getenv: func(string) string { return "" }})
}

func testProof(t testing.TB, enctype int32, forGSS bool) *proof {
	t.Helper()
	p, err := testClient().newProof(testTicket(enctype), forGSS)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// apRep makes the server's proof for a request.
func apRep(key types.EncryptionKey, part messages.EncAPRepPart) []byte {
	plain, err := gofork.Marshal(part)
	if err != nil {
		panic(err)
	}
	sealed, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(plain, asnAppTag.EncAPRepPart), key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		panic(err)
	}
	octets, err := gofork.Marshal(messages.APRep{PVNO: 5, MsgType: 15, EncPart: sealed})
	if err != nil {
		panic(err)
	}
	return asn1tools.AddASNAppTag(octets, asnAppTag.APREP)
}

// genuine is what an honest server proves itself with.
func genuine(p *proof) messages.EncAPRepPart {
	return messages.EncAPRepPart{CTime: p.authenticator.CTime, Cusec: p.authenticator.Cusec}
}

// krbError makes a refusal.
func krbError(code int32, text string, at time.Time) []byte {
	m := messages.NewKRBError(types.PrincipalName{NameString: []string{"????"}}, "TEST", code, text)
	m.STime = at.UTC().Truncate(time.Second)
	octets, err := m.Marshal()
	if err != nil {
		panic(err)
	}
	return octets
}

// player is a server that says what it has to say whatever it hears.
type player struct {
	says  []byte
	heard []byte
}

func (p *player) Read(b []byte) (int, error) {
	if len(p.says) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.says)
	p.says = p.says[n:]
	return n, nil
}

func (p *player) Write(b []byte) (int, error) {
	p.heard = append(p.heard, b...)
	return len(b), nil
}

// acceptorWrap makes a Wrap token of the server.
func acceptorWrap(key types.EncryptionKey, flags byte, sequence uint64, message []byte, rotate int) []byte {
	etype, _ := crypto.GetEtype(key.KeyType)
	header := binary.BigEndian.AppendUint64([]byte{5, 4, flags, 0xff, 0, 0, 0, 0}, sequence)
	sum, err := etype.GetChecksumHash(key.KeyValue, slices.Concat(message, header), keyusage.GSSAPI_ACCEPTOR_SEAL)
	if err != nil {
		panic(err)
	}
	body := slices.Concat(message, sum)
	binary.BigEndian.PutUint16(header[4:], uint16(len(sum)))
	binary.BigEndian.PutUint16(header[6:], uint16(rotate))
	cut := len(body) - rotate%len(body)
	return slices.Concat(header, body[cut:], body[:cut])
}

// The messages have the form of RFC 4120, as an independent decoder reads it.
func TestRequestOnTheWire(t *testing.T) {
	p := testProof(t, 18, true)
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(p.octets, &outer); err != nil || len(rest) > 0 || outer.Class != asn1.ClassApplication || outer.Tag != 14 {
		t.Fatalf("no AP_REQ: %v", err)
	}
	var request messages.APReq
	if err := request.Unmarshal(p.octets); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(request.APOptions.Bytes, []byte{0x20, 0, 0, 0}) {
		t.Errorf("options %x, without mutual authentication", request.APOptions.Bytes)
	}
	if err := request.DecryptAuthenticator(p.ticket.key); err != nil {
		t.Fatal(err)
	}
	a := request.Authenticator
	if !a.CTime.Equal(epoch.Truncate(time.Second)) || a.Cusec != 678_000 || a.CRealm != "TEST" || a.CName.PrincipalNameString() != "alice" {
		t.Errorf("authenticator %+v", a)
	}
	flags := []byte{16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x2e, 0, 0, 0}
	if a.Cksum.CksumType != 0x8003 || !slices.Equal(a.Cksum.Checksum, flags) {
		t.Errorf("checksum %+v", a.Cksum)
	}
	if len(a.SubKey.KeyValue) != 32 || slices.Equal(a.SubKey.KeyValue, p.ticket.key.KeyValue) || a.SeqNumber <= 0 || a.SeqNumber >= 1<<30 {
		t.Errorf("subkey %v, sequence number %d", a.SubKey, a.SeqNumber)
	}
	bare := testProof(t, 18, false).authenticator
	if bare.Cksum.CksumType != 0 || bare.SubKey.KeyType != 0 {
		t.Errorf("KPOP's authenticator %+v", bare)
	}
}

// mitToken is a Wrap token that MIT's library wrote.
type mitToken struct {
	enctype             int32
	key, token, message []byte
	flags               byte
	sequence            uint64
}

func mitTokens(t *testing.T) (tokens []mitToken) {
	t.Helper()
	text, err := os.ReadFile("testdata/wrap.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		var v mitToken
		if _, err := fmt.Sscanf(line, "%d %x %d %x %x", &v.enctype, &v.key, &v.sequence, &v.token, &v.message); err == nil {
			v.flags = v.token[2]
			tokens = append(tokens, v)
		}
	}
	if len(tokens) != 4 {
		t.Fatalf("%d tokens", len(tokens))
	}
	return tokens
}

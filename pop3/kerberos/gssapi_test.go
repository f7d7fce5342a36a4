package kerberos

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// exchange plays the server of one GSSAPI login.
type gssServer struct {
	subkey types.EncryptionKey // none: the client's is used
	first  func(m *mechanism, honest []byte) []byte
	offer  func(m *mechanism, honest []byte) []byte
	layers byte
	rotate int
}

func (s gssServer) run(t *testing.T, enctype int32) (m *mechanism, answer []byte, err error) {
	t.Helper()
	m = &mechanism{c: testClient(), ticket: testTicket(enctype), identity: "alice"}
	name, initial, err := m.Start()
	if err != nil || name != "GSSAPI" {
		t.Fatal(name, err)
	}
	id, request, err := openContextToken(initial)
	if err != nil || id != tokenAPReq || !bytes.Equal(request, m.proof.octets) {
		t.Fatalf("initial response: %v, %x", err, id)
	}
	part := genuine(m.proof)
	part.Subkey, part.SequenceNumber = s.subkey, 4711
	token := wrapContextToken(tokenAPRep, apRep(m.ticket.key, part))
	if s.first != nil {
		token = s.first(m, token)
	}
	empty, err := m.Next(token)
	if err != nil {
		return m, nil, err
	}
	if empty == nil || len(empty) > 0 {
		t.Fatalf("answer to the proof: %x", empty)
	}
	key, flags := m.proof.authenticator.SubKey, byte(flagFromAcceptor)
	if s.subkey.KeyType != 0 {
		key, flags = s.subkey, flagFromAcceptor|flagAcceptorKey
	}
	offer := acceptorWrap(key, flags, 4711, []byte{s.layers, 0, 0x10, 0}, s.rotate)
	if s.offer != nil {
		offer = s.offer(m, offer)
	}
	answer, err = m.Next(offer)
	return m, answer, err
}

// Every key type, with and without the server's subkey, rotated or not.
func TestGSSAPI(t *testing.T) {
	for _, enctype := range []int32{17, 18, 19, 20} {
		for _, subkey := range []types.EncryptionKey{{}, sessionKey(17), sessionKey(18)} {
			for _, rotate := range []int{0, 1, 12, 500} {
				m, answer, err := gssServer{subkey: subkey, layers: 7, rotate: rotate}.run(t, enctype)
				if err != nil {
					t.Fatalf("%d, %d, %d: %v", enctype, subkey.KeyType, rotate, err)
				}
				key, flags := m.proof.authenticator.SubKey, byte(0)
				if subkey.KeyType != 0 {
					key, flags = subkey, flagAcceptorKey
				}
				etype, _ := crypto.GetEtype(key.KeyType)
				header := wrapKey{key: key, acceptor: subkey.KeyType != 0}.header(false, uint64(m.proof.authenticator.SeqNumber))
				want := append([]byte{1, 0, 0, 0}, "alice"...)
				sum, _ := etype.GetChecksumHash(key.KeyValue, slices.Concat(want, header), keyusage.GSSAPI_INITIATOR_SEAL)
				if answer[2] != flags || !bytes.Equal(answer[16:], slices.Concat(want, sum)) {
					t.Errorf("%d, %d: answer %x", enctype, subkey.KeyType, answer)
				}
				if err := m.Verify(); err != nil {
					t.Error(err)
				}
				if n := len(m.proof.authenticator.SubKey.KeyValue); n != len(m.ticket.key.KeyValue) {
					t.Errorf("%d: a subkey of %d octets", enctype, n)
				}
				if _, err := m.Next(nil); err == nil {
					t.Error("a step too many was answered")
				}
			}
		}
	}
}

func TestGSSAPIRefuses(t *testing.T) {
	flip := func(at int) func(*mechanism, []byte) []byte {
		return func(_ *mechanism, honest []byte) []byte {
			forged := slices.Clone(honest)
			if at < 0 {
				at += len(forged)
			}
			forged[at] ^= 2
			return forged
		}
	}
	instead := func(token []byte) func(*mechanism, []byte) []byte {
		return func(*mechanism, []byte) []byte { return token }
	}
	for _, c := range []struct {
		name   string
		server gssServer
		words  string
	}{
		{"no proof", gssServer{first: instead(nil)}, "no token"},
		{"text for a proof", gssServer{first: instead([]byte("Username:"))}, "no token"},
		{"forged proof", gssServer{first: flip(-1)}, "not under the key"},
		{"another's proof", gssServer{first: func(m *mechanism, _ []byte) []byte {
			part := genuine(m.proof)
			part.Cusec--
			return wrapContextToken(tokenAPRep, apRep(m.ticket.key, part))
		}}, "another request"},
		{"our own token", gssServer{first: func(m *mechanism, _ []byte) []byte { return wrapContextToken(tokenAPReq, m.proof.octets) }}, "no AP_REP"},
		{"refusal", gssServer{first: instead(wrapContextToken(tokenError, krbError(37, "", epoch)))}, "clock is 0 minutes"},
		{"weak subkey", gssServer{subkey: sessionKey(23)}, "arcfour-hmac"},
		{"insists on a layer", gssServer{layers: 6}, "insists on a security layer"},
		{"offer forged", gssServer{layers: 1, offer: flip(16)}, "checksum is wrong"},
		{"offer's checksum forged", gssServer{layers: 1, offer: flip(-1)}, "checksum is wrong"},
		{"offer out of sequence", gssServer{layers: 1, offer: flip(15)}, "out of sequence"},
		{"offer encrypted", gssServer{layers: 1, offer: flip(2)}, "encrypted"},
		{"offer by the wrong key", gssServer{layers: 1, offer: func(m *mechanism, _ []byte) []byte {
			return acceptorWrap(m.ticket.key, flagFromAcceptor, 4711, []byte{1, 0, 0, 0}, 0)
		}}, "checksum is wrong"},
		{"our own wrap", gssServer{layers: 1, offer: func(m *mechanism, _ []byte) []byte {
			token, _ := m.key.wrap([]byte{1, 0, 0, 0}, 4711)
			return token
		}}, "wrong direction"},
		{"offer too long", gssServer{layers: 1, offer: func(m *mechanism, _ []byte) []byte {
			return acceptorWrap(m.key.key, flagFromAcceptor, 4711, []byte{1, 0, 0, 0, 0}, 0)
		}}, "5 octets"},
		{"empty offer", gssServer{offer: instead(nil)}, "no Wrap token"},
		{"header only", gssServer{offer: func(_ *mechanism, honest []byte) []byte { return honest[:16] }}, "no Wrap token"},
	} {
		m, _, err := c.server.run(t, 18)
		var known *Error
		if !errors.As(err, &known) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
		}
		if m.Verify() == nil {
			t.Errorf("%s: taken for complete", c.name)
		}
	}
}

// A server that says +OK before it proved anything is not believed.
func TestGSSAPIVerify(t *testing.T) {
	m := &mechanism{c: testClient(), ticket: testTicket(18)}
	if m.Verify() == nil {
		t.Error("complete before it began")
	}
	if _, _, err := m.Start(); err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(); err == nil || !strings.Contains(err.Error(), "sent no proof") {
		t.Errorf("got %v", err)
	}
	if _, err := m.Next(wrapContextToken(tokenAPRep, apRep(m.ticket.key, genuine(m.proof)))); err != nil {
		t.Fatal(err)
	}
	if m.Verify() == nil {
		t.Error("complete before the offer")
	}
}

// Session keys other than AES are refused before anything is sent.
func TestGSSAPIWantsAES(t *testing.T) {
	c := testClient()
	c.tickets["localhost"] = testTicket(23)
	if _, err := c.GSSAPI(t.Context(), "localhost", ""); err == nil || !strings.Contains(err.Error(), "arcfour-hmac") {
		t.Errorf("got %v", err)
	}
}

// Wrap tokens as MIT's gss_wrap wrote them: see testdata/wrap.txt.
func TestWrapOfMIT(t *testing.T) {
	for _, v := range mitTokens(t) {
		key := wrapKey{key: types.EncryptionKey{KeyType: v.enctype, KeyValue: v.key}, acceptor: v.flags&flagAcceptorKey != 0}
		message, err := key.unwrap(v.token, v.sequence)
		if err != nil || hex.EncodeToString(message) != hex.EncodeToString(v.message) {
			t.Errorf("enctype %d: %x, %v", v.enctype, message, err)
		}
	}
}

func FuzzWrap(f *testing.F) {
	for _, enctype := range []int32{17, 18, 19, 20} {
		key := sessionKey(enctype)
		f.Add(acceptorWrap(key, flagFromAcceptor, 7, []byte{1, 0, 0, 0}, 0), enctype, false)
		f.Add(acceptorWrap(key, flagFromAcceptor|flagAcceptorKey, 7, []byte{1, 0, 0, 0}, 5), enctype, true)
	}
	f.Add([]byte{5, 4, 1, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, int32(18), false)
	f.Add([]byte{5, 4, 1, 0xff, 0, 12, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, int32(17), false)
	f.Fuzz(func(t *testing.T, token []byte, enctype int32, acceptor bool) {
		if !isAES(enctype) {
			return
		}
		k := wrapKey{sessionKey(enctype), acceptor}
		message, err := k.unwrap(token, 7)
		if err == nil && len(token)-wrapHeader < len(message) {
			t.Fatalf("%x from %x", message, token)
		}
		id, inner, err := openContextToken(token)
		if err != nil {
			return
		}
		if id2, again, err := openContextToken(wrapContextToken(id, inner)); err != nil || id2 != id || !bytes.Equal(again, inner) {
			t.Fatalf("%x: %x, %v", inner, again, err)
		}
		p := testProof(t, 18, true)
		if _, err := p.verify(inner); err == nil {
			t.Fatal("a proof without the key was believed")
		}
	})
}

// FuzzProof gives the checker of proofs, and of refusals, anything.
func FuzzProof(f *testing.F) {
	p := testProof(f, 18, false)
	f.Add(apRep(sessionKey(17), genuine(p)))
	f.Add(apRep(p.ticket.key, messages.EncAPRepPart{}))
	f.Add(krbError(37, "text", epoch))
	f.Add([]byte{0x6f, 27, 0x30, 25, 0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 15, 0xa2, 13, 0x30, 11, 0xa0, 3, 2, 1, 18, 0xa2, 4, 4, 2, 1, 2})
	f.Fuzz(func(t *testing.T, octets []byte) {
		if _, err := p.verify(octets); err == nil {
			t.Fatal("a proof without the key was believed")
		}
		if err := p.explain(octets); err == nil || strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
			t.Fatalf("got %q", err)
		}
	})
}

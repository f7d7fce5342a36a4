package auth

import (
	"bytes"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// The challenge parsers on whatever a server may send: they return, do not
// take a server for proved that is not, and put nothing on the line that
// would end a message early.

func FuzzDigestMD5(f *testing.F) {
	f.Add([]byte(digestChallenge), []byte("rspauth=ea40f60335c427b5527b84dbabcdfffd"))
	f.Add([]byte(`realm="a\"b",nonce="n",qop="auth,auth-int",algorithm=md5-sess,maxbuf=1`), []byte(""))
	f.Add([]byte(`nonce="`), []byte(`rspauth=`))
	f.Add([]byte(`,, a = b,nonce="\`), []byte("\xff"))
	f.Fuzz(func(t *testing.T, challenge, proof []byte) {
		x := digestVector()
		response, err := x.Next(challenge)
		if err != nil {
			if x.Verify() == nil {
				t.Error("proved without an answer")
			}
			return
		}
		again, err := parseDirectives(string(response))
		if err != nil || len(again["username"]) != 1 || again.first("username") != "chris" || len(again["response"]) != 1 ||
			again.first("digest-uri") != x.uri || len(again["digest-uri"]) != 1 {
			t.Errorf("response %q reads as %v, %v", response, again, err)
		}
		_, err = x.Next(proof)
		if (err == nil) != (x.Verify() == nil) || err == nil && !bytes.Contains(proof, []byte(x.proof)) {
			t.Errorf("proved by %q: %v", proof, err)
		}
	})
}

func FuzzSCRAM(f *testing.F) {
	f.Add([]byte("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"), []byte("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="))
	f.Add([]byte("r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=4096,x=y"), []byte("e=other-error"))
	f.Add([]byte("m=1,r=fyko+d2lbbFgONRv9qkxdawL,s=,i=-1"), []byte("v="))
	f.Add([]byte("r=,s=,i=,i=99999999999"), []byte(""))
	f.Fuzz(func(t *testing.T, first, final []byte) {
		if bytes.Count(first, []byte("i=")) > 0 && bytes.ContainsAny(first, "56789") && bytes.Contains(first, []byte("0000")) {
			return // many iterations are slow, not wrong
		}
		x := scramWith(t, scram.SHA1, "fyko+d2lbbFgONRv9qkxdawL")
		x.Start()
		response, err := x.Next(first)
		if err != nil {
			if x.Verify() == nil {
				t.Error("proved without a proof")
			}
			return
		}
		if !strings.HasPrefix(string(response), "c=biws,r=fyko+d2lbbFgONRv9qkxdawL") {
			t.Errorf("response %q to %q", response, first)
		}
		_, err = x.Next(final)
		if x.Verify() == nil && (err != nil || !bytes.HasPrefix(final, []byte("v="))) {
			t.Errorf("proved by %q: %v", final, err)
		}
		if _, err := x.Next(final); err == nil {
			t.Error("a third challenge is answered")
		}
	})
}

func FuzzNTLM(f *testing.F) {
	f.Add(ntlmChallenge)
	f.Add(ntlmChallenge[:40])
	f.Add([]byte("NTLMSSP\x00\x02\x00\x00\x00"))
	cut := bytes.Clone(ntlmChallenge)
	cut[44] = 0xf0
	f.Add(cut)
	f.Fuzz(func(t *testing.T, challenge []byte) {
		x := &ntlmExchange{exchange{secret: "Password"}, `Domain\User`, false}
		message, err := x.Next(challenge)
		if err == nil && !bytes.HasPrefix(message, []byte("NTLMSSP\x00\x03\x00\x00\x00")) {
			t.Errorf("message %q", message)
		}
		if _, err := x.Next(challenge); err == nil {
			t.Error("a second challenge is answered")
		}
	})
}

func FuzzTokenFailure(f *testing.F) {
	f.Add([]byte(`{"status":"401","schemes":"bearer","scope":"mail"}`))
	f.Add([]byte(`{"status":{"a":[1,2]},"scope":null}`))
	f.Add([]byte(`{"status":"` + strings.Repeat("x", 2000) + `"}`))
	f.Add([]byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, challenge []byte) {
		if said := tokenFailure(challenge); len(said) > 3*(maxSaid+30) {
			t.Errorf("%d octets", len(said))
		}
		x := &bearerExchange{acknowledge: []byte{1}}
		if response, err := x.Next(challenge); err != nil || string(response) != "\x01" || x.Verify() == nil {
			t.Errorf("%q, %v", response, err)
		}
	})
}

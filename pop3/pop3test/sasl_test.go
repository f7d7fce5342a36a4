package pop3test

import (
	"encoding/base64"
	"encoding/hex"
	"testing"
)

// The server's sides of the mechanisms against the examples of their RFCs.

func TestMD4(t *testing.T) {
	for text, want := range map[string]string{ // RFC 1320 appendix A.5
		"":                           "31d6cfe0d16ae931b73c59d7e0c089c0",
		"abc":                        "a448017aaf21d8525fc10ae87aa6729d",
		"abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
		"12345678901234567890123456789012345678901234567890123456789012345678901234567890": "e33b4ddc9c38f2199c3e7b164fcc0536",
	} {
		if sum := md4([]byte(text)); hex.EncodeToString(sum[:]) != want {
			t.Errorf("MD4(%q) = %x, want %s", text, sum, want)
		}
	}
}

func TestNTLMProof(t *testing.T) { // MS-NLMP section 4.2.4
	temp := "0101000000000000" + "0000000000000000" + "aaaaaaaaaaaaaaaa" + "00000000" +
		"02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000"
	octets, err := hex.DecodeString(temp)
	if err != nil {
		t.Fatal(err)
	}
	challenge, _ := hex.DecodeString("0123456789abcdef")
	got := hex.EncodeToString(ntlmProof("Password", "User", "Domain", challenge, octets))
	if want := "68cd0ab851e51c96aabc927bebef6a1c"; got != want {
		t.Errorf("NTProofStr %s, want %s", got, want)
	}
}

func TestSCRAMCheck(t *testing.T) { // RFC 5802 section 5, RFC 7677 section 3
	tests := []struct {
		hash                               scramHash
		salt, bare, first, without, p, sig string
	}{
		{scramSHA1, "QSXCR+Q6sek8bf92", "n=user,r=fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
			"v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
		{scramSHA256, "W22ZaJ0SNY7soEsUEjb6gQ==", "n=user,r=rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
			"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	}
	for _, test := range tests {
		salt, _ := base64.StdEncoding.DecodeString(test.salt)
		proof, _ := base64.StdEncoding.DecodeString(test.p)
		message := test.bare + "," + test.first + "," + test.without
		signature, right := test.hash.check("pencil", salt, 4096, message, proof)
		if got := base64.StdEncoding.EncodeToString(signature); !right || got != test.sig {
			t.Errorf("%s: %v, signature %s, want %s", test.hash.name, right, got, test.sig)
		}
		proof[0] ^= 1
		if _, right := test.hash.check("pencil", salt, 4096, message, proof); right {
			t.Errorf("%s: another proof is taken", test.hash.name)
		}
	}
}

func TestDigestResponse(t *testing.T) { // RFC 2831 section 4
	values := map[string]string{"username": "chris", "realm": "elwood.innosoft.com", "nonce": "OA6MG9tEQGm2hh", "nc": "00000001",
		"cnonce": "OA6MHXh6VqTrRk", "qop": "auth", "digest-uri": "imap/elwood.innosoft.com"}
	if got := digestResponse(values, "secret", "AUTHENTICATE"); got != "d388dad90d4bbd760a152321f2143af7" {
		t.Errorf("response %s", got)
	}
	if got := digestResponse(values, "secret", ""); got != "ea40f60335c427b5527b84dbabcdfffd" {
		t.Errorf("rspauth %s", got)
	}
}

func TestCRAMDigest(t *testing.T) { // RFC 2195 section 2
	if got := cramDigest("tanstaaftanstaaf", "<1896.697170952@postoffice.reston.mci.net>"); got != "b913a602c7eda7a495b4e6e7334d3890" {
		t.Errorf("digest %s", got)
	}
}

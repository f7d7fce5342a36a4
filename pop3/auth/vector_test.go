package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"popmigrate/pop3"
)

// The client's sides of the mechanisms against the examples of their RFCs.

// scramWith returns an exchange with a known nonce.
func scramWith(t testing.TB, hash scram.HashGeneratorFcn, nonce string) *scramExchange {
	t.Helper()
	client, err := hash.NewClient("user", "pencil", "")
	if err != nil {
		t.Fatal(err)
	}
	client.WithNonceGenerator(func() string { return nonce })
	return &scramExchange{exchange{secret: "pencil"}, "SCRAM", client.NewConversation(), 0}
}

func TestSCRAMVectors(t *testing.T) { // RFC 5802 section 5, RFC 7677 section 3
	tests := []struct {
		hash                       scram.HashGeneratorFcn
		nonce, first, proof, final string
	}{
		{scram.SHA1, "fyko+d2lbbFgONRv9qkxdawL", "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
		{scram.SHA256, "rOprNGfwEbeRWgbNEkqO", "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	}
	for _, test := range tests {
		x := scramWith(t, test.hash, test.nonce)
		if _, first, err := x.Start(); string(first) != "n,,n=user,r="+test.nonce || err != nil {
			t.Errorf("first message %q, %v", first, err)
		}
		if proof, err := x.Next([]byte(test.first)); string(proof) != test.proof || err != nil {
			t.Errorf("final message %q, %v", proof, err)
		}
		if x.Verify() == nil {
			t.Error("proved before the signature came")
		}
		if last, err := x.Next([]byte(test.final)); last == nil || len(last) != 0 || err != nil || x.Verify() != nil {
			t.Errorf("after the signature: %q, %v, %v", last, err, x.Verify())
		}

		// Every other signature of one octet's difference is refused.
		signature, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(test.final, "v="))
		for bit := range len(signature) * 8 {
			signature[bit/8] ^= 1 << (bit % 8)
			x := scramWith(t, test.hash, test.nonce)
			x.Start()
			x.Next([]byte(test.first))
			_, err := x.Next([]byte("v=" + base64.StdEncoding.EncodeToString(signature)))
			if !errors.Is(err, ErrUnproven) || x.Verify() == nil {
				t.Fatalf("bit %d: %v", bit, err)
			}
			signature[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func digestVector() *digestExchange {
	return &digestExchange{exchange: exchange{secret: "secret"}, user: "chris", uri: "imap/elwood.innosoft.com", cnonce: "OA6MHXh6VqTrRk"}
}

const digestChallenge = `realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8`

func TestDigestVector(t *testing.T) { // RFC 2831 section 4
	x := digestVector()
	response, err := x.Next([]byte(digestChallenge))
	if err != nil || !strings.Contains(string(response), "response=d388dad90d4bbd760a152321f2143af7,") {
		t.Errorf("response %s, %v", response, err)
	}
	if !strings.HasPrefix(string(response), `charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",`) {
		t.Errorf("response %s", response)
	}
	if x.Verify() == nil {
		t.Error("proved before rspauth came")
	}
	if last, err := x.Next([]byte("rspauth=ea40f60335c427b5527b84dbabcdfffd")); last == nil || len(last) != 0 || err != nil || x.Verify() != nil {
		t.Errorf("after rspauth: %q, %v", last, err)
	}
	for i := range 32 {
		proof := []byte("ea40f60335c427b5527b84dbabcdfffd")
		proof[i] ^= 1
		x := digestVector()
		x.Next([]byte(digestChallenge))
		if _, err := x.Next([]byte("rspauth=" + string(proof))); !errors.Is(err, ErrUnproven) || x.Verify() == nil {
			t.Errorf("digit %d: %v", i, err)
		}
	}
}

func TestDigestForms(t *testing.T) {
	tests := map[string]struct {
		challenge string
		want      string // part of the response; "" means refused
	}{
		"no realm":         {`nonce="n",algorithm=md5-sess`, `username="chris",nonce="n"`},
		"an empty realm":   {`realm="",nonce="n",algorithm=md5-sess`, `realm="",`},
		"two realms":       {`realm="a",realm="b",nonce="n",algorithm=md5-sess`, `realm="a",`},
		"quoted quotes":    {`realm="a\"b\\c",nonce="n",algorithm=md5-sess`, `realm="a\"b\\c",`},
		"commas and space": {` ,, realm = "a,b" , NONCE="n",algorithm=MD5-Sess,`, `realm="a,b",nonce="n"`},
		"several qops":     {`nonce="n",qop="auth-int, auth",algorithm=md5-sess`, "qop=auth"},
		"no nonce":         {`realm="a",algorithm=md5-sess`, ""},
		"two nonces":       {`nonce="a",nonce="b",algorithm=md5-sess`, ""},
		"no algorithm":     {`nonce="a"`, ""},
		"unclosed quote":   {`nonce="a`, ""},
		"text behind":      {`nonce="a"b,algorithm=md5-sess`, ""},
		"no equals sign":   {`nonce`, ""},
		"nothing":          {"", ""},
		"endless":          {strings.Repeat(`a=b,`, 100) + `nonce="a",algorithm=md5-sess`, ""},
	}
	for name, test := range tests {
		response, err := digestVector().Next([]byte(test.challenge))
		if (err == nil) != (test.want != "") || !strings.Contains(string(response), test.want) {
			t.Errorf("%s: %s, %v", name, response, err)
		}
	}
	wide := digestVector()
	wide.secret = "✓"
	if _, err := wide.Next([]byte(`nonce="n",algorithm=md5-sess`)); err == nil {
		t.Error("a password outside ISO 8859-1 without charset=utf-8")
	}
}

func TestCRAMVector(t *testing.T) { // RFC 2195 section 2
	x := &cramExchange{exchange{secret: "tanstaaftanstaaf"}, "tim", false}
	response, err := x.Next([]byte("<1896.697170952@postoffice.reston.mci.net>"))
	if got := base64.StdEncoding.EncodeToString(response); got != "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestTokenVectors(t *testing.T) {
	// RFC 7628 section 4.1.
	got := string(bearerMessage("user@example.com", "server.example.com", "143", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="))
	want := "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := string(bearerMessage("a=b,c", "", "", "t")); got != "n,a=a=3Db=2Cc,\x01auth=Bearer t\x01\x01" {
		t.Errorf("got %q", got)
	}
	// Google's example.
	if got := base64.StdEncoding.EncodeToString(xoauth2Message("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==")); got !=
		"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2c9PQEB" {
		t.Errorf("got %s", got)
	}
}

func TestTokenFailure(t *testing.T) {
	for challenge, want := range map[string]string{
		`{"status":"invalid_token","scope":"mail","openid-configuration":"https://x"}`: "status invalid_token, scope mail",
		`{"status":401,"error_description":"expired"}`:                                 "status 401, error_description expired",
		`{}`:              "",
		`[1]`:             "[1]",
		`not JSON`:        "not JSON",
		`{"status":null}`: "status <nil>",
		``:                "",
	} {
		if got := tokenFailure([]byte(challenge)); got != want {
			t.Errorf("%s: %q, want %q", challenge, got, want)
		}
	}
	if got := tokenFailure(bytes.Repeat([]byte("x"), 9000)); len(got) != maxSaid {
		t.Errorf("%d octets", len(got))
	}
}

func TestChannelBinding(t *testing.T) {
	client, err := scram.SHA256.NewClient("user", "pencil", "")
	if err != nil {
		t.Fatal(err)
	}
	// Without TLS: n, whatever is offered, and no -PLUS.
	l := &login{offered: &pop3.Capabilities{}}
	if _, err := l.conversation(client, true); err == nil {
		t.Error("bound to nothing")
	}
	conversation, err := l.conversation(client, false)
	if err != nil {
		t.Fatal(err)
	}
	if first, _ := conversation.Step(""); !strings.HasPrefix(first, "n,,") {
		t.Errorf("first message %q", first)
	}
}

// ntlmChallenge is that of MS-NLMP section 4.2.4.3.
var ntlmChallenge, _ = hex.DecodeString(strings.ReplaceAll(
	"4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef 0000000000000000 24002400 44000000 0600706c0000000f"+
		"530065007200760065007200 02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000", " ", ""))

func TestNTLMMessages(t *testing.T) {
	x := &ntlmExchange{exchange{secret: "Password"}, `Domain\User`, false}
	_, first, err := x.Start()
	if err != nil || !bytes.HasPrefix(first, []byte("NTLMSSP\x00\x01\x00\x00\x00")) {
		t.Fatalf("%q, %v", first, err)
	}
	challenge := bytes.Clone(ntlmChallenge)
	binary.LittleEndian.PutUint32(challenge[20:], 0xa2888233&^0x40000000) // without key exchange
	message, err := x.Next(challenge)
	if err != nil || len(message) < 64 {
		t.Fatalf("%q, %v", message, err)
	}
	if length := binary.LittleEndian.Uint16(message[20:]); length <= 24 {
		t.Errorf("NT response of %d octets: not NTLMv2", length)
	}
	for _, part := range []string{"D\x00o\x00m\x00a\x00i\x00n\x00", "U\x00s\x00e\x00r\x00"} {
		if !bytes.Contains(message, []byte(part)) {
			t.Errorf("message lacks %q", part)
		}
	}
}

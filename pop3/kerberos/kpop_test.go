package kerberos

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
)

// A server's part as octets, and what has to come of it.
func TestSendauth(t *testing.T) {
	other := func(p *proof) messages.EncAPRepPart {
		part := genuine(p)
		part.Cusec++
		return part
	}
	earlier := func(p *proof) messages.EncAPRepPart {
		part := genuine(p)
		part.CTime = part.CTime.Add(-time.Second)
		return part
	}
	// all is the whole part of a server: go on, no error, and a frame.
	all := func(last []byte) []byte { return slices.Concat([]byte{0, 0, 0, 0, 0}, frame(last)) }
	for _, c := range []struct {
		name  string
		says  func(p *proof) []byte
		kind  Kind // "" means that all is well
		words string
	}{
		{"honest", func(p *proof) []byte { return all(apRep(p.ticket.key, genuine(p))) }, "", ""},
		{"answer to another request", func(p *proof) []byte { return all(apRep(p.ticket.key, other(p))) }, KindServer, "does not prove that it is pop/localhost@TEST"},
		{"answer of a second ago", func(p *proof) []byte { return all(apRep(p.ticket.key, earlier(p))) }, KindServer, "another request"},
		{"without the key", func(p *proof) []byte { return all(apRep(sessionKey(17), genuine(p))) }, KindServer, "not under the key"},
		{"the request itself", func(p *proof) []byte { return all(p.octets) }, KindServer, "no AP_REP"},
		{"four octets of cipher", func(p *proof) []byte {
			return all([]byte{0x6f, 27, 0x30, 25, 0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 15, 0xa2, 13, 0x30, 11, 0xa0, 3, 2, 1, 18, 0xa2, 4, 4, 2, 1, 2})
		}, KindServer, "does not prove"},
		{"empty proof", func(p *proof) []byte { return all(nil) }, KindServer, "does not prove"},
		{"greeting for a proof", func(p *proof) []byte { return []byte("\x00\x00\x00\x00\x00+OK come in\r\n") }, KindServer, `sends text instead, "+OK come in"`},
		{"sendauth version", func(p *proof) []byte { return []byte{1} }, KindServer, "version of sendauth"},
		{"application version", func(p *proof) []byte { return []byte{2} }, KindServer, "KPOPV1.0"},
		{"odd octet", func(p *proof) []byte { return []byte{7} }, KindServer, "0x07"},
		{"plain POP3", func(p *proof) []byte { return []byte("+OK dovecot\x1b[2J ready\r\n") }, KindServer, `"+OK dovecot [2J ready"`},
		{"Kerberos IV popper", func(p *proof) []byte { return []byte("-ERR Kerberos authentication failure\r\n") }, KindServer, "Kerberos IV"},
		{"TLS", func(p *proof) []byte { return []byte{0x15, 3, 3, 0, 2} }, KindServer, "speaks TLS"},
		{"SMTP", func(p *proof) []byte { return []byte("220 mx ESMTP\r\n") }, KindServer, "another protocol"},
		{"closed at once", func(p *proof) []byte { return nil }, KindNetwork, "Kerberos IV"},
		{"closed after the versions", func(p *proof) []byte { return []byte{0} }, KindNetwork, "closed the connection"},
		{"closed before the proof", func(p *proof) []byte { return []byte{0, 0, 0, 0, 0} }, KindNetwork, "closed the connection"},
		{"closed within the proof", func(p *proof) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, 0, 9, 1} }, KindNetwork, "closed the connection"},
		{"rejected in words", func(p *proof) []byte { return []byte("\x00-ERR recvauth failed--Wrong principal\r\n") }, KindCredential, "recvauth failed--Wrong principal"},
		{"huge frame", func(p *proof) []byte { return []byte{0, 0x7f, 0xff, 0xff, 0xff} }, KindNetwork, "announces 2147483647 octets"},
		{"ticket refused", func(p *proof) []byte {
			return slices.Concat([]byte{0}, frame(krbError(35, "The ticket isn't for us\x00", epoch)))
		}, KindCredential, "key version 3, type aes256-cts-hmac-sha1-96"},
		{"clocks apart", func(p *proof) []byte {
			return slices.Concat([]byte{0}, frame(krbError(37, "", epoch.Add(-61*time.Minute))))
		}, KindLocal, "61 minutes ahead of the server's"},
		{"replay", func(p *proof) []byte { return slices.Concat([]byte{0}, frame(krbError(34, "", epoch))) }, KindNetwork, "replay"},
		{"refusal with hostile text", func(p *proof) []byte {
			return slices.Concat([]byte{0}, frame(krbError(60, strings.Repeat("x\r\n\x1b", 300), epoch)))
		}, KindCredential, "…"},
		{"refusal that is none", func(p *proof) []byte { return slices.Concat([]byte{0}, frame([]byte("what?"))) }, KindServer, "malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testProof(t, 18, false)
			server := &player{says: c.says(p)}
			err := p.sendauth(server)
			if hello := []byte("\x00\x00\x00\x13KRB5_SENDAUTH_V1.0\x00\x00\x00\x00\x09KPOPV1.0\x00"); !bytes.HasPrefix(server.heard, hello) {
				t.Errorf("it heard %q", server.heard)
			}
			if c.kind == "" {
				if err != nil || !bytes.HasSuffix(server.heard, frame(p.octets)) {
					t.Errorf("%v, heard %q", err, server.heard)
				}
				return
			}
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			text := got.Error() + "; " + got.Remedy
			if got.Kind != c.kind || !strings.Contains(text, c.words) || len(text) > 700 || strings.ContainsAny(text, "\r\n\x00\x1b") {
				t.Errorf("kind %s: %q", got.Kind, text)
			}
		})
	}
}

// Nothing behind the server's proof is read: the greeting is for others.
func TestSendauthLeavesTheGreeting(t *testing.T) {
	p := testProof(t, 20, false)
	server := &player{says: slices.Concat([]byte{0, 0, 0, 0, 0}, frame(apRep(p.ticket.key, genuine(p))), []byte("+OK ready\r\n"))}
	if err := p.sendauth(server); err != nil || string(server.says) != "+OK ready\r\n" {
		t.Errorf("%v, left %q", err, server.says)
	}
}

// A proof that was right for one connection is wrong for the next.
func TestReplayedProof(t *testing.T) {
	first := testProof(t, 18, false)
	recorded := slices.Concat([]byte{0, 0, 0, 0, 0}, frame(apRep(first.ticket.key, genuine(first))))
	c := New(Config{Now: func() time.Time { return epoch.Add(time.Microsecond) }})
	second, err := c.newProof(first.ticket, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.sendauth(&player{says: recorded}); !errors.Is(err, errOtherAPRep) {
		t.Errorf("got %v", err)
	}
}

// FuzzSendauth plays any server: never a panic, and never success unless the
// server had the key.
func FuzzSendauth(f *testing.F) {
	p := testProof(f, 18, false)
	honest := slices.Concat([]byte{0, 0, 0, 0, 0}, frame(apRep(p.ticket.key, genuine(p))))
	f.Add(honest[:len(honest)-1])
	f.Add([]byte("\x00\x00\x00\x00\x00+OK\r\n"))
	f.Add([]byte("-ERR no\r\n"))
	f.Add(slices.Concat([]byte{0}, frame(krbError(37, "Clock skew\x00", epoch))))
	f.Add(slices.Concat([]byte{0, 0, 0, 0, 0}, frame(apRep(sessionKey(17), genuine(p)))))
	f.Add([]byte{0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, says []byte) {
		err := p.sendauth(&player{says: says})
		if err == nil && !bytes.HasPrefix(says, honest) {
			// The confounder is random: a server with the key, which a fuzzer is not.
			t.Fatal("a server without the key was believed")
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
			t.Fatalf("got %q", err)
		}
	})
}

package sinks_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"popmigrate/internal/digest"
	"popmigrate/sinks"
	"popmigrate/sinks/smtptest"
)

const smtpHello = "Subject: hello\r\n\r\nhello\r\n"

// smtpMessage makes a message for recipients, with traits as a session finds them.
func smtpMessage(octets string, recipients ...string) sinks.Message {
	m := sinks.Message{
		Ordinal:  1,
		Octets:   int64(len(octets)),
		Digest:   digest.Of([]byte(octets)),
		Envelope: sinks.Envelope{Sender: "sender@example.net", Recipients: recipients},
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(octets)), nil },
	}
	m.NUL = strings.Contains(octets, "\x00")
	m.NoFinalEOL = octets != "" && !strings.HasSuffix(octets, "\r\n")
	text := strings.ReplaceAll(octets, "\r\n", "\x01")
	m.BareLF, m.BareCR = strings.Contains(text, "\n"), strings.Contains(text, "\r")
	for line := range strings.SplitSeq(text, "\x01") {
		m.LongestLine = max(m.LongestLine, int64(len(line)))
	}
	m.EightBit = strings.IndexFunc(octets, func(r rune) bool { return r > 127 }) >= 0
	return m
}

// smtpConfig speaks to the server without TLS, over memory unless it listens.
func smtpConfig(server *smtptest.Server) sinks.SMTP {
	config := sinks.SMTP{Protocol: "smtp", Network: "tcp", Address: "mx.example.org:25", TLS: sinks.SMTPNoTLS}
	if server.LMTP {
		config.Protocol = "lmtp"
	}
	if server.Network != "" {
		config.Network, config.Address = server.Network, server.Address
	} else {
		config.Dial = server.Dial
	}
	config.TLSConfig = &tls.Config{RootCAs: server.Roots, ServerName: "localhost"}
	return config
}

func openSMTP(t testing.TB, config sinks.SMTP) sinks.Sink {
	t.Helper()
	sink, err := sinks.OpenSMTP(t.Context(), config, sinks.Opening{Maildrop: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	return sink
}

// newSMTP starts a server without a listener.
func newSMTP(t testing.TB, options smtptest.Options) *smtptest.Server {
	server := smtptest.New(options)
	t.Cleanup(server.Close)
	return server
}

func storeOne(t testing.TB, sink sinks.Sink, message sinks.Message) (sinks.Receipt, error) {
	t.Helper()
	receipts, err := sink.Store(t.Context(), []sinks.Message{message})
	if err != nil {
		return sinks.Receipt{}, err
	}
	if len(receipts) != 1 {
		t.Fatalf("%d receipts for one message", len(receipts))
	}
	receipt := receipts[0]
	if (receipt.Proof == sinks.Accepted) != (receipt.Where != "") || (receipt.Proof == sinks.Accepted) != (receipt.Reason == "") {
		t.Fatalf("inconsistent receipt %+v", receipt)
	}
	return receipt, nil
}

func mustAccept(t testing.TB, sink sinks.Sink, message sinks.Message) sinks.Receipt {
	t.Helper()
	receipt, err := storeOne(t, sink, message)
	if err != nil || receipt.Proof != sinks.Accepted {
		t.Fatalf("got %+v, %v; want it accepted", receipt, err)
	}
	return receipt
}

// answering gives one answer at one verb, and the usual ones elsewhere.
func answering(verb, answer string) func(smtptest.Step) string {
	return func(step smtptest.Step) string {
		if step.Verb == verb {
			return answer
		}
		return ""
	}
}

func TestSMTPEnvelope(t *testing.T) {
	const junk = "no address> SIZE=1"
	tests := []struct {
		name       string
		mode       sinks.SMTPSender
		sender     string
		utf8       bool
		recipients []string
		from       string
		rcpts      string
	}{
		{"null", sinks.NullSender, "carol@example.net", false, []string{"bob@example.org"}, "", "bob@example.org"},
		{"return-path", sinks.ReturnPathSender, "carol@example.net", false, []string{"bob@example.org"}, "carol@example.net", "bob@example.org"},
		{"return-path missing", sinks.ReturnPathSender, "", false, []string{"bob@example.org"}, "", "bob@example.org"},
		{"return-path is junk", sinks.ReturnPathSender, junk, false, []string{"bob@example.org"}, "", "bob@example.org"},
		{"return-path 8-bit", sinks.ReturnPathSender, "bäcker@example.net", false, []string{"bob@example.org"}, "", "bob@example.org"},
		{"return-path 8-bit, taken", sinks.ReturnPathSender, "bäcker@example.net", true, []string{"bob@example.org"}, "bäcker@example.net", "bob@example.org"},
		{"several, one twice", sinks.NullSender, "", false, []string{"b@x", "a@x", "b@x"}, "", "b@x a@x"},
		{"local", sinks.NullSender, "", false, []string{"bob"}, "", "bob"},
		{"8-bit recipient", sinks.NullSender, "", true, []string{"bäcker@x"}, "", "bäcker@x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newSMTP(t, smtptest.Options{SizeLimit: 1000, UTF8: test.utf8})
			config := smtpConfig(server)
			config.Sender = test.mode
			message := smtpMessage(smtpHello, test.recipients...)
			message.Sender = test.sender
			mustAccept(t, openSMTP(t, config), message)
			got := server.Messages()[0]
			if got.From != test.from || strings.Join(got.Rcpts, " ") != test.rcpts {
				t.Errorf("from %q to %q, want %q to %q", got.From, got.Rcpts, test.from, test.rcpts)
			}
			if want := fmt.Sprintf("BODY=8BITMIME SIZE=%d", len(smtpHello)); !strings.HasPrefix(got.Params, want) {
				t.Errorf("parameters %q, want %q", got.Params, want)
			}
		})
	}
}

func TestSMTPRefusesWhatItCannotCarry(t *testing.T) {
	tests := []struct {
		name, octets string
		options      smtptest.Options
		recipients   []string
		reason       string // prefix
		dials        bool
	}{
		{"bare LF", "a\nb\r\n", smtptest.Options{}, []string{"a@x"}, "not transportable: bare LF", false},
		{"bare CR", "a\rb\r\n", smtptest.Options{}, []string{"a@x"}, "not transportable: bare CR", false},
		{"NUL", "a\x00\r\n", smtptest.Options{}, []string{"a@x"}, "not transportable: NUL", false},
		{"long line", strings.Repeat("x", 999) + "\r\n", smtptest.Options{}, []string{"a@x"}, "not transportable: a line of 999 octets", false},
		{"no final line end", "a", smtptest.Options{}, []string{"a@x"}, "not transportable: no final line end", false},
		{"all at once", "\x00\r\r\n\n" + strings.Repeat("x", 1000), smtptest.Options{}, []string{"a@x"},
			"not transportable: bare LF, bare CR, NUL, a line of 1001 octets, no final line end", false},
		{"8-bit", "\xe4\r\n", smtptest.Options{SevenBit: true}, []string{"a@x"}, "not transportable: 8-bit octets, and the server lacks 8BITMIME", true},
		{"too large", smtpHello, smtptest.Options{SizeLimit: 10}, []string{"a@x"}, "not transportable: 25 octets, and the server takes at most 10", true},
		{"8-bit recipient", smtpHello, smtptest.Options{}, []string{"ä@x"}, "not transportable: recipient \"ä@x\", and the server lacks SMTPUTF8", true},
		{"no recipient", smtpHello, smtptest.Options{}, nil, "no recipient", false},
		{"injection", smtpHello, smtptest.Options{}, []string{"a@x>\r\nDATA"}, `recipient "a@x> DATA": octet 0x3e`, false},
		{"parameter", smtpHello, smtptest.Options{}, []string{"a@x SIZE=1"}, `recipient "a@x SIZE=1": octet 0x20`, false},
		{"empty recipient", smtpHello, smtptest.Options{}, []string{""}, `recipient "": empty`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newSMTP(t, test.options)
			sink := openSMTP(t, smtpConfig(server))
			receipt, err := storeOne(t, sink, smtpMessage(test.octets, test.recipients...))
			if err != nil || receipt.Proof != sinks.Refused || !strings.HasPrefix(receipt.Reason, test.reason) {
				t.Errorf("got %+v, %v; want refused, %s", receipt, err, test.reason)
			}
			for _, command := range server.Commands() {
				if !strings.HasPrefix(command, "EHLO") {
					t.Errorf("sent %q", command)
				}
			}
			if (server.Connections() > 0) != test.dials {
				t.Errorf("%d connections", server.Connections())
			}
			// One such message does not spoil the sink.
			if !test.dials {
				mustAccept(t, sink, smtpMessage(smtpHello, "a@x"))
			}
		})
	}
}

func TestSMTPGroup(t *testing.T) {
	server := newSMTP(t, smtptest.Options{Answer: func(step smtptest.Step) string {
		if step.Verb == "RCPT" && strings.Contains(step.Arg, "nobody") {
			return "550 5.1.1 nobody"
		}
		return ""
	}})
	sink := openSMTP(t, smtpConfig(server))
	group := []sinks.Message{smtpMessage("1\r\n", "a@x"), smtpMessage("2\n", "a@x"), smtpMessage("3\r\n", "nobody@x"), smtpMessage("4\r\n", "a@x")}
	receipts, err := sink.Store(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	want := []sinks.Proof{sinks.Accepted, sinks.Refused, sinks.Refused, sinks.Accepted}
	for i, receipt := range receipts {
		if receipt.Proof != want[i] {
			t.Errorf("message %d: %+v, want %v", i, receipt, want[i])
		}
	}
	if receipts, err := sink.Store(t.Context(), nil); err != nil || len(receipts) != 0 {
		t.Errorf("empty group: %v, %v", receipts, err)
	}
	if err := sink.Committed(t.Context()); err != nil {
		t.Error(err)
	}
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
	server.Close()
	commands := server.Commands()
	if commands[len(commands)-1] != "QUIT" || server.Connections() != 1 {
		t.Errorf("%d connections, commands %q", server.Connections(), commands)
	}
}

func TestSMTPErrorDoesNotHideEarlierReceipts(t *testing.T) {
	server := newSMTP(t, smtptest.Options{})
	sink := openSMTP(t, smtpConfig(server))
	wrong := smtpMessage("2\r\n", "a@x")
	wrong.Digest[0]++
	receipts, err := sink.Store(t.Context(), []sinks.Message{smtpMessage("1\r\n", "a@x"), wrong, smtpMessage("3\r\n", "a@x")})
	if err != nil || receipts[0].Proof != sinks.Accepted || receipts[1].Proof != sinks.Later || receipts[2].Proof != sinks.Later {
		t.Errorf("got %+v, %v", receipts, err)
	}
	if _, err := sink.Store(t.Context(), nil); err != nil {
		t.Errorf("empty group: %v", err)
	}
	if _, err := sink.Store(t.Context(), []sinks.Message{smtpMessage("3\r\n", "a@x")}); err == nil {
		t.Error("the error is lost")
	}
	if got := server.Messages(); len(got) != 1 {
		t.Errorf("%d messages on the server", len(got))
	}
}

func TestLMTPOverUnixSocket(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{LMTP: true, Socket: filepath.Join(t.TempDir(), "lmtp"), User: "u", Password: "p"})
	config := smtpConfig(server)
	config.User, config.Password = "u", func(context.Context) (string, error) { return "p", nil }
	receipt := mustAccept(t, openSMTP(t, config), smtpMessage(smtpHello, "alice"))
	if want := "lmtp unix:" + server.Address + " <alice>: 250"; !strings.HasPrefix(string(receipt.Where), want) {
		t.Errorf("where %q, want %q", receipt.Where, want)
	}
	if got := server.Messages()[0].Octets; !bytes.Equal(got, []byte(smtpHello)) {
		t.Errorf("got %q", got)
	}
}

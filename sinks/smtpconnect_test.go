package sinks_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"popmigrate/sinks"
	"popmigrate/sinks/smtptest"
)

const smtpPassword = "s3cret"

var smtpPlain = base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + smtpPassword))

var smtpConnectTests = []struct {
	name    string
	options smtptest.Options
	change  func(*sinks.SMTP)
	proof   sinks.Proof // Accepted or Later
	hard    string      // part of an *Error instead
	hint    bool
}{
	{name: "clear", proof: sinks.Accepted},
	{name: "starttls", options: smtptest.Options{TLS: smtptest.StartTLS}, change: withTLS(sinks.SMTPStartTLS), proof: sinks.Accepted},
	{name: "implicit", options: smtptest.Options{TLS: smtptest.ImplicitTLS}, change: withTLS(sinks.SMTPImplicitTLS), proof: sinks.Accepted},
	{name: "lmtp starttls", options: smtptest.Options{TLS: smtptest.StartTLS, LMTP: true}, change: withTLS(sinks.SMTPStartTLS), proof: sinks.Accepted},
	{name: "starttls not offered", change: withTLS(sinks.SMTPStartTLS), hard: "starttls: server does not offer it", hint: true},
	{name: "starttls refused", options: smtptest.Options{TLS: smtptest.StartTLS, Answer: answering("STARTTLS", "554 5.7.0 no")},
		change: withTLS(sinks.SMTPStartTLS), hard: `starttls: server said "554 5.7.0 no"`, hint: true},
	{name: "starttls not now", options: smtptest.Options{TLS: smtptest.StartTLS, Answer: answering("STARTTLS", "454 4.7.0 later")},
		change: withTLS(sinks.SMTPStartTLS), proof: sinks.Later},
	{name: "starttls injection", options: smtptest.Options{TLS: smtptest.StartTLS, Answer: answering("STARTTLS", "220 go\r\n250 me")},
		change: withTLS(sinks.SMTPStartTLS), hard: "clear text after the reply", hint: true},
	{name: "unknown authority", options: smtptest.Options{TLS: smtptest.StartTLS}, hard: "tls: ", hint: true, change: func(c *sinks.SMTP) {
		c.TLS, c.TLSConfig = sinks.SMTPStartTLS, nil
	}},
	{name: "other name", options: smtptest.Options{TLS: smtptest.ImplicitTLS}, hard: "certificate is valid for", hint: true, change: func(c *sinks.SMTP) {
		c.TLS, c.TLSConfig.ServerName = sinks.SMTPImplicitTLS, "mx.example.org"
	}},
	{name: "implicit at a clear text port", change: withTLS(sinks.SMTPImplicitTLS), hard: "tls: ", hint: true},
	{name: "greeting 4xx", options: smtptest.Options{Answer: answering("CONNECT", "421 4.3.2 busy")}, proof: sinks.Later},
	{name: "greeting 5xx", options: smtptest.Options{Answer: answering("CONNECT", "554 no service")}, hard: `greeting: server said "554 no service"`, hint: true},
	{name: "no greeting", options: smtptest.Options{Answer: answering("CONNECT", smtptest.Drop)}, proof: sinks.Later},
	{name: "ehlo 4xx", options: smtptest.Options{Answer: answering("EHLO", "451 4.3.0 busy")}, proof: sinks.Later},
	{name: "ehlo drop", options: smtptest.Options{Answer: answering("EHLO", smtptest.Drop)}, proof: sinks.Later},
	{name: "dial fails", proof: sinks.Later, change: func(c *sinks.SMTP) {
		c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	}},
	{name: "smtp server as lmtp", change: func(c *sinks.SMTP) { c.Protocol = "lmtp" },
		options: smtptest.Options{Answer: answering("HELO", "250 old")}, hard: "server does not speak lmtp", hint: true},

	{name: "auth plain", options: smtptest.Options{TLS: smtptest.StartTLS, User: "alice", Password: smtpPassword}, change: withTLS(sinks.SMTPStartTLS), proof: sinks.Accepted},
	{name: "auth login", options: smtptest.Options{TLS: smtptest.ImplicitTLS, User: "alice", Password: smtpPassword, Mechanism: "LOGIN"},
		change: withTLS(sinks.SMTPImplicitTLS), proof: sinks.Accepted},
	{name: "auth on the loopback", options: smtptest.Options{User: "alice", Password: smtpPassword}, proof: sinks.Accepted},
	{name: "auth refused", options: smtptest.Options{User: "alice", Password: "other"}, hard: `login: server said "535 5.7.8 wrong`, hint: true},
	{name: "auth not now", options: smtptest.Options{User: "alice", Password: smtpPassword, Answer: answering("AUTH", "454 4.7.0 later")}, proof: sinks.Later},
	{name: "auth echoed", options: smtptest.Options{User: "alice", Password: smtpPassword, Answer: answering("AUTH", "535 5.7.8 not "+smtpPassword+" nor "+smtpPlain)},
		hard: `"535 5.7.8 not (secret) nor (secret)"`, hint: true},
	{name: "auth mechanism missing", options: smtptest.Options{User: "alice", Password: smtpPassword, Mechanism: "GSSAPI"}, hard: "neither auth plain nor auth login"},
	{name: "auth demanded", options: smtptest.Options{Answer: answering("MAIL", "530 5.7.0 log in first")}, hard: `mail: server said "530 5.7.0 log in first"`, hint: true},
}

func TestSMTPConnects(t *testing.T) {
	for _, test := range smtpConnectTests {
		t.Run(test.name, func(t *testing.T) {
			server := smtptest.Start(t, test.options)
			config := smtpConfig(server)
			if test.options.User != "" {
				config.User, config.Password = "alice", func(context.Context) (string, error) { return smtpPassword, nil }
			}
			if test.change != nil {
				test.change(&config)
			}
			sink := openSMTP(t, config)
			receipt, err := storeOne(t, sink, smtpMessage(smtpHello, "a@x"))
			if text := receipt.Reason + errorText(err); strings.Contains(text, smtpPassword) || strings.Contains(text, smtpPlain) {
				t.Errorf("the password leaks: %s", text)
			}
			if test.hard == "" {
				if err != nil || receipt.Proof != test.proof {
					t.Errorf("got %+v, %v; want %v", receipt, err, test.proof)
				}
				return
			}
			failure, ok := errors.AsType[*sinks.Error](err)
			if !ok || failure.Op != "deliver" || failure.Object != server.Address || !strings.Contains(err.Error(), test.hard) || (failure.Hint != "") != test.hint {
				t.Fatalf("got %+v, %v (%+v)\nwant an error with %q", receipt, err, failure, test.hard)
			}
			connections := server.Connections()
			if _, again := sink.Store(t.Context(), []sinks.Message{smtpMessage(smtpHello, "a@x")}); again == nil || server.Connections() != connections {
				t.Errorf("tried again: %v", again)
			}
			for _, command := range server.Commands() {
				if test.hint && strings.HasPrefix(command, "DATA") {
					t.Error("went on to DATA")
				}
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func withTLS(mode sinks.SMTPTLS) func(*sinks.SMTP) {
	return func(c *sinks.SMTP) { c.TLS = mode }
}

// The server's Dial gives a connection that is neither TLS nor known to be local.
func TestSMTPNoPasswordInTheClear(t *testing.T) {
	server := newSMTP(t, smtptest.Options{User: "alice", Password: "p"})
	config := smtpConfig(server)
	config.User = "alice"
	config.Password = func(context.Context) (string, error) {
		t.Error("the password is asked for")
		return "p", nil
	}
	_, err := storeOne(t, openSMTP(t, config), smtpMessage(smtpHello, "a@x"))
	if err == nil || !strings.Contains(err.Error(), "clear text") {
		t.Errorf("got %v", err)
	}
	if commands := server.Commands(); slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, "AUTH") }) {
		t.Errorf("commands %q", commands)
	}
}

func TestSMTPSaysNothingBeforeEncryption(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{TLS: smtptest.StartTLS})
	config := smtpConfig(server)
	config.TLS, config.Hello = sinks.SMTPStartTLS, "client.example.org"
	mustAccept(t, openSMTP(t, config), smtpMessage(smtpHello, "a@x"))
	want := []string{"EHLO client.example.org", "STARTTLS", "EHLO client.example.org"}
	if got := server.Commands()[:3]; !slices.Equal(got, want) {
		t.Errorf("commands %q, want %q", got, want)
	}
}

func TestOpenSMTPRefusesNonsense(t *testing.T) {
	tests := map[string]func(*sinks.SMTP){
		"neither smtp nor lmtp": func(c *sinks.SMTP) { c.Protocol = "qmtp" },
		"neither tcp nor unix":  func(c *sinks.SMTP) { c.Network = "udp" },
		"missing port":          func(c *sinks.SMTP) { c.Address = "mx.example.org" },
		"without a password":    func(c *sinks.SMTP) { c.User = "alice" },
		"hello name":            func(c *sinks.SMTP) { c.Hello = "a\r\nRSET" },
		"server's name":         func(c *sinks.SMTP) { c.Network, c.Address, c.TLS, c.TLSConfig = "unix", "/s", sinks.SMTPStartTLS, nil },
	}
	for want, change := range tests {
		config := sinks.SMTP{Protocol: "smtp", Network: "tcp", Address: "mx.example.org:25", TLS: sinks.SMTPNoTLS}
		change(&config)
		if _, err := sinks.OpenSMTP(t.Context(), config, sinks.Opening{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestSMTPDialsAgainAfterIdleClose(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{MessagesPerConn: 2})
	sink := openSMTP(t, smtpConfig(server))
	for range 5 {
		mustAccept(t, sink, smtpMessage(smtpHello, "a@x"))
	}
	if len(server.Messages()) != 5 || server.Connections() != 3 {
		t.Errorf("%d messages over %d connections", len(server.Messages()), server.Connections())
	}
}

// A server that answers 421 to every MAIL is tried once per message, or twice
// if the connection had been kept, not for ever.
func TestSMTPDialsAgainOnlyOnce(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{Answer: func(step smtptest.Step) string {
		if step.Verb == "MAIL" && (step.Conn > 1 || step.Message > 0) {
			return "421 4.3.2 enough"
		}
		return ""
	}})
	sink := openSMTP(t, smtpConfig(server))
	mustAccept(t, sink, smtpMessage(smtpHello, "a@x"))
	receipt, err := storeOne(t, sink, smtpMessage(smtpHello, "a@x"))
	if err != nil || receipt.Proof != sinks.Later || server.Connections() != 2 {
		t.Errorf("got %+v, %v over %d connections", receipt, err, server.Connections())
	}
}

func TestSMTPUnreachableServerIsDialedOncePerGroup(t *testing.T) {
	dialed := 0
	config := smtpConfig(newSMTP(t, smtptest.Options{}))
	config.Dial = func(context.Context, string, string) (net.Conn, error) {
		dialed++
		return nil, errors.New("no route to host")
	}
	sink := openSMTP(t, config)
	receipts, err := sink.Store(t.Context(), []sinks.Message{smtpMessage("1\r\n", "a@x"), smtpMessage("2\r\n", "a@x")})
	if err != nil || dialed != 1 || receipts[0].Proof != sinks.Later || receipts[1].Reason != "dial mx.example.org:25: no route to host" {
		t.Errorf("got %+v, %v after %d dials", receipts, err, dialed)
	}
	if _, err := storeOne(t, sink, smtpMessage("1\r\n", "a@x")); err != nil || dialed != 2 {
		t.Errorf("next store: %v after %d dials", err, dialed)
	}
}

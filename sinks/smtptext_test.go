package sinks_test

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"popmigrate/sinks"
	"popmigrate/sinks/smtptest"
)

func TestSMTPOctetsArriveUnchanged(t *testing.T) {
	texts := map[string]string{
		"usual":             smtpHello,
		"empty":             "",
		"only a line end":   "\r\n",
		"blank lines last":  "a: b\r\n\r\nc\r\n\r\n\r\n\r\n",
		"dots":              ".\r\n..\r\n.x\r\n\r\n.\r\n...\r\nx.\r\n.\r\n",
		"only a dot":        ".\r\n",
		"998 octets":        strings.Repeat("x", 998) + "\r\n" + strings.Repeat(".", 998) + "\r\n",
		"no header":         "\r\nbody\r\n",
		"8-bit":             "Subject: \xe4\xf6\xfc\r\n\r\n\xff\xfe \xc3\xa4\r\n",
		"control octets":    "a\x01\x02\x7f\x1a\x08\r\n",
		"over one buffer":   strings.Repeat(".0123456789\r\n", 10_000),
		"dots at each 4 KB": strings.Repeat(strings.Repeat("x", 94)+"\r\n.\r\n", 1_000),
	}
	for _, lmtp := range []bool{false, true} {
		for name, octets := range texts {
			t.Run(fmt.Sprintf("lmtp=%t/%s", lmtp, name), func(t *testing.T) {
				server := newSMTP(t, smtptest.Options{LMTP: lmtp})
				sink := openSMTP(t, smtpConfig(server))
				// Twice, so that whatever the first leaves behind on the connection shows.
				for range 2 {
					mustAccept(t, sink, smtpMessage(octets, "bob@example.org"))
				}
				messages := server.Messages()
				if len(messages) != 2 || server.Connections() != 1 {
					t.Fatalf("%d messages over %d connections", len(messages), server.Connections())
				}
				for _, got := range messages {
					if string(got.Octets) != octets {
						t.Errorf("got %.200q\nwant %.200q", got.Octets, octets)
					}
				}
			})
		}
	}
}

// A message whose octets are not what they should be must never become one on
// the server.
func TestSMTPNeverEndsAWrongMessage(t *testing.T) {
	cause := errors.New("spool is broken")
	opening := func(octets string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(octets)), nil }
	}
	tests := map[string]func(m *sinks.Message){
		"cannot open":         func(m *sinks.Message) { m.Open = func() (io.ReadCloser, error) { return nil, cause } },
		"fails at once":       func(m *sinks.Message) { m.Open = failing("", cause) },
		"fails in the middle": func(m *sinks.Message) { m.Open = failing(smtpHello[:10], cause) },
		"fails at the end":    func(m *sinks.Message) { m.Open = failing(smtpHello, cause) },
		"short":               func(m *sinks.Message) { m.Open = opening(smtpHello[:16]) },
		"long":                func(m *sinks.Message) { m.Open = opening(smtpHello + "more\r\n") },
		"other octets":        func(m *sinks.Message) { m.Open = opening(strings.Replace(smtpHello, "h", "H", 1)) },
		"wrong digest":        func(m *sinks.Message) { m.Digest[0]++ },
		"wrong octets":        func(m *sinks.Message) { m.Octets++ },
		"bare LF untold":      func(m *sinks.Message) { *m = smtpMessage("a\nb\r\n", "a@x"); m.BareLF = false },
		"bare CR untold":      func(m *sinks.Message) { *m = smtpMessage("a\rb\r\n", "a@x"); m.BareCR = false },
		"CR CR LF untold":     func(m *sinks.Message) { *m = smtpMessage("a\r\r\n", "a@x"); m.BareCR = false },
		"final CR untold":     func(m *sinks.Message) { *m = smtpMessage("a\r", "a@x"); m.BareCR, m.NoFinalEOL = false, false },
		"no line end untold":  func(m *sinks.Message) { *m = smtpMessage("a", "a@x"); m.NoFinalEOL = false },
		"NUL untold":          func(m *sinks.Message) { *m = smtpMessage("a\x00\r\n", "a@x"); m.NUL = false },
		"long line untold": func(m *sinks.Message) {
			*m = smtpMessage(strings.Repeat("x", 999)+"\r\n", "a@x")
			m.LongestLine = 1
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			server := newSMTP(t, smtptest.Options{})
			sink := openSMTP(t, smtpConfig(server))
			message := smtpMessage(smtpHello, "a@x")
			spoil(&message)
			receipts, err := sink.Store(t.Context(), []sinks.Message{message})
			if failure, ok := errors.AsType[*sinks.Error](err); !ok || !strings.HasPrefix(failure.Object, "message 1 to mx") {
				t.Errorf("got %+v, %v; want an error", receipts, err)
			}
			if _, again := sink.Store(t.Context(), []sinks.Message{smtpMessage(smtpHello, "a@x")}); again == nil {
				t.Error("store after an error succeeds")
			}
			sink.Close()
			server.Close()
			if got := server.Messages(); len(got) != 0 {
				t.Errorf("server has %q", got[0].Octets)
			}
		})
	}
}

// failing returns an Open whose reader gives octets and then an error.
func failing(octets string, err error) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(octets), failingReader{err})), nil
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// generated is a message of about so many octets that are nowhere in memory.
func generated(octets int64) sinks.Message {
	line := strings.Repeat("0123456789", 7) + "\r\n"
	octets -= octets % int64(len(line))
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(&repeating{line: line}, octets)), nil
	}
	message := smtpMessage(line, "a@x")
	message.Open, message.Octets = open, octets
	reader, _ := open()
	hash := sha256.New()
	io.Copy(hash, reader)
	hash.Sum(message.Digest[:0])
	return message
}

type repeating struct {
	line string
	at   int
}

func (r *repeating) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		copied := copy(p[n:], r.line[r.at:])
		n += copied
		r.at = (r.at + copied) % len(r.line)
	}
	return len(p), nil
}

var flatOctets int64 = 100_000_000

func TestSMTPMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 100 MB")
	}
	server := smtptest.Start(t, smtptest.Options{Discard: true, TLS: smtptest.StartTLS})
	config := smtpConfig(server)
	config.TLS, config.TLSConfig = sinks.SMTPStartTLS, &tls.Config{RootCAs: server.Roots}
	sink := openSMTP(t, config)
	mustAccept(t, sink, smtpMessage(smtpHello, "a@x"))

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	message := generated(flatOctets)
	mustAccept(t, sink, message)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 {
		t.Errorf("%d octets allocated for a message of %d", allocated, message.Octets)
	}
	if got := server.Messages()[1]; got.Length != message.Octets || got.Digest != message.Digest {
		t.Errorf("server has %d octets of %v", got.Length, got.Digest)
	}
}

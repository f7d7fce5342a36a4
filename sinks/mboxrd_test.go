package sinks

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// hostile are messages that mbox files are known to lose something of.
func hostile() map[string]string {
	return map[string]string{
		"empty":                     "",
		"CRLF only":                 "\r\n",
		"two CRLF":                  "\r\n\r\n",
		"ordinary":                  "Subject: x\r\n\r\nbody\r\n",
		"no final line end":         "Subject: x\r\n\r\nbody",
		"header only":               "Subject: x\r\n\r\n",
		"one trailing blank line":   "a\r\n\r\n",
		"two trailing blank lines":  "a\r\n\r\n\r\n",
		"three trailing blank":      "a\r\n\r\n\r\n\r\n",
		"From_ line":                "a\r\nFrom b\r\nc\r\n",
		"From_ line first":          "From b\r\nc\r\n",
		"From_ line last":           "a\r\n\r\nFrom b\r\n",
		"From_ line last, no end":   "a\r\n\r\nFrom b",
		"From without space":        "From\r\nFrom",
		"quoted From_":              ">From b\r\n>>From c\r\n>>>From d\r\n",
		"quoted From_ last, no end": "a\r\n>>From ",
		"angles only":               ">>>>\r\n>\r\n>>",
		"angles and part of From_":  ">>Fro\r\n>F\r\nFrom\r\n",
		"From_ after bare CR":       "a\rFrom b\r\n",
		"bare LF":                   "a\nb\r\n",
		"bare LF at the end":        "a\r\nb\n",
		"bare LF and bare CR":       "a\nb\rc\r\r\nd\r",
		"bare LF first":             "\na\r\n",
		"From_ after bare LF":       "a\nFrom b\n>From c\r\n",
		"bare CR":                   "a\rb\r\n",
		"bare CR at the end":        "a\r\nb\r",
		"CR CR LF":                  "a\r\r\nb\r\r\n",
		"CR CR":                     "a\r\r",
		"NUL":                       "a\x00b\r\n\x00\r\n",
		"8-bit":                     "\xff\xfe\r\n\x80From \r\n",
		"dots":                      ".\r\n..\r\n.a\r\n",
		"line just under the bound": strings.Repeat("x", maxLine-2) + "\r\nb\r\n",
		"line just over the bound":  "a\r\n" + strings.Repeat("x", maxLine-1) + "\r\nFrom b\r\n>From c\r\n",
		"long last line":            "a\r\n" + strings.Repeat("x", maxLine+1),
		"long last line, ended":     ">From a\r\n" + strings.Repeat("y", maxLine+1) + "\r\n",
		"long run of angles":        "a\r\n" + strings.Repeat(">", 3*maxLine) + "From b\r\nFrom c\r\n",
		"long run of angles, plain": strings.Repeat(">", 3*maxLine) + "Fromage\r\n",
		"bare LF after a long line": strings.Repeat("x", 2*maxLine) + "\r\nb\nc\r\n",
	}
}

func lfForm(wire string) string { return strings.ReplaceAll(wire, "\r\n", "\n") }

// encodeString returns the entry of a message written in portions of n octets.
func encodeString(t testing.TB, wire string, n int) (entry []byte, e *mboxrdEncoder) {
	t.Helper()
	var out bytes.Buffer
	e = new(mboxrdEncoder)
	env := Envelope{Sender: "a@example.org", Received: time.Unix(1e9, 0)}
	if err := e.start(&out, env); err != nil {
		t.Fatal(err)
	}
	e.announced = int64(len(wire))
	for rest := wire; len(rest) > 0; rest = rest[min(n, len(rest)):] {
		if _, err := e.Write([]byte(rest[:min(n, len(rest))])); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), e
}

// encodePlain is encodeString without go-mbox.
func encodePlain(t testing.TB, wire string, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("From a@example.org Sun Sep  9 01:46:40 2001\n")
	w := &plainMboxrd{out: &out}
	for rest := wire; len(rest) > 0; rest = rest[min(n, len(rest)):] {
		if _, err := w.Write([]byte(rest[:min(n, len(rest))])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decodeString(entry []byte, noFinalEOL bool, n int) (wire string, lf [32]byte, err error) {
	var out bytes.Buffer
	sum := sha256.New()
	d := new(mboxrdDecoder)
	d.start(int64(len(entry)), noFinalEOL, &out, sum)
	for len(entry) > 0 && err == nil {
		k := min(n, len(entry))
		_, err = d.Write(entry[:k])
		entry = entry[k:]
	}
	if err == nil {
		err = d.Close()
	}
	sum.Sum(lf[:0])
	return out.String(), lf, err
}

// checkRoundTrip holds for every message: both encoders agree, and the decoder
// gives the wire form back, or, where an LF had no CR, says the same LF form.
func checkRoundTrip(t *testing.T, wire string, portions ...int) {
	t.Helper()
	entry, e := encodeString(t, wire, len(wire)+1)
	if want := lfForm(wire); e.bareLF != strings.Contains(strings.ReplaceAll(wire, "\r\n", ""), "\n") {
		t.Errorf("bare LF: %v", e.bareLF)
	} else if e.noFinalEOL == strings.HasSuffix(want, "\n") {
		t.Errorf("no final line end: %v", e.noFinalEOL)
	}
	for _, n := range portions {
		if n < len(wire)/10_000 {
			continue // slow, and shows nothing that a short message does not
		}
		if again, _ := encodeString(t, wire, n); !bytes.Equal(again, entry) {
			t.Fatalf("in portions of %d the entry is\n%.200q, else\n%.200q", n, again, entry)
		}
		if plain := encodePlain(t, wire, n); !bytes.Equal(plain, entry) {
			t.Fatalf("in portions of %d without go-mbox the entry is\n%.200q, else\n%.200q", n, plain, entry)
		}
		got, lf, err := decodeString(entry, e.noFinalEOL, n)
		if err != nil {
			t.Fatalf("portions of %d: decode %.200q: %v", n, entry, err)
		}
		if got != wire && !e.bareLF {
			t.Fatalf("portions of %d: got %.200q, want %.200q", n, got, wire)
		}
		if lf != sha256.Sum256([]byte(lfForm(wire))) {
			t.Fatalf("portions of %d: LF form differs", n)
		}
		if got, _, err := decodeString(entry, !e.noFinalEOL, n); err == nil && got == wire {
			t.Fatal("the final line end makes no difference")
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for name, wire := range hostile() {
		t.Run(name, func(t *testing.T) { checkRoundTrip(t, wire, 1, 2, 7, 4096, 1<<20) })
	}
	t.Run("random", func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		parts := []string{"\r\n", "\r\n", "\r", "\n", ">", "From ", "From", "\x00", "\xff", ".", "a", " "}
		for range 4_000 {
			var wire strings.Builder
			for range random.IntN(12) {
				wire.WriteString(parts[random.IntN(len(parts))])
			}
			checkRoundTrip(t, wire.String(), 1, 3, 100)
		}
	})
}

func TestRoundTripOfOneHugeLine(t *testing.T) {
	if testing.Short() {
		t.Skip("32 MiB")
	}
	checkRoundTrip(t, "Subject: x\r\n\r\n"+strings.Repeat("x", 32<<20)+"\r\nFrom b\r\n", 1<<16)
}

func FuzzRoundTrip(f *testing.F) {
	for _, wire := range hostile() {
		f.Add(wire[:min(len(wire), 200)], uint8(3))
	}
	f.Fuzz(func(t *testing.T, wire string, n uint8) { checkRoundTrip(t, wire, int(n)+1) })
}

// FuzzDecode: whatever text the decoder takes, it is an entry that the encoder
// would write for what came out.
func FuzzDecode(f *testing.F) {
	for _, wire := range hostile() {
		entry, e := encodeString(f, wire[:min(len(wire), 200)], 1000)
		f.Add(entry, e.noFinalEOL, uint8(5))
	}
	f.Fuzz(func(t *testing.T, entry []byte, noFinalEOL bool, n uint8) {
		wire, _, err := decodeString(entry, noFinalEOL, int(n)+1)
		if err != nil {
			return
		}
		_, body, _ := bytes.Cut(entry, []byte("\n"))
		_, again, _ := bytes.Cut(encodePlain(t, wire, 10), []byte("\n"))
		if !bytes.Equal(body, again) {
			t.Fatalf("decoded %q, which encodes as %q", body, again)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	const from = "From a@example.org Sun Sep  9 01:46:40 2001\n"
	for name, entry := range map[string]string{
		"nothing":               "",
		"no separator":          "Subject: x\n\nb\n\n",
		"separator only":        from,
		"no blank line":         from + "a\n",
		"text for a blank line": from + "a\nb",
		"unquoted From_":        from + "a\nFrom b\n\n",
		"separator without end": strings.TrimSuffix(from, "\n"),
		"separator too long":    "From " + strings.Repeat("a", 300) + " Sun Sep  9 01:46:40 2001\na\n\n",
		"no date":               "From a@example.org\na\n\n",
		"short date":            "From a@example.org Sun Sep 9 2001\na\n\n",
		"zeros":                 strings.Repeat("\x00", 100),
	} {
		for _, n := range []int{1, 1000} {
			if wire, _, err := decodeString([]byte(entry), false, n); err == nil {
				t.Errorf("%s: decoded as %q", name, wire)
			}
		}
	}
	d := new(mboxrdDecoder)
	d.start(4, false, io.Discard, nil)
	if _, err := d.Write([]byte("From a")); err == nil {
		t.Error("took more text than the entry has")
	}
	if d.start(100, false, io.Discard, nil); d.Close() == nil {
		t.Error("took an entry that was cut")
	}
}

func TestFromLine(t *testing.T) {
	at := time.Date(2024, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600))
	for _, test := range []struct{ sender, want string }{
		{"a@example.org", "a@example.org"},
		{"", "MAILER-DAEMON"},
		{"a b@example.org", "MAILER-DAEMON"},
		{"a@x\nFrom b@y", "MAILER-DAEMON"},
		{"a@x\r", "MAILER-DAEMON"},
		{"ä@x", "MAILER-DAEMON"},
		{"a\x00@x", "MAILER-DAEMON"},
		{strings.Repeat("a", 254), strings.Repeat("a", 254)},
		{strings.Repeat("a", 255), "MAILER-DAEMON"},
	} {
		sender, date := fromLine(Envelope{Sender: test.sender, Received: at})
		if sender != test.want || date.Format(time.ANSIC) != "Sat Feb  3 03:05:06 2024" {
			t.Errorf("%q: %q %v", test.sender, sender, date)
		}
	}
	for _, year := range []int{-5, 1, 999, 10000} {
		if _, date := fromLine(Envelope{Received: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)}); date.Year() != 1970 {
			t.Errorf("year %d became %v", year, date)
		}
	}
}

func BenchmarkMboxrd(b *testing.B) {
	message := []byte(sampleMail(1, 5000))
	entry, e := encodeString(b, string(message), len(message))
	for name, encode := range map[string]func(out *appender) error{
		"encode": func(out *appender) error {
			e.announced = int64(len(message))
			if err := e.start(out, Envelope{Sender: "a@b"}); err != nil {
				return err
			}
			e.announced = int64(len(message))
			if _, err := e.Write(message); err != nil {
				return err
			}
			return e.Close()
		},
		"encode without go-mbox": func(out *appender) error {
			w := plainMboxrd{out: out}
			if _, err := w.Write(message); err != nil {
				return err
			}
			return w.Close()
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			var out appender
			for b.Loop() {
				out.octets = out.octets[:0]
				if err := encode(&out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, sum := range map[string]bool{"decode": false, "decode and digest": true} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			var d mboxrdDecoder
			wire, lf := sha256.New(), sha256.New()
			for b.Loop() {
				if sum {
					wire.Reset()
					lf.Reset()
					d.start(int64(len(entry)), false, wire, lf)
				} else {
					d.start(int64(len(entry)), false, io.Discard, nil)
				}
				if _, err := d.Write(entry); err != nil {
					b.Fatal(err)
				}
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// sampleMail returns a message of about that many octets, compressible about
// as mail is.
func sampleMail(seed uint64, octets int) string {
	random := rand.New(rand.NewPCG(seed, 7))
	words := strings.Fields("the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were her all she there would their we him been has when who will more no if out so said what up its about into than them can only other new some could time these two may then do first any my now such like our over man me even most made after also did many before must through back years where much your way well down should because each just those people")
	var m strings.Builder
	fmt.Fprintf(&m, "Return-Path: <user%d@example.org>\r\nReceived: from mx%d.example.org (mx%d.example.org [192.0.2.%d])\r\n\tby mail.example.net (Postfix) with ESMTP id %08X\r\n\tfor <alice@example.net>; Thu, 22 Aug 2024 13:%02d:23 +0100\r\n",
		random.IntN(1000), random.IntN(9), random.IntN(9), random.IntN(255), random.Uint32(), random.IntN(60))
	fmt.Fprintf(&m, "From: User <user%d@example.org>\r\nTo: alice@example.net\r\nSubject: message %d\r\nMessage-ID: <%x@example.org>\r\nDate: Thu, 22 Aug 2024 13:36:23 +0100\r\n\r\n", random.IntN(1000), seed, random.Uint64())
	line := 0
	for m.Len() < octets-2 {
		word := words[int(float64(len(words))*math.Pow(random.Float64(), 3))] // a few words make most of a text
		if random.IntN(25) == 0 {
			word = fmt.Sprintf("%x", random.Uint32N(1<<20))
		}
		if line += len(word) + 1; line > 72 {
			m.WriteString("\r\n")
			line = 0
		}
		m.WriteString(word)
		m.WriteByte(' ')
	}
	m.WriteString("\r\n")
	return m.String()
}

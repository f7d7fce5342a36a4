package sinktest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"popmigrate/sinks"
)

// Sample is one message of the corpus, in wire form.
type Sample struct {
	Name    string
	Content []byte
}

// header makes a sample look like mail to whatever reads along.
const header = "Return-Path: <sender@example.org>\r\n" +
	"From: Sender <sender@example.org>\r\nTo: alice@example.net\r\n" +
	"Subject: sample\r\nDate: Mon, 14 Jul 2003 09:26:53 +0000\r\nMessage-ID: <sample@example.org>\r\n\r\n"

// Corpus returns the hostile messages: every one of them has broken some
// program that stores or moves mail. All are different. They are shared: a
// caller changes neither the slice nor the octets.
func Corpus() []Sample { return corpus() }

var corpus = sync.OnceValue(func() []Sample {
	line := func(octets int) string { return strings.Repeat("0123456789abcdef", octets/16+1)[:octets] }
	samples := []struct{ name, content string }{
		{"empty", ""},
		{"one CRLF", "\r\n"},
		{"three CRLF", "\r\n\r\n\r\n"},
		{"one octet", "x"},
		{"one bare LF", "\n"},
		{"one bare CR", "\r"},
		{"plain", header + "Hello.\r\n"},
		{"no body", header},
		{"header without the empty line", "Subject: cut\r\n"},
		{"body only", "\r\nno header at all\r\n"},
		{"no final line end", header + "the last line stops here"},
		{"no final line end after CR", header + "the last octet is CR\r"},
		{"no final line end after bare LF", header + "the last octet is LF\n"},
		{"empty lines at the end", header + "text\r\n\r\n\r\n\r\n"},
		{"From_ lines", "From the start\r\n" + header + "From here\r\n>From there\r\n>>From far\r\n\r\nFrom a@b Mon Jul 14 09:26:53 2003\r\n"},
		{"From_ at the very end", header + "\r\nFrom "},
		{"quoted From_ at the very end", header + "\r\n>>>From x"},
		{"almost From_", header + "from me\r\n From me\r\n>from me\r\nFrom\r\nFromage\r\n>\r\n> From me\r\n"},
		{"dot lines", header + ".\r\n..\r\n.hidden\r\n...\r\n\r\n."},
		{"NUL", header + "a\x00b\r\n\x00\x00\r\n"},
		{"8-bit", header + "caf\xe9 \xff\xfe caf\xc3\xa9\r\n"},
		{"8-bit header", "Subject: \xe4\xf6\xfc\r\n\r\ntext\r\n"},
		{"bare LF", header + "unix\nline ends\n\nFrom here\r\nand\r\n"},
		{"bare LF only", strings.ReplaceAll(header, "\r\n", "\n") + "body\n"},
		{"bare CR", header + "old mac\rline ends\r\rend\r\n"},
		{"CR CR LF", header + "one\r\r\ntwo\r\r\r\n\r\r\n"},
		{"LF CR", header + "one\n\rtwo\n\r"},
		{"mixed line ends", "a\r\nb\nc\rd\r\r\ne\n\r\nf\r\n\n"},
		{"control octets", header + "\x01\x1a\x1b[31m\x7f\x04\r\n"},
		{"line of 998", header + line(998) + "\r\n"},
		{"line of 999", header + line(999) + "\r\n"},
		{"line of 64 KiB less one", header + line(64<<10-1) + "\r\n" + line(64<<10-1) + "\r\n"},
		{"line of 64 KiB", header + line(64<<10) + "\r\n" + line(64<<10) + "\r\n"},
		{"line of 70 KB", header + line(70_000) + "\r\nFrom here\r\n"},
		{"70 KB of From_ quotes", header + strings.Repeat(">", 70_000) + "From here\r\n"},
		{"line of 2 MB", header + line(2_000_000) + "\r\nFrom here\r\n"},
		{"line of 2 MB without end", header + line(2_000_000)},
		{"70 KB header field", "X-Long: " + line(70_000) + "\r\n" + header + "text\r\n"},
		{"separator look-alike", header + "text\r\n\r\nFrom sender@example.org Mon Jul 14 09:26:53 2003\r\n" + header + "text\r\n"},
	}
	all := make([]Sample, 0, len(samples)+2)
	for _, s := range samples {
		all = append(all, Sample{s.name, []byte(s.content)})
	}
	return append(all,
		Sample{"noise", noise(300_000)},
		Sample{"5 MB", Mail(5<<20, 5)},
	)
})

// Messages returns the corpus as the messages 1, 2, 3… of a maildrop.
func Messages() []sinks.Message { return slices.Clone(messages()) }

var messages = sync.OnceValue(func() []sinks.Message {
	var all []sinks.Message
	for i, s := range Corpus() {
		all = append(all, Message(s.Content, Ordinal(int64(i+1))))
	}
	return all
})

// Mail returns an ordinary message of about the given octets: a header and
// lines of text. Equal arguments give equal octets, different seeds different ones.
func Mail(octets int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	b.Grow(octets + 512)
	fmt.Fprintf(&b, "Return-Path: <sender%d@example.org>\r\nFrom: Sender <sender%d@example.org>\r\n", seed, seed)
	fmt.Fprintf(&b, "To: alice@example.net\r\nSubject: message %d\r\nMessage-ID: <%d@example.org>\r\n\r\n", seed, seed)
	for b.Len() < octets {
		for range 8 {
			fmt.Fprintf(&b, "%s ", words[random.IntN(len(words))])
		}
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// words are what [Mail] is made of; among them what a mailbox format trips over.
var words = strings.Fields("From >From . .. mail maildrop moves message sender said nothing of the " +
	"quarterly report attached kindly find regards minutes agenda Tuesday invoice number = =20 =E4")

// Batch returns n ordinary messages of about the given octets with the
// ordinals first, first+1, …; all are different.
func Batch(n, octets int, first int64) []sinks.Message {
	messages := make([]sinks.Message, n)
	for i := range messages {
		ordinal := first + int64(i)
		messages[i] = Message(Mail(octets, uint64(ordinal)), Ordinal(ordinal))
	}
	return messages
}

// noise returns octets in which line ends, dots, NULs and From_ stand anywhere.
func noise(octets int) []byte {
	pieces := []string{"\r", "\n", "\r\n", "From ", ">From ", ".", "\x00", "\xff", "text", ">", " "}
	random := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < octets {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.Bytes()
}

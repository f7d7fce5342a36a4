package header

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

var received = time.Date(2002, 8, 22, 12, 36, 23, 0, time.UTC)

func TestScan(t *testing.T) {
	tests := []struct {
		name, section string
		want          Fields
	}{
		{"empty", "", Fields{}},
		{"no header", "\r\nFrom: body\r\n", Fields{}},
		{"usual", "Return-Path: <a@example.org>\r\n" +
			"Received: from x by y; Thu, 22 Aug 2002 13:36:23 +0100 (IST)\r\n" +
			"Received: from z by x; Thu, 22 Aug 2002 01:00:00 +0000\r\n" +
			"Date: Wed, 21 Aug 2002 00:00:00 +0000\r\nFrom: A <a@example.org>\r\nMessage-ID: <1@x>\r\n\r\nFrom: body\r\n",
			Fields{"<1@x>", "A <a@example.org>", "Wed, 21 Aug 2002 00:00:00 +0000", "a@example.org", received}},
		{"folded, LF, other case", "from:\n A\n\t<a@x>\nMESSAGE-ID :\n <2@x>\n\n", Fields{MessageID: "<2@x>", From: "A <a@x>"}},
		{"topmost wins", "From: one\r\nFrom: two\r\n", Fields{From: "one"}},
		{"no end of line", "From: one", Fields{From: "one"}},
		{"From_ line above", "From a@x Thu Aug 22 13:36:23 2002\r\n>From b\r\nFrom: one\r\n\r\n", Fields{From: "one"}},
		{"null sender", "Return-Path: <>\r\n\r\n", Fields{}},
		{"bare return path", "Return-Path: a@x\r\n\r\n", Fields{ReturnPath: "a@x"}},
		{"folded received", "Received: from x\r\n\tby y;\r\n\tThu, 22 Aug 2002 13:36:23 +0100\r\n\r\n", Fields{Received: received}},
		{"received without date", "Received: from x\r\nDate: Thu, 22 Aug 2002 13:36:23 +0100\r\n\r\n",
			Fields{Date: "Thu, 22 Aug 2002 13:36:23 +0100", Received: received}},
		{"octets that are no text", "From: a\x00\x1b[2J\xffb\x7f\u0085\r\n\r\n", Fields{From: "a[2J\ufffdb"}},
		{"bare CR", "From: a\rb\r\n\r\n", Fields{From: "ab"}},
		{"date that is none", "Date: soon\r\n\r\n", Fields{Date: "soon"}},
		{"blank continuation", "From: a\r\n \r\n b\r\n\r\n", Fields{From: "a  b"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Scan([]byte(test.section))
			if !got.Received.Equal(test.want.Received) {
				t.Errorf("received %v, want %v", got.Received, test.want.Received)
			}
			got.Received, test.want.Received = time.Time{}, time.Time{}
			if got != test.want {
				t.Errorf("got  %#v\nwant %#v", got, test.want)
			}
		})
	}
}

func TestScanIsBounded(t *testing.T) {
	long := Scan([]byte("From: " + strings.Repeat("ä", 5000) + "\r\n\r\n"))
	if len(long.From) != maxValue || !utf8.ValidString(long.From) {
		t.Errorf("long field: %d octets", len(long.From))
	}
	late := Scan([]byte(strings.Repeat("X: y\r\n", MaxSection/6) + "    From: late\r\n\r\n"))
	if late.From != "" {
		t.Error("looked beyond MaxSection")
	}
}

func TestParseDate(t *testing.T) {
	for _, s := range []string{
		"Thu, 22 Aug 2002 13:36:23 +0100", "Thu, 22 Aug 2002 13:36:23 +0100 (IST)", "22 Aug 2002 12:36:23 GMT",
		"22 Aug 02 12:36:23 +0000", "Thu Aug 22 12:36:23 2002", "Thu, 22 Aug 2002 12:36:23", "Thu Aug 22 12:36:23 UTC 2002",
		"2002-08-22T12:36:23Z", "Thu,  22 Aug 2002 12:36:23 +0000", "Thursday, 22 August 2002 12:36:23 +0000",
	} {
		if got := ParseDate(s); !got.Equal(received) {
			t.Errorf("%q: %v", s, got)
		}
	}
	for _, s := range []string{"", " ", "(", "yesterday", "Thu, 99 Aug 2002 12:36:23 +0000", strings.Repeat("1", 200)} {
		if got := ParseDate(s); !got.IsZero() {
			t.Errorf("%q: %v, want none", s, got)
		}
	}
}

func TestVolatile(t *testing.T) {
	for name := range volatile {
		if !Volatile([]byte(name)) || !Volatile([]byte(strings.ToUpper(name))) {
			t.Errorf("%s is not volatile", name)
		}
	}
	for _, name := range []string{"", "statu", "from", "x-mozilla-status22", "x-mozilla-status-and-more", "st\x00tus"} {
		if Volatile([]byte(name)) {
			t.Errorf("%q is volatile", name)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("Received: a; Thu, 22 Aug 2002 13:36:23 +0100\r\nFrom: a\r\n b\r\n\r\n"))
	f.Add([]byte("Return-Path: <<>>\nDate:\n\t\xff\x00\n"))
	f.Add([]byte(":\r\n: \r\n\r"))
	f.Fuzz(func(t *testing.T, section []byte) {
		got := Scan(section)
		for _, s := range []string{got.MessageID, got.From, got.Date, got.ReturnPath} {
			if !utf8.ValidString(s) || len(s) > maxValue || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("unfit to be shown: %q", s)
			}
		}
		if y := got.Received.UTC().Year(); y < 0 || y > 10000 {
			t.Errorf("year %d", y)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	section := []byte("Return-Path: <ilug-admin@linux.ie>\r\nDelivered-To: zzzz@localhost.example.com\r\n" +
		"Received: from localhost (localhost [127.0.0.1])\r\n\tby phobos.labs.example.com (Postfix) with ESMTP id 0958A43F99\r\n" +
		"\tfor <zzzz@localhost>; Thu, 22 Aug 2002 10:46:40 -0400 (EDT)\r\n" +
		strings.Repeat("Received: from a.example.org by b.example.org\r\n\tfor <x@localhost>; Thu, 22 Aug 2002 10:46:40 -0400\r\n", 6) +
		"Message-Id: <200208221443.PAA13579@lugh.tuatha.org>\r\nFrom: \"John P. Looney\" <valen@tuatha.org>\r\nTo: ilug@linux.ie\r\n" +
		"Subject: [ILUG] Virtual hosts\r\nDate: Thu, 22 Aug 2002 15:42:44 +0100\r\nX-Mailer: none\r\nPrecedence: bulk\r\n\r\n")
	b.SetBytes(int64(len(section)))
	b.ReportAllocs()
	for b.Loop() {
		Scan(section)
	}
}

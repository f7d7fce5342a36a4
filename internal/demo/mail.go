package demo

import (
	"fmt"
	"strings"
	"time"

	"popmigrate/pop3/pop3test"
)

// epoch dates the sample mail: a fixed day, so that the mail never changes.
var epoch = time.Date(2024, time.March, 4, 8, 30, 0, 0, time.UTC)

// ordinary is a small mailbox as people have it: a thread of plain messages.
func ordinary() []pop3test.Message {
	subjects := []string{"Minutes of Monday's meeting", "Re: Minutes of Monday's meeting", "Invoice 2024-%03d", "Lunch?", "Backup report: all well"}
	var mail []pop3test.Message
	for i := range 30 {
		subject := subjects[i%len(subjects)]
		if strings.Contains(subject, "%") {
			subject = fmt.Sprintf(subject, i)
		}
		body := fmt.Sprintf("Hello Alice,\r\n\r\nthis is sample message %d of 30.\r\n", i+1) +
			strings.Repeat("It says nothing of interest, a few times over.\r\n", 1+i*i%97) +
			"\r\n-- \r\nThe demo\r\n"
		mail = append(mail, message("alice", i, header("carol@example.com", "alice@demo.example", subject, i)+"\r\n"+body))
	}
	return mail
}

// hostile is one message of each kind that has cost somebody mail.
func hostile() []pop3test.Message {
	plain := func(i int, subject, body string) string {
		return header("mallory@example.com", "bob@demo.example", subject, i) + "\r\n" + body
	}
	contents := []string{
		"",     // no octet at all
		"\r\n", // a line end and nothing else
		plain(2, "From_ lines", "From the beginning\r\n>From the quoted one\r\n>>From twice\r\nFrom bob@demo.example Mon Mar  4 08:30:00 2024\r\n"),
		plain(3, "Dots", ".\r\n..\r\n.one\r\n...\r\n. \r\n"),
		plain(4, "NUL", "before\x00after\r\n\x00\r\n"),
		plain(5, "=?utf-8?Q?8-bit?=", "Gr\xfc\xdfe in Latin-1, Grüße in UTF-8, \xff\xfe in nothing.\r\n"),
		plain(6, "Bare LF", "one\ntwo\n.\nthree\n\r\n"),
		plain(7, "Bare CR", "one\rtwo\r\r\nthree\r\n"),
		"From: nobody@example.com\r\nDate: " + stamp(8) + "\r\n\r\nThis message has no subject.\r\n",
		"This is no header at all,\r\nonly two lines of text.\r\n",
		"Subject: a header without a body\r\n\r\n",
		"Subject: a header without its end\r\n",
		plain(12, "Blank lines at the end", "text\r\n\r\n\r\n\r\n"),
		plain(13, "The same message twice", "Both copies count.\r\n"),
		plain(13, "The same message twice", "Both copies count.\r\n"),
		"From mailer Mon Mar  4 08:30:00 2024\r\n" + plain(15, "Begins with a From_ line", "text\r\n"),
		header("mallory@example.com", "bob@demo.example", "Folded\r\n\tand folded\r\n again", 16) + "\r\ntext\r\n",
		"Status: RO\r\nX-UID: 17\r\n" + plain(17, "Written in by a server", "text\r\n"),
		plain(18, "A long line", longLine(2<<20)),
	}
	var mail []pop3test.Message
	for i, content := range contents {
		mail = append(mail, message("bob", i, content))
	}
	return mail
}

// evidence is mail under a legal hold: to be copied, never deleted.
func evidence() []pop3test.Message {
	var mail []pop3test.Message
	for i := range 12 {
		body := fmt.Sprintf("Exhibit %c.\r\n\r\n%s", 'A'+i, strings.Repeat(fmt.Sprintf("%04d: to be kept as it is.\r\n", i), 5+i*11))
		mail = append(mail, message("legal", i, header("counsel@example.com", "legal@demo.example", fmt.Sprintf("Exhibit %c", 'A'+i), i)+"\r\n"+body))
	}
	return mail
}

func message(user string, i int, content string) pop3test.Message {
	return pop3test.Message{UniqueID: fmt.Sprintf("demo-%s-%04d", user, i+1), Content: []byte(content)}
}

func header(from, to, subject string, i int) string {
	return "Return-Path: <" + from + ">\r\n" +
		"Received: from mail.example.com by demo.example; " + stamp(i) + "\r\n" +
		"From: " + from + "\r\n" +
		"To: " + to + "\r\n" +
		"Subject: " + subject + "\r\n" +
		"Date: " + stamp(i) + "\r\n" +
		fmt.Sprintf("Message-ID: <%d.%s>\r\n", i, to)
}

func stamp(i int) string {
	return epoch.Add(time.Duration(i) * 7 * time.Hour).Format("Mon, 2 Jan 2006 15:04:05 -0700")
}

// longLine returns one line of so many octets.
func longLine(octets int) string {
	var b strings.Builder
	for i := 0; b.Len() < octets-2; i++ {
		fmt.Fprintf(&b, "%d ", i)
	}
	return b.String()[:octets-2] + "\r\n"
}

package smtptest

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"

	"popmigrate/internal/digest"
)

// talk sends all commands at once and returns all replies.
func talk(t *testing.T, server *Server, commands string) string {
	t.Helper()
	conn, err := server.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, commands)
	replies, _ := io.ReadAll(bufio.NewReader(conn))
	return string(replies)
}

func TestTextIsRecordedAsItCame(t *testing.T) {
	long := strings.Repeat("x", 64<<10) // the reader's buffer
	tests := map[string]struct{ wire, want string }{
		"empty":               {"", ""},
		"stuffed":             {"..\r\n.x\r\n...\r\n", ".\r\nx\r\n..\r\n"},
		"bare LF":             {"a\n.b\n..\r\n", "a\n.b\n..\r\n"},
		"bare CR":             {"a\r.b\r\r\n..\r\n", "a\r.b\r\r\n.\r\n"},
		"LF dot LF":           {"a\n.\nb\r\n", "a\n.\nb\r\n"},
		"dot CR other":        {"a\r\n.\rb\r\n", "a\r\n\rb\r\n"},
		"CR ends the buffer":  {long[1:] + "\r\n..\r\n", long[1:] + "\r\n.\r\n"},
		"LF begins a buffer":  {long + "\n..\r\n", long + "\n..\r\n"},
		"dot begins a buffer": {long + ".\r\n", long + ".\r\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := New(Options{})
			defer server.Close()
			talk(t, server, "EHLO c\r\nMAIL FROM:<a@x> SIZE=1\r\nRCPT TO:<b@x>\r\nDATA\r\n"+test.wire+".\r\nQUIT\r\n")
			messages := server.Messages()
			if len(messages) != 1 {
				t.Fatalf("%d messages", len(messages))
			}
			got := messages[0]
			if string(got.Octets) != test.want || got.Length != int64(len(test.want)) || got.Digest != digest.Of([]byte(test.want)) {
				t.Errorf("got %d octets …%q, want %d", got.Length, got.Octets[max(0, len(got.Octets)-20):], len(test.want))
			}
			if got.From != "a@x" || got.Params != "SIZE=1" || got.Rcpts[0] != "b@x" {
				t.Errorf("envelope %+v", got)
			}
		})
	}
}

func TestReplies(t *testing.T) {
	tests := []struct {
		name     string
		options  Options
		commands string
		codes    string
	}{
		{"order", Options{}, "RCPT TO:<b@x>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nMAIL a\r\nRSET\r\nNOOP\r\nWHAT\r\nQUIT\r\n", "220 503 503 250 503 501 250 250 500 221"},
		{"login", Options{User: "u", Password: "p"}, "MAIL FROM:<>\r\nAUTH X\r\nAUTH PLAIN AHUAcQ==\r\nAUTH PLAIN AHUAcA==\r\nMAIL FROM:<>\r\nQUIT\r\n", "220 530 504 535 235 250 221"},
		{"starttls", Options{}, "STARTTLS\r\nQUIT\r\n", "220 502 221"},
		{"lmtp", Options{LMTP: true}, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r\n.\r\nQUIT\r\n", "220 500 250 250 250 354 250 250 221"},
		{"size", Options{SizeLimit: 2}, "MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nabc\r\n.\r\nQUIT\r\n", "220 250 250 354 552 221"},
		{"count", Options{MessagesPerConn: 1}, "MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n.\r\n", "220 250 250 354 250 421"},
		{"cut", Options{CutData: 3}, "MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nabc\r\n.\r\n", "220 250 250 354"},
		{"answer", Options{Answer: func(s Step) string {
			if s.Verb == "RCPT" {
				return fmt.Sprintf("450 %d %d %s", s.Conn, s.Message, s.Arg)
			}
			return ""
		}}, "MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nQUIT\r\n", "220 250 450 503 221"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := New(test.options)
			defer server.Close()
			var codes []string
			for line := range strings.Lines(talk(t, server, test.commands)) {
				if line[3] == ' ' {
					codes = append(codes, line[:3])
				}
			}
			if got := strings.Join(codes, " "); got != test.codes {
				t.Errorf("got %s, want %s", got, test.codes)
			}
		})
	}
}

package pop3

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzReply reads arbitrary octets as a status line. What is shown of it is
// clean and short, and shows no secret.
func FuzzReply(f *testing.F) {
	f.Fuzz(func(t *testing.T, octets []byte, secret string) {
		c := NewClient(nil, nil)
		c.r.fill = bytes.NewReader(octets).Read
		c.secrets.Add(secret)
		text, err := c.reply("NOOP")
		first, _, whole := bytes.Cut(octets, []byte("\n"))
		if err == nil && (!whole || !bytes.HasPrefix(bytes.ToUpper(first), []byte("+OK"))) {
			t.Errorf("success on %q", octets)
		}
		if refused := asRefusal(err); refused != nil {
			if !whole || !bytes.HasPrefix(bytes.ToUpper(first), []byte("-ERR")) || c.broken != nil {
				t.Errorf("refusal %v on %q, broken %v", err, octets, c.broken)
			}
			text = refused.Code + refused.Text
			if strings.ContainsAny(refused.Code, "[] \t") {
				t.Errorf("code %q", refused.Code)
			}
		} else if err != nil {
			if c.broken == nil {
				t.Errorf("%v, and not broken", err)
			}
			text = err.Error()
		}
		if !utf8.ValidString(text) || len(text) > 2*maxShownText || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("unfit to be shown: %q", text)
		}
		// A secret as good as any: nothing that the client's own words hold.
		if len(secret) >= 8 && isPlain(secret) && strings.Contains(text, secret) && !strings.Contains("(secret)", secret) {
			t.Errorf("shows %q: %q", secret, text)
		}
	})
}

// isPlain tells whether display leaves a text as it is, and the client's words
// lack it.
func isPlain(secret string) bool {
	return display([]byte(secret)) == secret && !strings.Contains("reply is neither +OK nor -ERR: server closed the connection: unexpected EOF "+
		errLineTooLong.Error(), secret) && !strings.ContainsAny(secret, `"\`)
}

// FuzzListings reads arbitrary octets as the replies to UIDL, LIST, STAT and
// CAPA. Rows come only of a listing that ended, each from its line.
func FuzzListings(f *testing.F) {
	f.Fuzz(func(t *testing.T, octets []byte, piece uint8) {
		lines := listingLines(octets)
		for _, command := range []string{"UIDL", "LIST", "CAPA", "STAT"} {
			c := NewClient(nil, nil)
			src := io.Reader(bytes.NewReader(octets))
			c.r.fill = func(p []byte) (int, error) { return src.Read(p[:min(len(p), 1+int(piece))]) }
			rows, err := readRows(c, command)
			if err != nil {
				if len(rows) > 0 || (c.broken == nil && asRefusal(err) == nil) {
					t.Fatalf("%s: %d rows, %v, broken %v", command, len(rows), err, c.broken)
				}
				continue
			}
			if command != "STAT" && (lines == nil || len(rows) != len(lines)) {
				t.Fatalf("%s: %d rows of %d lines", command, len(rows), len(lines))
			}
			for i, row := range rows {
				if number, _, _ := strings.Cut(row, " "); command != "CAPA" && command != "STAT" &&
					!strings.HasPrefix(strings.TrimLeft(strings.TrimLeft(lines[i], " \t"), "0"), number) {
					t.Fatalf("%s: row %q of line %q", command, row, lines[i])
				}
			}
		}
	})
}

// listingLines returns the lines between status line and termination line, nil
// where there is none.
func listingLines(octets []byte) []string {
	lines := strings.Split(strings.ReplaceAll(string(octets), "\r\n", "\n"), "\n")
	for i, line := range lines[:len(lines)-1] {
		if i > 0 && line == "." {
			rows := append([]string{}, lines[1:i]...)
			for k := range rows {
				rows[k] = strings.TrimPrefix(rows[k], ".")
			}
			return rows
		}
	}
	return nil
}

func readRows(c *Client, command string) (rows []string, err error) {
	switch command {
	case "UIDL":
		ids, err := c.readUIDL()
		for _, row := range ids {
			rows = append(rows, fmt.Sprintf("%d %s", row.Number, row.UniqueID))
		}
		return rows, err
	case "LIST":
		scan, err := c.readList()
		for _, row := range scan {
			rows = append(rows, fmt.Sprintf("%d %d", row.Number, row.Octets))
		}
		return rows, err
	case "STAT":
		_, err := c.readStat()
		return nil, err
	}
	caps, err := c.readCapabilities()
	if err != nil {
		return nil, err
	}
	return caps.Lines, nil
}

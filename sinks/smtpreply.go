package sinks

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-smtp"
)

// maxSMTPQuote bounds server text in reasons and receipts, in octets.
const maxSMTPQuote = 300

// quoteSMTP makes server text fit for one line of a report.
func quoteSMTP(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
			r = ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > maxSMTPQuote {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// quote is quoteSMTP with the password hidden.
func (c *smtpConn) quote(text string) string { return quoteSMTP(string(c.secrets.Hide([]byte(text)))) }

// reply returns the reply that an error of go-smtp's stands for, nil where the
// connection failed instead.
func (c *smtpConn) reply(err error) *smtp.SMTPError {
	reply, _ := errors.AsType[*smtp.SMTPError](err)
	return reply
}

// cause returns an error of go-smtp's as reports show it.
func (c *smtpConn) cause(err error) error {
	reply := c.reply(err)
	if reply == nil {
		return &smtpLost{c.quote(err.Error()), err}
	}
	text := reply.Message
	if reply.EnhancedCode != (smtp.EnhancedCode{}) && reply.EnhancedCode != smtp.NoEnhancedCode {
		text = fmt.Sprintf("%d.%d.%d %s", reply.EnhancedCode[0], reply.EnhancedCode[1], reply.EnhancedCode[2], text)
	}
	return fmt.Errorf("server said %q", c.quote(fmt.Sprintf("%d %s", reply.Code, text)))
}

// smtpLost is a failed connection's error; what it quotes of the server is clean.
type smtpLost struct {
	text string
	err  error
}

func (e *smtpLost) Error() string { return e.text }
func (e *smtpLost) Unwrap() error { return e.err }

// failure sorts the error of a step in a message's transaction. A reply says
// what becomes of the message, except for the 5xx that demand encryption or a
// login (RFC 3207, RFC 4954 section 6), which are no message's fault. Whatever
// is no proper reply breaks the connection, as does 421 (RFC 5321 3.8).
func (c *smtpConn) failure(step string, err error) (Receipt, error) {
	reply := c.reply(err)
	if reply == nil {
		c.broken = true
		return Receipt{Reason: "connection lost at " + step + ": " + c.cause(err).Error()}, nil
	}
	reason := step + ": " + c.cause(err).Error()
	switch {
	case reply.Code == 530 || reply.Code == 534 || reply.Code == 535 || reply.Code == 538:
		c.broken = true
		return Receipt{}, c.permanent("deliver", errors.New(reason), "the server wants a login or encryption before it takes mail")
	case reply.Code/100 == 5:
		return Receipt{Proof: Refused, Reason: reason}, nil
	case reply.Code/100 != 4 || reply.Code == 421:
		c.broken = true
	}
	return Receipt{Reason: reason}, nil
}

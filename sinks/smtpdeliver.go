package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// errSMTPStale says that the server had closed a kept connection before this
// message's transaction began: nothing of the message was sent.
var errSMTPStale = errors.New("server closed the idle connection")

// deliver runs the transaction of one message: MAIL, RCPT, DATA, text, reply.
// Cancelling ctx closes the socket.
func (c *smtpConn) deliver(ctx context.Context, message *Message) (Receipt, error) {
	stop := context.AfterFunc(ctx, func() { c.close() })
	defer stop()
	receipt, err := c.transaction(message)
	if c.broken && ctx.Err() != nil && err == nil && !outcomeUnknown(receipt) {
		err = c.config.stopped(ctx)
	}
	return receipt, err
}

func (c *smtpConn) transaction(message *Message) (Receipt, error) {
	if reason := c.unfit(message); reason != "" {
		return Receipt{Proof: Refused, Reason: reason}, nil
	}
	kept := c.used
	c.used = true
	if err := c.mail(message); err != nil {
		receipt, failure := c.failure("mail", err)
		if kept && c.broken && failure == nil {
			failure = errSMTPStale
		}
		return receipt, failure
	}
	recipients := distinct(message.Recipients)
	receipt, err := c.rcpt(recipients)
	if err != nil || receipt.Reason != "" {
		c.reset()
		return receipt, err
	}
	text, err := c.client.Data()
	if err != nil {
		receipt, err := c.failure("data", err)
		c.reset()
		return receipt, err
	}
	receipt, err = c.send(message, text)
	if err != nil || receipt.Reason != "" {
		c.broken = true // the client's next command would send the termination line first: close the socket instead
		return receipt, err
	}
	return c.finish(text, recipients)
}

// unfit says why this server cannot take a message that others might.
func (c *smtpConn) unfit(message *Message) string {
	if message.EightBit && !c.eightBit {
		return notTransportable + "8-bit octets, and the server lacks 8BITMIME"
	}
	if c.limit > 0 && message.Octets > c.limit {
		return fmt.Sprintf("%s%d octets, and the server takes at most %d", notTransportable, message.Octets, c.limit)
	}
	if !c.utf8 {
		for _, recipient := range message.Recipients {
			if !smtpASCII(recipient) {
				return fmt.Sprintf("%srecipient %q, and the server lacks SMTPUTF8", notTransportable, quoteSMTP(recipient))
			}
		}
	}
	return ""
}

// distinct returns the recipients without repetitions, in order. LMTP's
// replies are told apart by recipient.
func distinct(recipients []string) []string {
	var result []string
	for _, recipient := range recipients {
		if !slices.Contains(result, recipient) {
			result = append(result, recipient)
		}
	}
	return result
}

// mail begins the transaction. go-smtp adds BODY=8BITMIME wherever the server
// offers it, which is right for 7-bit text, too (RFC 6152 section 3), and
// SIZE likewise.
func (c *smtpConn) mail(message *Message) error {
	sender := ""
	if c.config.Sender == ReturnPathSender && checkSMTPPath(message.Sender) == nil && (c.utf8 || smtpASCII(message.Sender)) {
		sender = message.Sender
	}
	options := &smtp.MailOptions{Size: message.Octets}
	options.UTF8 = !smtpASCII(sender) || slices.ContainsFunc(message.Recipients, func(r string) bool { return !smtpASCII(r) })
	return c.client.Mail(sender, options)
}

// rcpt names all recipients, even after a failure, so that a reason is whole.
// Its receipt has a reason unless all were taken.
func (c *smtpConn) rcpt(recipients []string) (Receipt, error) {
	var outcome smtpOutcome
	for _, recipient := range recipients {
		err := c.client.Rcpt(recipient, nil)
		if err == nil {
			continue
		}
		receipt, err := c.failure(fmt.Sprintf("rcpt <%s>", recipient), err)
		if err != nil || c.broken {
			return receipt, err
		}
		outcome.add(receipt)
	}
	return outcome.receipt(), nil
}

// reset ends a transaction before its text; a connection that will not is
// closed. go-smtp forgets the server's extensions with it: it is greeted anew.
func (c *smtpConn) reset() {
	if !c.broken && (c.client.Reset() != nil || c.hello() != nil) {
		c.broken = true
	}
}

// send streams the text without its termination line. A receipt with a reason,
// or an error, means that the termination line must not be sent.
func (c *smtpConn) send(message *Message, to io.Writer) (Receipt, error) {
	unreadable := func(err error) (Receipt, error) {
		return Receipt{}, &Error{Op: "deliver", Object: fmt.Sprintf("message %d to %s", message.Ordinal, c.config.server()), Err: err}
	}
	from, err := message.Open()
	if err != nil {
		return unreadable(err)
	}
	defer from.Close()
	text := newSMTPText(c.line, to, c.config.Timeouts.Block)
	_, err = io.Copy(text, from)
	if text.lineErr != nil {
		return c.failure("text", text.lineErr)
	}
	if err == nil {
		err = text.matches(message)
	}
	if err != nil {
		return unreadable(err)
	}
	if message.Octets == 0 {
		c.line.hold = len("\r\n")
	}
	return Receipt{}, nil
}

// finish sends the termination line and turns the replies into a receipt.
func (c *smtpConn) finish(text *smtp.DataCommand, recipients []string) (Receipt, error) {
	c.line.SetWriteDeadline(time.Now().Add(c.config.Timeouts.Block))
	if c.config.Protocol == "lmtp" {
		return c.finishLMTP(text, recipients)
	}
	response, err := text.CloseWithResponse()
	if err != nil {
		return c.finalFailure(err)
	}
	where := fmt.Sprintf("smtp %s <%s>: 250 %s", c.config.server(), strings.Join(recipients, ">, <"), c.quote(response.StatusText))
	return Receipt{Proof: Accepted, Where: Where(where)}, nil
}

const smtpOutcomeUnknown = "outcome unknown: "

// outcomeUnknown tells whether the server may have accepted the message.
func outcomeUnknown(receipt Receipt) bool {
	return strings.HasPrefix(receipt.Reason, smtpOutcomeUnknown)
}

// finalFailure sorts the error of the termination line or of its reply. If
// the line took the termination line, only a proper reply can say what became
// of the message.
func (c *smtpConn) finalFailure(err error) (Receipt, error) {
	receipt, failure := c.failure("end of text", err)
	if failure == nil && receipt.Proof == Later && c.line.writeErr == nil && !temporary(c.reply(err)) {
		receipt.Reason = smtpOutcomeUnknown + receipt.Reason
	}
	return receipt, failure
}

func temporary(reply *smtp.SMTPError) bool { return reply != nil && reply.Code/100 == 4 }

// smtpOutcome puts the fates of several recipients together: a single Later
// makes the message Later, else a single Refused makes it Refused.
type smtpOutcome struct {
	later   bool
	reasons []string
}

func (o *smtpOutcome) add(receipt Receipt) {
	o.later = o.later || receipt.Proof == Later
	o.reasons = append(o.reasons, receipt.Reason)
}

// receipt returns the zero receipt where nothing was added.
func (o *smtpOutcome) receipt() Receipt {
	if o.reasons == nil {
		return Receipt{}
	}
	proof := Refused
	if o.later {
		proof = Later
	}
	return Receipt{Proof: proof, Reason: strings.Join(o.reasons, "; ")}
}

package sinks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-smtp"
)

// finishLMTP is finish for LMTP, whose servers answer once for each recipient
// (RFC 2033 section 4.2).
func (c *smtpConn) finishLMTP(text *smtp.DataCommand, recipients []string) (Receipt, error) {
	responses, err := text.CloseWithLMTPResponse()
	refusals, _ := errors.AsType[smtp.LMTPDataError](err)
	var (
		delivered []string // recipients
		replies   []string // of those
		failed    smtpOutcome
		unknown   bool
	)
	for _, recipient := range recipients {
		if response := responses[recipient]; response != nil {
			delivered = append(delivered, "<"+recipient+">")
			replies = append(replies, fmt.Sprintf("<%s>: 250 %s", recipient, c.quote(response.StatusText)))
			continue
		}
		cause := err
		if refusal := refusals[recipient]; refusal != nil {
			cause = refusal
		} else if refusals != nil {
			cause = errors.New("no reply") // err holds the others' replies
		}
		receipt, failure := c.finalFailure(cause)
		if failure != nil {
			return receipt, failure
		}
		unknown = unknown || outcomeUnknown(receipt)
		receipt.Reason = fmt.Sprintf("<%s>: %s", recipient, strings.TrimPrefix(receipt.Reason, smtpOutcomeUnknown))
		failed.add(receipt)
	}
	if failed.reasons == nil {
		return Receipt{Proof: Accepted, Where: Where("lmtp " + c.config.server() + " " + strings.Join(replies, ", "))}, nil
	}
	receipt := failed.receipt()
	if delivered != nil {
		receipt.Reason = "delivered to " + strings.Join(delivered, ", ") + " but " + receipt.Reason
	}
	if unknown {
		receipt.Reason = smtpOutcomeUnknown + receipt.Reason
	}
	return receipt, nil
}

package sinks_test

import (
	"fmt"
	"strings"
	"testing"

	"popmigrate/sinks"
	"popmigrate/sinks/smtptest"
)

func (o smtpOutcome) String() string { return fmt.Sprintf("%v, reason with %q", o.proof, o.reason) }

type smtpOutcome struct {
	proof  sinks.Proof
	reason string
}

func TestSMTPReplies(t *testing.T) {
	tests := []struct {
		name         string
		verb, answer string
		want         smtpOutcome
		reuses       bool // the connection is good for another message
	}{
		{"mail 4xx", "MAIL", "451 4.3.0 try again", smtpOutcome{sinks.Later, `mail: server said "451 4.3.0 try again"`}, true},
		{"mail 5xx", "MAIL", "553 5.1.8 bad sender", smtpOutcome{sinks.Refused, `mail: server said "553 5.1.8 bad sender"`}, true},
		{"mail 421", "MAIL", "421 going down", smtpOutcome{sinks.Later, `"421 going down"`}, false},
		{"mail drop", "MAIL", smtptest.Drop, smtpOutcome{sinks.Later, "connection lost at mail"}, false},
		{"mail nonsense", "MAIL", "what?", smtpOutcome{sinks.Later, "connection lost at mail"}, false},
		{"mail odd code", "MAIL", "354 eh", smtpOutcome{sinks.Later, `"354 eh"`}, false},
		{"rcpt 4xx", "RCPT", "450 4.2.1 greylisted", smtpOutcome{sinks.Later, `rcpt <a@x>: server said "450 4.2.1 greylisted"`}, true},
		{"rcpt 5xx", "RCPT", "550 5.1.1 unknown user", smtpOutcome{sinks.Refused, `rcpt <a@x>: server said "550 5.1.1 unknown user"`}, true},
		{"rcpt several lines", "RCPT", "550-5.1.1 un\a\x1b[31mknown\r\n550 5.1.1 user", smtpOutcome{sinks.Refused, `"550 5.1.1 un[31mknown user"`}, true},
		{"rcpt 421", "RCPT", "421 4.3.2 down", smtpOutcome{sinks.Later, "421 4.3.2 down"}, false},
		{"rcpt drop", "RCPT", smtptest.Drop, smtpOutcome{sinks.Later, "connection lost at rcpt <a@x>"}, false},
		{"rcpt 251", "RCPT", "251 forwarded", smtpOutcome{sinks.Accepted, ""}, true},
		{"data 4xx", "DATA", "452 4.3.1 disk full", smtpOutcome{sinks.Later, `data: server said "452 4.3.1 disk full"`}, true},
		{"data 5xx", "DATA", "554 5.5.1 no valid recipients", smtpOutcome{sinks.Refused, "554 5.5.1"}, true},
		{"data drop", "DATA", smtptest.Drop, smtpOutcome{sinks.Later, "connection lost at data"}, false},
		{"end 4xx", ".", "451 4.7.1 scanner down", smtpOutcome{sinks.Later, `end of text: server said "451 4.7.1 scanner down"`}, true},
		{"end 5xx", ".", "554 5.7.1 spam", smtpOutcome{sinks.Refused, `end of text: server said "554 5.7.1 spam"`}, true},
		{"end 421", ".", "421 4.3.2 down", smtpOutcome{sinks.Later, `end of text: server said "421 4.3.2 down"`}, false},
		{"end drop", ".", smtptest.Drop, smtpOutcome{sinks.Later, "outcome unknown: connection lost at end of text"}, false},
		{"end nonsense", ".", "ok", smtpOutcome{sinks.Later, "outcome unknown: connection lost at end of text"}, false},
		{"end odd code", ".", "354 more?", smtpOutcome{sinks.Later, `outcome unknown: end of text: server said "354 more?"`}, false},
		{"long reply", ".", "250 2.0.0 " + strings.Repeat("x", 1500), smtpOutcome{sinks.Accepted, ""}, true},
	}
	for _, lmtp := range []bool{false, true} {
		for _, test := range tests {
			t.Run(fmt.Sprintf("lmtp=%t/%s", lmtp, test.name), func(t *testing.T) {
				first := true
				server := newSMTP(t, smtptest.Options{LMTP: lmtp, Answer: func(step smtptest.Step) string {
					if first && step.Verb == test.verb {
						first = false
						return test.answer
					}
					return ""
				}})
				sink := openSMTP(t, smtpConfig(server))
				receipt, err := storeOne(t, sink, smtpMessage(smtpHello, "a@x"))
				reason := strings.Replace(receipt.Reason, "outcome unknown: <a@x>: ", "outcome unknown: ", 1) // as LMTP has it
				if err != nil || receipt.Proof != test.want.proof || !strings.Contains(reason, test.want.reason) {
					t.Errorf("got %+v, %v\nwant %v", receipt, err, test.want)
				}
				if unknown := strings.HasPrefix(test.want.reason, "outcome unknown"); strings.HasPrefix(receipt.Reason, "outcome unknown") != unknown {
					t.Errorf("reason %q", receipt.Reason)
				}
				if len(receipt.Reason)+len(receipt.Where) > 500 {
					t.Errorf("%d octets of receipt", len(receipt.Reason)+len(receipt.Where))
				}
				mustAccept(t, sink, smtpMessage(smtpHello, "a@x"))
				if reused := server.Connections() == 1; reused != test.reuses {
					t.Errorf("connection used again: %t, want %t", reused, test.reuses)
				}
			})
		}
	}
}

func TestSMTPReceiptNamesServerRecipientAndReply(t *testing.T) {
	for _, test := range []struct {
		lmtp bool
		want sinks.Where
	}{
		{false, "smtp mx.example.org:25 <a@x>, <b@x>: 250 2.0.0 queued as smtptest-1-1"},
		{true, "lmtp mx.example.org:25 <a@x>: 250 2.0.0 queued as smtptest-1-1, <b@x>: 250 2.0.0 queued as smtptest-1-1"},
	} {
		server := newSMTP(t, smtptest.Options{LMTP: test.lmtp})
		receipt := mustAccept(t, openSMTP(t, smtpConfig(server)), smtpMessage(smtpHello, "a@x", "b@x"))
		if receipt.Where != test.want || receipt.StoredOctets != 0 {
			t.Errorf("got %+v, want where %q", receipt, test.want)
		}
	}
}

// Several recipients: all must be taken before any text is sent; LMTP answers
// for each again afterwards.
func TestSMTPRecipientsTogether(t *testing.T) {
	tests := []struct {
		name    string
		lmtp    bool
		verb    string
		answers map[string]string
		want    smtpOutcome
		stored  string // recipients that have it
	}{
		{"one refused", false, "RCPT", map[string]string{"b@x": "550 no"}, smtpOutcome{sinks.Refused, `rcpt <b@x>: server said "550 no"`}, ""},
		{"refused and later", false, "RCPT", map[string]string{"a@x": "550 no", "c@x": "450 wait"},
			smtpOutcome{sinks.Later, `rcpt <a@x>: server said "550 no"; rcpt <c@x>: server said "450 wait"`}, ""},
		{"lmtp one refused", true, "RCPT", map[string]string{"b@x": "550 no"}, smtpOutcome{sinks.Refused, `rcpt <b@x>`}, ""},
		{"lmtp mixed", true, ".", map[string]string{"b@x": "552 full", "c@x": "452 wait"},
			smtpOutcome{sinks.Later, `delivered to <a@x> but <b@x>: end of text: server said "552 full"; <c@x>: end of text: server said "452 wait"`}, "a@x"},
		{"lmtp refused", true, ".", map[string]string{"b@x": "552 full"},
			smtpOutcome{sinks.Refused, `delivered to <a@x>, <c@x> but <b@x>: end of text: server said "552 full"`}, "a@x c@x"},
		{"lmtp refused by all", true, ".", map[string]string{"a@x": "552 a", "b@x": "552 b", "c@x": "552 c"}, smtpOutcome{sinks.Refused, `<a@x>: end`}, ""},
		{"lmtp lost in the middle", true, ".", map[string]string{"b@x": "552 full", "c@x": smtptest.Drop},
			smtpOutcome{sinks.Later, `outcome unknown: delivered to <a@x> but <b@x>: end of text: server said "552 full"; <c@x>: connection lost at end of text: no reply`}, "a@x"},
		{"lmtp lost", true, ".", map[string]string{"a@x": smtptest.Drop}, smtpOutcome{sinks.Later, `outcome unknown: <a@x>: connection lost`}, "b@x c@x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newSMTP(t, smtptest.Options{LMTP: test.lmtp, Answer: func(step smtptest.Step) string {
				if step.Verb != test.verb {
					return ""
				}
				arg := strings.TrimSuffix(strings.TrimPrefix(step.Arg, "TO:<"), ">")
				return test.answers[arg]
			}})
			receipt, err := storeOne(t, openSMTP(t, smtpConfig(server)), smtpMessage(smtpHello, "a@x", "b@x", "c@x"))
			if err != nil || receipt.Proof != test.want.proof || !strings.HasPrefix(receipt.Reason, test.want.reason) {
				t.Errorf("got %+v, %v\nwant %v", receipt, err, test.want)
			}
			stored := ""
			for _, message := range server.Messages() {
				stored += strings.Join(message.Rcpts, " ")
			}
			if stored != test.stored {
				t.Errorf("server stored it for %q, want %q", stored, test.stored)
			}
			commands := strings.Join(server.Commands(), "\n")
			if test.verb == "RCPT" && (!strings.Contains(commands, "\nRSET") || strings.Contains(commands, "\nDATA")) {
				t.Errorf("commands:\n%s", commands)
			}
		})
	}
}

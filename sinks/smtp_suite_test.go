package sinks_test

import (
	"context"
	"testing"

	"popmigrate/sinks"
	"popmigrate/sinks/sinktest"
	"popmigrate/sinks/smtptest"
)

func TestSMTPSuite(t *testing.T) {
	for name, lmtp := range map[string]bool{"smtp": false, "lmtp": true} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				server := newSMTP(t, smtptest.Options{LMTP: lmtp})
				return sinktest.Harness{
					Open: func(o sinks.Opening) (sinks.Sink, error) {
						return sinks.OpenSMTP(context.Background(), smtpConfig(server), o)
					},
					Count:    func() (int, error) { return len(server.Messages()), nil },
					Delivers: true,
					CanCarry: func(m sinks.Message) bool {
						return !m.BareLF && !m.BareCR && !m.NUL && !m.NoFinalEOL && m.LongestLine <= 998
					},
				}
			})
		})
	}
}

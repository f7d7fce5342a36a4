package migrate

import (
	"context"
	"iter"

	"popmigrate/pop3"
)

// sdpsSession is a POP3 session with a server that tells each message's
// envelope (SDPS). It asks before each RETR, in lock-step: those servers know
// no pipelining.
type sdpsSession struct{ *popSession }

func (s sdpsSession) Retrieve(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[*Retrieved, error] {
	return func(yield func(*Retrieved, error) bool) {
		for n := range numbers {
			envelope, err := s.client.SDPSEnvelope(ctx, n)
			if err != nil {
				if !yield(&Retrieved{Number: n}, err) || !refusedOne(err) {
					return
				}
				continue
			}
			only := func(give func(pop3.Number) bool) { give(n) }
			for message, err := range s.popSession.Retrieve(ctx, only) {
				if message != nil {
					message.Envelope = &envelope
				}
				if !yield(message, err) || err != nil && !refusedOne(err) {
					return
				}
			}
		}
	}
}

package migrate

import (
	"context"
	"time"
)

// A settler can be far slower than the line: an SMTP server that takes a
// second for each message. What follows keeps the session alive meanwhile.

// behind tells whether so much waits for a settle that nothing more should be
// asked for.
func (s *settler) behind() bool {
	if !s.room.TryAcquire(waitingMost / 2) {
		return true
	}
	s.room.Release(waitingMost / 2)
	return false
}

// calm waits while the settler is behind, and calls awake every idleMost.
func (s *settler) calm(ctx context.Context, awake func(context.Context) error) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, idleMost)
		err := s.room.Acquire(waiting, waitingMost/2)
		cancel()
		if err == nil {
			s.room.Release(waitingMost / 2)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := awake(ctx); err != nil {
			return err
		}
	}
}

// finish settles what waits and ends. No add may follow. Meanwhile it calls
// awake, where it is not nil, every idleMost, until that fails.
func (s *settler) finish(ctx context.Context, awake func(context.Context) error) (settling, idling error) {
	close(s.queue)
	clock := time.NewTicker(idleMost)
	defer clock.Stop()
	for {
		select {
		case <-s.done:
			return s.err, idling
		case <-clock.C:
			if awake != nil && idling == nil {
				idling = awake(ctx)
			}
		}
	}
}

package torture

import (
	"math/rand/v2"
	"sync"

	"popmigrate/sinks/smtptest"
)

// trouble is what an SMTP server does wrong.
type trouble struct {
	mu     sync.Mutex
	random *rand.Rand // nil: all is well
}

// answer refuses, defers and hangs up now and then.
func (u *trouble) answer(step smtptest.Step) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.random == nil || !one(u.random, 8) {
		return ""
	}
	switch u.random.IntN(3) {
	case 0:
		return smtptest.Drop
	case 1:
		return "451 4.3.0 later"
	}
	return "421 4.3.2 going down"
}

func (w *world) smtpTrouble(r *rand.Rand) {
	w.trouble.mu.Lock()
	defer w.trouble.mu.Unlock()
	w.trouble.random = rand.New(rand.NewPCG(r.Uint64(), 1))
}

func (w *world) smtpHeals() {
	w.trouble.mu.Lock()
	defer w.trouble.mu.Unlock()
	w.trouble.random = nil
}

package torture

import (
	"sync"

	"popmigrate/internal/digest"
)

// truth is what is known about the mail from outside the program: the
// invariants are checked against it. Messages are told apart by their essence,
// and counted, since two may be alike.
type truth struct {
	mu       sync.Mutex
	arrived  map[string]int         // delivered to the old server, ever
	taken    map[string]int         // removed from it by another client
	forms    map[digest.Digest]bool // wire forms that the server ever sent, or may have
	oddities map[string]int         // essences that the server showed of messages cut short: they may be stored, once each
}

func (t *truth) init() {
	t.arrived, t.taken, t.oddities = map[string]int{}, map[string]int{}, map[string]int{}
	t.forms = map[digest.Digest]bool{}
}

func (t *truth) delivered(content []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived[essence(content)]++
	t.forms[digestOf(wireForm(content))] = true
}

// removed notes that another client deleted a message.
func (t *truth) removed(content []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken[essence(content)]++
}

// shown notes another form that the server sends of a message.
func (t *truth) shown(content []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forms[digestOf(wireForm(content))] = true
}

// cutShort notes that the server sends less than there is; it tells whether it
// may: to send the same short form twice is to say that it is the whole one.
func (t *truth) cutShort(content []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	content = wireForm(content) // it may end within a CRLF or behind a bare LF
	if t.oddities[essence(content)] > 0 {
		return false
	}
	t.oddities[essence(content)]++
	t.forms[digestOf(content)] = true
	return true
}

// least is how often a message must be kept. Of messages that are alike in
// every octet one must be: where the line broke in the middle of deleting
// them, or unique-ids prove nothing, nobody can tell them apart.
func (t *truth) least(essence string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return min(1, t.arrived[essence]-t.taken[essence])
}

package pop3

// window says how many commands of a flight may be unanswered. Left to itself
// it begins with beginWindow and doubles while the line falls silent, up to
// maxWindow: a long line needs many commands on their way. Large messages need
// few, and what is asked for is what must be read before the session can do
// anything else: so no more is asked for than about windowOctets.
type window struct {
	now, most int
	given     bool  // by the options: it neither grows nor shrinks
	mean      int64 // octets of a message, the latest counting most
	counted   int64 // octets of data before the message under way
}

const (
	beginWindow  = 64
	maxWindow    = 256      // their octets fit into any send buffer
	windowOctets = 16 << 20 // 16 MiB
	leastWindow  = 2        // so that the server need not wait between two messages
)

// newWindow returns the window that the options ask for; mean is what earlier
// messages had, counted the octets of data so far.
func newWindow(pipelined bool, wanted int, mean, counted int64) window {
	switch {
	case !pipelined:
		return window{now: 1, given: true}
	case wanted > 0:
		return window{now: min(wanted, maxWindow), given: true}
	}
	w := window{now: beginWindow, mean: mean, counted: counted}
	w.bound()
	return w
}

// silent notes that the line is silent though commands are unanswered.
func (w *window) silent() {
	if !w.given {
		w.now = min(2*w.now, maxWindow)
	}
}

// read notes how many octets of data the connection has had in all, after
// each reply.
func (w *window) read(total int64) {
	octets := total - w.counted
	w.counted = total
	if w.mean == 0 {
		w.mean = octets
	}
	w.mean += (octets - w.mean) / 4
	w.bound()
}

func (w *window) bound() {
	w.most = int(max(leastWindow, min(maxWindow, windowOctets/max(1, w.mean))))
}

// size is how many commands may be unanswered now.
func (w *window) size() int {
	if w.given {
		return w.now
	}
	return min(w.now, w.most)
}

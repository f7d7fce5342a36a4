package pop3

import (
	"cmp"
	"time"
)

// Options change how a client behaves. The zero value, and a nil pointer, are good defaults.
type Options struct {
	Pipelining Pipelining
	Window     int // most commands in flight, at most 256; 0 means as many as the line and the messages need
	Timeouts   Timeouts

	// LongLines allows command lines over the 255 octets of RFC 2449 section 4.
	LongLines bool

	// InitialLine is the longest AUTH command, in octets with its CRLF, that
	// carries an initial response (RFC 5034 section 4): 255 by the RFC, 127
	// for proxies that close at 128. 0 means that none does, which takes a
	// round trip more and works with the servers of RFC 1734 and with those
	// that refuse the short form (Exchange Online).
	InitialLine int
}

// Pipelining says whether commands are sent before the replies to earlier
// ones are in (RFC 2449 section 6.6).
type Pipelining int

// The choices. Whatever is chosen, nothing is pipelined across the login.
const (
	PipelineAuto Pipelining = iota // where CAPA, asked after the login, announces it
	PipelineOn                     // always
	PipelineOff                    // never: lock-step
)

// Timeouts are the longest waits of a session's phases. A zero field means
// the default that its comment names. Each is the longest silence, and also
// the most that a server can fall behind minOctetRate: one that sends an octet
// now and then is given up as a silent one is, if later.
type Timeouts struct {
	Dial     time.Duration // TCP connection: 30 seconds
	TLS      time.Duration // handshake: 30 seconds
	Greeting time.Duration // 2 minutes: servers look up names and tarpit
	Command  time.Duration // an ordinary reply: 2 minutes
	Login    time.Duration // the reply to the last step of a login, to STAT, LIST and UIDL: 10 minutes, since large maildrops are scanned then
	Data     time.Duration // between two arrivals inside a message: 5 minutes
	Top      time.Duration // the same in a reply to TOP: 1 minute, since one server never ends it properly (Citadel)
	Quit     time.Duration // the reply to QUIT: 10 minutes, since that is when a server deletes
}

// WithDefaults returns t with every zero field set to its default.
func (t Timeouts) WithDefaults() Timeouts {
	return Timeouts{
		Dial:     cmp.Or(t.Dial, 30*time.Second),
		TLS:      cmp.Or(t.TLS, 30*time.Second),
		Greeting: cmp.Or(t.Greeting, 2*time.Minute),
		Command:  cmp.Or(t.Command, 2*time.Minute),
		Login:    cmp.Or(t.Login, 10*time.Minute),
		Data:     cmp.Or(t.Data, 5*time.Minute),
		Top:      cmp.Or(t.Top, time.Minute),
		Quit:     cmp.Or(t.Quit, 10*time.Minute),
	}
}

// Limits of what is taken from a server. RFC 1939 section 3 allows 512 octets
// for a reply; servers exceed it.
const (
	maxReplyLine   = 16 << 10  // octets of a status or listing line
	maxListing     = 5_000_000 // rows of a listing
	maxListed      = 256 << 20 // octets of a listing: that is three million rows with the longest unique-ids
	maxCapa        = 64 << 10  // octets of a CAPA reply
	maxSkipped     = 1 << 20   // octets of a message read for a consumer who leaves
	maxCapaLines   = 1000
	maxChallenges  = 20       // of a SASL exchange
	maxCommandLine = 255      // octets with CRLF, RFC 2449 section 4
	minOctetRate   = 128      // octets a second, far below any link that mail is moved over
	maxShownText   = 400      // octets of server text in an error
	receiveBuffer  = 32 << 10 // octets
	afterQuitWait  = 5 * time.Second
)

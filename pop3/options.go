package pop3

import "time"

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
// the default that its comment names.
type Timeouts struct {
	Dial     time.Duration // TCP connection: 30 seconds
	TLS      time.Duration // handshake: 30 seconds
	Greeting time.Duration // 2 minutes: servers look up names and tarpit
	Command  time.Duration // an ordinary reply: 2 minutes
	Login    time.Duration // the reply to the last step of a login, to STAT, LIST and UIDL: 10 minutes, since large maildrops are scanned then
	Data     time.Duration // between two arrivals inside a message: 5 minutes
	Quit     time.Duration // the reply to QUIT: 10 minutes, since that is when a server deletes
}

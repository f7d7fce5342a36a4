package sinks

import (
	"errors"
	"net"
)

// maxSMTPReplies bounds what a server may say in answer to one write, so that
// an endless reply cannot fill the memory. LMTP answers for each recipient.
const maxSMTPReplies = 1 << 20

var errSMTPTalkative = errors.New("server's reply is too long")

// smtpLine is the connection beneath go-smtp's client, above TLS. It supplies
// what that client cannot do by itself.
type smtpLine struct {
	net.Conn

	// pending is read before anything of the connection: after STARTTLS a new
	// client is begun, which waits for a greeting that no server sends twice.
	pending string

	// hold is how many octets of the next write are not sent. The client ends
	// even a text of no octets with a line end; held back, the termination
	// line stands right after the DATA command's, as RFC 5321 4.1.1.4 wants.
	hold int

	unread   int   // octets read since the last write
	writeErr error // the first; tells a lost reply from an unsent message
}

func (l *smtpLine) Read(p []byte) (int, error) {
	if l.pending != "" {
		n := copy(p, l.pending)
		l.pending = l.pending[n:]
		return n, nil
	}
	if l.unread >= maxSMTPReplies {
		return 0, errSMTPTalkative
	}
	n, err := l.Conn.Read(p)
	l.unread += n
	return n, err
}

func (l *smtpLine) Write(p []byte) (int, error) {
	l.unread = 0
	held := min(l.hold, len(p))
	l.hold -= held
	n, err := l.Conn.Write(p[held:])
	if err != nil && l.writeErr == nil {
		l.writeErr = err
	}
	return held + n, err
}

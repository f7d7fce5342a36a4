package migrate

import (
	"bytes"
	"fmt"
	"strconv"

	"popmigrate/pop3"
)

// statusLine is a message's first line where it looks like a POP3 status line
// (RFC 1939 section 3). The zero value says that it does not.
type statusLine struct {
	octets  int64 // with its line end
	mention int64 // the number in "+OK 120 octets"; -1 where there is none
}

func readStatusLine(head []byte) (s statusLine) {
	line, _, ended := bytes.Cut(head, []byte{'\n'})
	var rest []byte
	switch {
	case !ended:
		return s
	case len(line) >= 3 && bytes.EqualFold(line[:3], []byte("+OK")):
		rest = line[3:]
	case len(line) >= 4 && bytes.EqualFold(line[:4], []byte("-ERR")):
		rest = line[4:]
	default:
		return s
	}
	s = statusLine{octets: int64(len(line)) + 1, mention: -1}
	if words := bytes.Fields(rest); len(words) > 0 {
		if n, err := strconv.ParseInt(string(words[0]), 10, 64); err == nil && n >= 0 {
			s.mention = n
		}
	}
	return s
}

// outOfStep tells why a message may have more in it than the server holds. A
// server that sends one status line too many, and late, has it taken for the
// reply to the next command, and that command's own becomes the message's
// first line. Octets alone cannot tell such a message from one that really
// begins so, unless it has exactly its listed octets. In doubt this session
// ends and keeps nothing of it; those that follow are cautious, and there the
// message's own reply is what was read. Then only a server that repeats a
// status line within the reply remains, which octets give away: what is
// beyond the first line is as long as was listed or as the line itself says.
//
// A server can also send one termination line too few: the last line of a
// message ends in LF alone (Cyrus) or lacks its end (Exchange), and the dot
// behind it is no end of anything. Then the next status line and the next
// message are taken for more of the first. A cautious session asks for one
// message at a time, has nothing behind it and waits in vain: it fails.
//
// broken ends the session; altered concerns this message, which is not kept.
func (v *visit) outOfStep(e Entry, p *print) (broken, altered error) {
	_, able := v.session.(Cautious)
	if p.status == (statusLine{}) && !p.seam || p.octets == e.Octets || !able {
		return nil, nil
	}
	if !v.reck.cautious {
		v.reck.cautious = true
		where := "begins with"
		if p.seam {
			where = "has in it, behind a dot,"
		}
		return &pop3.ProtocolError{Command: fmt.Sprintf("message %d", e.Number),
			Problem: fmt.Sprintf("%s what looks like a status line, and %d octets, listed with %d: replies may be out of step", where, p.octets, e.Octets)}, nil
	}
	if p.status == (statusLine{}) {
		return nil, nil
	}
	rest := p.octets - p.status.octets
	if rest == e.Octets || (p.status.mention >= 0 && (p.status.mention == rest || p.status.mention == e.Octets)) {
		return nil, fmt.Errorf("the server repeats its status line in message %d: %d octets follow it, listed are %d", e.Number, rest, e.Octets)
	}
	return nil, nil
}

// seam looks in a message's octets, as they come, for a line that ends in a dot
// with a status line behind it: where two replies were joined, perhaps.
type seam struct {
	found bool
	at    int // octets of seamBefore, then of a status line, that stood here last
	minus bool
}

const seamBefore = ".\r\n"

// scan takes the next octets.
func (s *seam) scan(p []byte) {
	for !s.found && len(p) > 0 {
		if s.at == 0 {
			i := bytes.IndexByte(p, '.')
			if i < 0 {
				return
			}
			p = p[i:]
		}
		s.next(p[0])
		p = p[1:]
	}
}

func (s *seam) next(c byte) {
	switch {
	case s.at < len(seamBefore) && c == seamBefore[s.at],
		s.at == len(seamBefore) && (c == '+' || c == '-'):
		s.minus = c == '-'
		s.at++
	case s.at > len(seamBefore) && c == s.status()[s.at-len(seamBefore)]:
		s.at++
		s.found = s.at == len(seamBefore)+len(s.status())
	case c == seamBefore[0]:
		s.at = 1
	default:
		s.at = 0
	}
}

func (s *seam) status() string {
	if s.minus {
		return "-ERR"
	}
	return "+OK"
}

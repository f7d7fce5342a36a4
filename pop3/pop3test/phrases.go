package pop3test

import (
	"cmp"
	"strconv"
	"strings"
)

// What the server says after -ERR where it refuses something. Config.Phrases
// replaces them.
const (
	UnknownCommand = "unknown command"
	LogInFirst     = "log in first"
	LoggedIn       = "already logged in"
	NoMessage      = "no such message"
	Deleted        = "message is deleted"
	Vanished       = "message is gone"
	BadLogin       = "[AUTH] authentication failed"
	Locked         = "[IN-USE] maildrop is locked by another session"
	ManySessions   = "[IN-USE] too many sessions of this user"
	TooSoon        = "[LOGIN-DELAY] too soon after the last session"
	LineTooLong    = "line too long"
)

// Idle is the key in Config.Phrases for what a client is told that was silent
// for too long; nothing where there is none.
const Idle = "(idle)"

// phrase returns the line that the server has for an occasion, "" where it has
// none of its own.
func (s *session) phrase(key string) string {
	line := s.server.config.Phrases[key]
	if strings.IndexByte(line, '{') < 0 {
		return line
	}
	var octets, total int64
	count := 0
	for i := range s.messages {
		m := &s.messages[i]
		if i+1 == s.argument {
			octets = m.listed()
		}
		if !m.marked {
			count++
			total += max(m.listed(), 0)
		}
	}
	return strings.NewReplacer(
		"{command}", s.keyword, "{user}", cmp.Or(s.user, s.name),
		"{number}", strconv.Itoa(s.argument), "{octets}", strconv.FormatInt(octets, 10),
		"{count}", strconv.Itoa(count), "{total}", strconv.FormatInt(total, 10)).Replace(line)
}

// ok sends a positive status line.
func (s *session) ok(r *reply, text string) error { return s.say(r, s.keyword, "+OK", text) }

// err sends a negative status line.
func (s *session) err(r *reply, text string) error { return s.say(r, text, "-ERR", text) }

// say sends a status line: what a rule says, else the server's phrase for key,
// else indicator and text.
func (s *session) say(r *reply, key, indicator, text string) error {
	if r.before != "" {
		if _, err := s.out.WriteString(r.before); err != nil {
			return err
		}
	}
	if r.status != "" {
		indicator, text = r.status, ""
	} else if line := s.phrase(key); line != "" {
		indicator, text = line, ""
	}
	s.out.WriteString(indicator)
	if text != "" {
		s.out.WriteString(" ")
		s.out.WriteString(text)
	}
	if _, err := s.out.WriteString("\r\n"); err != nil {
		return err
	}
	return s.forever(r)
}

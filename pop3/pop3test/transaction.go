package pop3test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// state says when a command is allowed.
type state int

const (
	always state = iota
	beforeLogin
	afterLogin
)

// commands are the commands that the server has.
var commands = map[string]struct {
	when  state
	serve func(s *session, r *reply, args string) error
}{
	"CAPA": {always, (*session).serveCapa},
	"QUIT": {always, (*session).serveQuit},
	"STLS": {beforeLogin, (*session).serveSTLS},
	"USER": {beforeLogin, (*session).serveUser},
	"PASS": {beforeLogin, (*session).servePass},
	"APOP": {beforeLogin, (*session).serveAPOP},
	"AUTH": {beforeLogin, (*session).serveAuth},
	"STAT": {afterLogin, (*session).serveStat},
	"LIST": {afterLogin, (*session).serveList},
	"UIDL": {afterLogin, (*session).serveUIDL},
	"RETR": {afterLogin, (*session).serveRetr},
	"TOP":  {afterLogin, (*session).serveTop},
	"DELE": {afterLogin, (*session).serveDele},
	"NOOP": {afterLogin, (*session).serveNoop},
	"UTF8": {always, (*session).serveUTF8},
	"RSET": {afterLogin, (*session).serveRset},
}

// entries returns the messages without a mark, as a listing shows them.
func (s *session) entries(r *reply) []Entry {
	entries := make([]Entry, 0, len(s.messages))
	for i := range s.messages {
		if m := &s.messages[i]; !m.marked {
			entries = append(entries, Entry{i + 1, m.UniqueID, m.listed()})
		}
	}
	if r.entries != nil {
		entries = r.entries(entries)
	}
	return entries
}

func (s *session) serveStat(r *reply, _ string) error {
	entries := s.entries(r)
	var octets int64
	for _, entry := range entries {
		octets += max(entry.Octets, 0)
	}
	return s.say(r, "STAT", "+OK", fmt.Sprintf("%d %d", len(entries), octets))
}

func (s *session) serveList(r *reply, args string) error {
	return s.listing(r, args, "scan listing follows", scanLine)
}

func (s *session) serveUIDL(r *reply, args string) error {
	return s.listing(r, args, "unique-id listing follows", uniqueIDLine)
}

// listing answers LIST and UIDL, for one message or for all.
func (s *session) listing(r *reply, args, text string, line func([]byte, Entry) []byte) error {
	entries := s.entries(r)
	if args != "" {
		number, err := strconv.Atoi(args)
		for _, entry := range entries {
			if err == nil && entry.Number == number {
				return s.say(r, "", "+OK", string(line(nil, entry)))
			}
		}
		return s.err(r, NoMessage)
	}
	if err := s.ok(r, text); err != nil {
		return err
	}
	var buf []byte
	for _, entry := range entries {
		buf = append(line(buf[:0], entry), "\r\n"...)
		if _, err := s.out.Write(buf); err != nil {
			return err
		}
	}
	_, err := s.out.Write(termination)
	return err
}

// lines answers with a multi-line reply of short lines.
func (s *session) lines(r *reply, text string, lines []string) error {
	if err := s.ok(r, text); err != nil {
		return err
	}
	for _, line := range lines {
		if _, err := s.out.WriteString(line + "\r\n"); err != nil {
			return err
		}
	}
	_, err := s.out.Write(termination)
	return err
}

// message returns the message of a message-number that has no mark, else the
// reason.
func (s *session) message(number string) (m *listed, index int, reason string) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(s.messages) {
		return nil, 0, NoMessage
	}
	m = &s.messages[n-1]
	if m.marked {
		return nil, 0, Deleted
	}
	return m, n - 1, ""
}

func (s *session) serveRetr(r *reply, args string) error {
	m, _, reason := s.message(args)
	if m == nil {
		return s.err(r, reason)
	}
	m.retrieved = true
	return s.send(r, m, func(content []byte) []byte { return content })
}

func (s *session) serveTop(r *reply, args string) error {
	number, count, _ := strings.Cut(args, " ")
	lines, err := strconv.Atoi(count)
	if err != nil || lines < 0 {
		return s.err(r, "message-number and number of lines wanted")
	}
	m, _, reason := s.message(number)
	if m == nil {
		return s.err(r, reason)
	}
	return s.send(r, m, func(content []byte) []byte { return top(content, lines) })
}

// send answers with a part of a message.
func (s *session) send(r *reply, m *listed, part func([]byte) []byte) error {
	if !s.maildrop.holds(m.key) {
		return s.err(r, Vanished)
	}
	content := part(m.Content)
	if err := s.ok(r, strconv.Itoa(len(content))+" octets"); err != nil {
		return err
	}
	if r.content != nil {
		content = r.content(content)
	}
	if r.downgrade != nil && !s.utf8 {
		content = r.downgrade(content)
	}
	r.asIs = r.asIs || r.asIsWhere != nil && r.asIsWhere(content)
	listener := s.maildrop.listening()
	if listener == nil || s.keyword != "RETR" {
		return writeMessage(s.out, content, r.asIs, r.loneDots)
	}
	var sent bytes.Buffer
	writeMessage(&sent, content, r.asIs, r.loneDots)
	listener(m.Message, sent.Bytes())
	_, err := s.out.Write(sent.Bytes())
	return err
}

func (s *session) serveDele(r *reply, args string) error {
	m, index, reason := s.message(args)
	if m == nil {
		return s.err(r, reason)
	}
	m.marked = true
	s.marks = append(s.marks, index)
	if r.update != nil {
		s.update(s.maildrop, r, 0)
	}
	return s.ok(r, "message marked")
}

// serveUTF8 answers UTF8 (RFC 6856 section 2), where the capabilities have it.
func (s *session) serveUTF8(r *reply, _ string) error {
	for _, line := range s.capabilities() {
		if firstWord(line) == "UTF8" {
			s.utf8 = true
			return s.ok(r, "UTF8 enabled")
		}
	}
	return s.err(r, UnknownCommand)
}

func (s *session) serveNoop(r *reply, _ string) error { return s.ok(r, "") }

func (s *session) serveRset(r *reply, _ string) error {
	for _, i := range s.marks {
		s.messages[i].marked = false
	}
	s.marks = nil
	if r.view != nil {
		s.show(r, s.maildrop.Contents())
	}
	return s.ok(r, "marks removed")
}

// serveQuit answers QUIT, which after the login enters the UPDATE state (RFC
// 1939 section 6).
func (s *session) serveQuit(r *reply, _ string) error {
	if s.maildrop != nil {
		s.maildrop.remember(s.messages)
		s.update(s.maildrop, r, Marks)
	}
	return s.ok(r, "goodbye")
}

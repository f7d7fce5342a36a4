package pop3test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxLine is the longest command line with its CRLF; RFC 2449 section 4 asks
// for 255 octets, SASL needs more.
const maxLine = 16 << 10 // 16 KiB

// session is one connection, from the greeting to its end.
type session struct {
	server *Server
	number int      // of the connection
	raw    net.Conn // below TLS
	conn   net.Conn
	in     *bufio.Reader
	out    *out

	secure    bool   // conn is TLS
	upgrade   bool   // conn will be TLS once the reply to STLS is sent
	timestamp string // of the greeting, for APOP; "" where there is none
	utf8      bool   // UTF8 was served
	user      string // what USER said
	name      string // of the login that was tried last
	keyword   string // the command under way, in upper case
	argument  int    // its first argument, 0 where that is no number
	quit      bool   // QUIT was served

	// In the TRANSACTION state:
	maildrop *Maildrop
	session  int      // number of the maildrop's session
	messages []listed // in the order of message-numbers
	marks    []int    // indices into messages, in the order of DELE
}

// listed is a message as the session has it.
type listed struct {
	Message
	marked    bool
	retrieved bool // by RETR, in this session
}

func newSession(server *Server, conn net.Conn, number int) *session {
	return &session{
		server: server,
		number: number,
		raw:    conn,
		conn:   conn,
		in:     bufio.NewReaderSize(conn, maxLine),
		out:    newOut(conn, server.ctx.Done()),
	}
}

// errHangUp ends a session in an orderly way, by QUIT or because the server
// will not go on.
var errHangUp = errors.New("session ended by the server")

// serve runs the session to its end. The caller closes the connection.
func (s *session) serve(full bool) {
	err := s.converse(full)
	stopped := s.out.stopped
	if stopped != nil && stopped.how == endStall {
		io.Copy(io.Discard, s.raw) // until the client or Close closes it
	}
	s.leave()
	switch {
	case stopped != nil && stopped.how == endRST:
		if conn, ok := s.raw.(interface{ SetLinger(seconds int) error }); ok {
			conn.SetLinger(0)
		}
	case stopped != nil && stopped.how == endFIN:
		s.hangUp()
	case errors.Is(err, errHangUp):
		if s.out.w.Flush() != nil {
			return
		}
		if conn, ok := s.conn.(*tls.Conn); ok {
			conn.CloseWrite()
		}
		s.hangUp()
	}
}

// hangUp half-closes the line and waits for the client to close it: to close
// while octets of the client's are unread would reset it.
func (s *session) hangUp() {
	conn, ok := s.raw.(interface{ CloseWrite() error })
	if !ok {
		return
	}
	conn.CloseWrite()
	io.Copy(io.Discard, s.raw)
}

// converse serves the connection. It returns errHangUp where the server is to
// close it, after the replies that are still to be sent.
func (s *session) converse(full bool) error {
	var connect reply
	s.strike(&connect, OnConnect, 0)
	s.out.begin(&reply{})
	if connect.stop != nil && connect.stop.after >= 0 {
		s.out.ofConn = connect.stop
		if connect.stop.after == 0 {
			return s.out.stop(connect.stop) // before TLS
		}
	}
	if s.server.config.ImplicitTLS {
		if err := s.startTLS(); err != nil {
			return err
		}
	}
	if full {
		if line := s.server.config.FullReply; line != "" {
			s.out.WriteString(line + "\r\n")
		}
		return errHangUp
	}
	if err := s.greet(); err != nil {
		return err
	}
	for {
		line, err := s.readLine()
		if err != nil {
			return err
		}
		if err := s.command(line); err != nil {
			return err
		}
	}
}

func (s *session) greet() error {
	text := s.server.config.Greeting
	if text == "" {
		text = "POP3 server ready"
	}
	if s.timestamp = timestamp.FindString(text); s.timestamp == "" && s.server.knows("APOP") {
		s.timestamp = fmt.Sprintf("<%d.%d.%d@localhost>", os.Getpid(), s.number, time.Now().UnixNano())
		text += " " + s.timestamp
	}
	return s.reply(OnGreeting, 0, func(r *reply) error { return s.ok(r, text) })
}

var timestamp = regexp.MustCompile(`<[^ <>]+@[^ <>]+>`)

// readLine returns the next command line with its line end. Replies are sent
// before it waits for octets.
func (s *session) readLine() (string, error) {
	waiting, _ := s.in.Peek(s.in.Buffered())
	if bytes.IndexByte(waiting, '\n') < 0 {
		if err := s.out.w.Flush(); err != nil {
			return "", err
		}
	}
	config := &s.server.config
	if config.IdleTime > 0 {
		s.raw.SetReadDeadline(time.Now().Add(config.IdleTime))
	}
	line, err := s.in.ReadSlice('\n')
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		if said := s.phrase(Idle); said != "" {
			s.out.WriteString(said + "\r\n")
		}
		return "", errHangUp
	case errors.Is(err, bufio.ErrBufferFull), err == nil && config.LineOctets > 0 && len(line) > config.LineOctets:
		s.server.banish()
		s.err(&reply{}, LineTooLong)
		return "", errHangUp
	}
	return string(line), err
}

// command serves one command line.
func (s *session) command(line string) error {
	text, ended := strings.CutSuffix(line, "\r\n")
	keyword, args, _ := strings.Cut(text, " ")
	keyword = strings.ToUpper(keyword)
	s.log(keyword, text)
	command, known := commands[keyword]
	number, _ := strconv.Atoi(firstWord(args))
	s.keyword, s.argument = keyword, number
	return s.reply(keyword, number, func(r *reply) error {
		switch {
		case !ended:
			return s.err(r, "line must end in CRLF")
		case !known || !s.server.knows(keyword):
			return s.err(r, UnknownCommand)
		case command.when == beforeLogin && s.maildrop != nil:
			return s.err(r, LoggedIn)
		case command.when == afterLogin && s.maildrop == nil:
			return s.err(r, LogInFirst)
		}
		return command.serve(s, r, args)
	})
}

// reply answers a command or occasion: as serve does, unless a rule strikes.
func (s *session) reply(command string, number int, serve func(r *reply) error) error {
	var r reply
	s.strike(&r, command, number)
	var err error
	if r.instead {
		err = s.instead(&r)
	} else {
		err = serve(&r)
	}
	if err == nil && command == "QUIT" {
		s.quit = true
		err = errHangUp
	}
	if err != nil && !errors.Is(err, errHangUp) {
		return err
	}
	if r.after != "" {
		if _, err := s.out.WriteString(r.after); err != nil {
			return err
		}
	}
	if err := s.out.end(); err != nil {
		return err
	}
	if r.discard {
		s.in.Discard(s.in.Buffered())
	}
	if s.upgrade {
		s.upgrade = false
		return s.startTLS()
	}
	return err
}

// strike lets a rule act on a reply of which nothing was sent yet. Where it
// says so, time passes before strike returns.
func (s *session) strike(r *reply, command string, number int) {
	s.strikeOn(r, s.maildrop, command, number)
}

func (s *session) strikeOn(r *reply, m *Maildrop, command string, number int) {
	o := occasion{command: command, number: number, connection: s.number, session: s.session}
	if number > 0 && number <= len(s.messages) {
		o.uniqueID = s.messages[number-1].UniqueID
	}
	s.strikeAt(r, m, &o)
}

func (s *session) strikeAt(r *reply, m *Maildrop, o *occasion) {
	for i := range s.server.config.Habits {
		if habit := &s.server.config.Habits[i]; habit.fits(o) {
			habit.Do(r)
		}
	}
	var do Action
	struck := false
	if m != nil {
		do, struck = m.rules.strike(o)
	}
	if !struck {
		do, _ = s.server.rules.strike(o)
	}
	if do != nil {
		do(r)
	}
	if len(r.hooks) > 0 {
		s.out.w.Flush()
		for _, hook := range r.hooks {
			hook(s.server.ctx.Done())
		}
		r.hooks = nil
	}
	s.out.begin(r)
}

// instead answers with what a rule has in place of the reply.
func (s *session) instead(r *reply) error {
	if _, err := s.out.WriteString(r.before + r.raw); err != nil {
		return err
	}
	return s.forever(r)
}

// forever repeats what has no end, if anything.
func (s *session) forever(r *reply) error {
	for r.endless != "" {
		if _, err := s.out.WriteString(r.endless); err != nil {
			return err
		}
	}
	return nil
}

// leave ends the session on the maildrop, if there is one.
func (s *session) leave() {
	if s.maildrop == nil {
		return
	}
	m := s.maildrop
	s.maildrop = nil
	if s.quit {
		s.server.record.closed(m)
		return
	}
	var r reply
	s.strikeOn(&r, m, OnDrop, 0)
	if r.update != nil {
		s.update(m, &r, 0)
	}
	s.server.later(s.server.config.LockLingers, func() { s.server.record.closed(m) })
}

// update carries out the session's marks: as many as a rule says, else so many;
// all where that is negative.
func (s *session) update(m *Maildrop, r *reply, marks int) {
	if r.update != nil {
		marks = *r.update
	}
	if marks < 0 || marks > len(s.marks) {
		marks = len(s.marks)
	}
	keys := make(map[int64]bool, marks)
	for _, i := range s.marks[:marks] {
		keys[s.messages[i].key] = true
	}
	for i := range s.messages {
		if r.expire && s.messages[i].retrieved {
			keys[s.messages[i].key] = true
		}
	}
	s.server.later(r.late, func() { m.expunge(keys) })
}

func firstWord(args string) string {
	word, _, _ := strings.Cut(args, " ")
	return word
}

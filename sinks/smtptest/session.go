package smtptest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
)

// session is one connection.
type session struct {
	server *Server
	number int
	conn   net.Conn
	in     *bufio.Reader

	encrypted bool
	loggedIn  bool
	accepted  int
	from      *string // nil outside a transaction
	params    string
	rcpts     []string
}

func newSession(server *Server, conn net.Conn, number int) *session {
	s := &session{server: server, number: number, loggedIn: server.User == ""}
	s.use(conn)
	if server.TLS == ImplicitTLS {
		s.encrypt()
	}
	return s
}

func (s *session) use(conn net.Conn) {
	s.conn = conn
	s.in = bufio.NewReaderSize(conn, 64<<10)
}

func (s *session) encrypt() {
	s.use(tls.Server(s.conn, s.server.tls))
	s.encrypted = true
}

// run serves the connection to its end.
func (s *session) run() {
	defer s.conn.Close()
	if ok, err := s.reply("CONNECT", "", "220 smtptest ready"); !ok || err != nil {
		return
	}
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		verb, arg, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		if verb == "AUTH" {
			mechanism, _, _ := strings.Cut(arg, " ")
			s.server.log("AUTH " + mechanism)
		} else {
			s.server.log(line)
		}
		if err := s.command(verb, arg); err != nil {
			return
		}
	}
}

// reply sends the usual reply or what Answer wants instead, and tells whether
// the step takes effect. Its error ends the connection.
func (s *session) reply(verb, arg, usual string) (bool, error) {
	answer, effect := s.decide(verb, arg, usual)
	return effect, s.send(answer)
}

func (s *session) decide(verb, arg, usual string) (answer string, effect bool) {
	if s.server.Answer != nil {
		answer = s.server.Answer(Step{Conn: s.number, Message: s.accepted, Verb: verb, Arg: arg})
	}
	if answer == "" {
		answer = usual
	}
	return answer, answer[0] == usual[0]
}

func (s *session) send(answer string) error {
	if answer == Drop {
		return net.ErrClosed
	}
	_, err := s.conn.Write([]byte(answer + "\r\n"))
	return err
}

func (s *session) command(verb, arg string) error {
	hello := "EHLO"
	if s.server.LMTP {
		hello = "LHLO"
	}
	switch verb {
	case hello:
		s.reset()
		_, err := s.reply(verb, arg, s.extensions())
		return err
	case "STARTTLS":
		return s.startTLS(arg)
	case "AUTH":
		return s.auth(arg)
	case "MAIL":
		return s.mail(arg)
	case "RCPT":
		return s.rcpt(arg)
	case "DATA":
		return s.data(arg)
	case "RSET":
		s.reset()
		_, err := s.reply(verb, arg, "250 2.0.0 reset")
		return err
	case "NOOP":
		_, err := s.reply(verb, arg, "250 2.0.0 here")
		return err
	case "QUIT":
		if _, err := s.reply(verb, arg, "221 2.0.0 bye"); err != nil {
			return err
		}
		return net.ErrClosed
	}
	_, err := s.reply(verb, arg, "500 5.5.1 no such command")
	return err
}

func (s *session) reset() { s.from, s.params, s.rcpts = nil, "", nil }

func (s *session) extensions() string {
	lines := []string{"smtptest", "PIPELINING", "ENHANCEDSTATUSCODES"}
	if s.server.TLS == StartTLS && !s.encrypted {
		lines = append(lines, "STARTTLS")
	}
	if s.server.User != "" {
		lines = append(lines, "AUTH "+s.mechanism())
	}
	if s.server.SizeLimit > 0 {
		lines = append(lines, fmt.Sprintf("SIZE %d", s.server.SizeLimit))
	}
	if !s.server.SevenBit {
		lines = append(lines, "8BITMIME")
	}
	if s.server.UTF8 {
		lines = append(lines, "SMTPUTF8")
	}
	last := len(lines) - 1
	return "250-" + strings.Join(lines[:last], "\r\n250-") + "\r\n250 " + lines[last]
}

func (s *session) startTLS(arg string) error {
	if s.server.TLS != StartTLS || s.encrypted {
		_, err := s.reply("STARTTLS", arg, "502 5.5.1 not offered")
		return err
	}
	ok, err := s.reply("STARTTLS", arg, "220 2.0.0 go ahead")
	if ok && err == nil {
		s.encrypt()
		s.reset()
	}
	return err
}

func (s *session) mechanism() string {
	if s.server.Mechanism == "" {
		return "PLAIN"
	}
	return s.server.Mechanism
}

func (s *session) auth(arg string) error {
	mechanism, initial, _ := strings.Cut(arg, " ")
	if s.server.User == "" || mechanism != s.mechanism() {
		_, err := s.reply("AUTH", mechanism, "504 5.5.4 no such mechanism")
		return err
	}
	given, _ := base64.StdEncoding.DecodeString(initial)
	want := "\x00" + s.server.User + "\x00" + s.server.Password
	if mechanism == "LOGIN" {
		if _, err := fmt.Fprintf(s.conn, "334 %s\r\n", base64.StdEncoding.EncodeToString([]byte("Password:"))); err != nil {
			return err
		}
		line, err := s.in.ReadString('\n')
		if err != nil {
			return err
		}
		password, _ := base64.StdEncoding.DecodeString(strings.TrimRight(line, "\r\n"))
		given, want = append(given, password...), s.server.User+s.server.Password
	}
	usual := "235 2.7.0 welcome"
	if string(given) != want {
		usual = "535 5.7.8 wrong user or password"
	}
	ok, err := s.reply("AUTH", mechanism, usual)
	s.loggedIn = ok && usual[0] == '2'
	return err
}

// path splits "FROM:<a@b> SIZE=1" into the address and the parameters.
func path(arg, keyword string) (address, params string, ok bool) {
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		return "", "", false
	}
	rest, found := strings.CutPrefix(arg[len(keyword):], "<")
	address, params, closed := strings.Cut(rest, ">")
	return address, strings.TrimSpace(params), found && closed
}

func (s *session) mail(arg string) error {
	from, params, ok := path(arg, "FROM:")
	usual := "250 2.1.0 sender taken"
	switch {
	case !ok:
		usual = "501 5.5.4 syntax: MAIL FROM:<address>"
	case !s.loggedIn:
		usual = "530 5.7.0 authentication required"
	case s.from != nil:
		usual = "503 5.5.1 nested MAIL"
	}
	effect, err := s.reply("MAIL", arg, usual)
	if effect && usual[0] == '2' {
		s.from, s.params = &from, params
	}
	return err
}

func (s *session) rcpt(arg string) error {
	to, _, ok := path(arg, "TO:")
	usual := "250 2.1.5 recipient taken"
	switch {
	case !ok:
		usual = "501 5.5.4 syntax: RCPT TO:<address>"
	case s.from == nil:
		usual = "503 5.5.1 MAIL first"
	}
	effect, err := s.reply("RCPT", arg, usual)
	if effect && usual[0] == '2' {
		s.rcpts = append(s.rcpts, to)
	}
	return err
}

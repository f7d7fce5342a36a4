// Package pop2test is a POP2 server (RFC 937) in the test's own process, in
// the manner of the RFC or of UW ipop2d, with faults on demand.
package pop2test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Config says what a server is like.
type Config struct {
	User, Password string
	Folders        map[string][][]byte // by name; "INBOX" is the default one

	// UW has it behave as UW ipop2d: a line end more behind each message and
	// counted, a Status field that changes once a message was read, deletions
	// at once, length 2 for a deleted message, a folder that is missing taken
	// for the one before.
	UW bool

	// ReadOnly has ACKD answered and without effect, as in a second session.
	ReadOnly bool

	Greeting string                      // "" means "+ POP2 pop2test ready"
	Refuse   string                      // a reply to HELO that begins with a minus; "" means none
	Fault    func(command string) Do     // may be nil: everything is as it should be
	Alter    func(message []byte) []byte // what a message is the second time that it is read; nil the same
}

// Do is a fault.
type Do struct {
	Cut   int    // of a RETR: the line ends behind so many octets, from 1
	Say   string // instead of the reply; the session goes on
	Drop  bool   // the line ends instead of the reply
	Short int64  // of a READ: so many octets fewer are announced than RETR sends
}

// Server is a running server. Its methods may be called from many goroutines.
type Server struct {
	Addr string

	config   Config
	listener net.Listener
	sessions sync.WaitGroup

	mu      sync.Mutex
	folders map[string][]*message
	log     []string
	conns   []net.Conn
}

type message struct {
	content []byte
	seen    bool
	reads   int
}

// Start starts a server on the loopback interface; Close ends it.
func Start(config Config) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: listener.Addr().String(), config: config, listener: listener, folders: map[string][]*message{}}
	for name, contents := range config.Folders {
		for _, content := range contents {
			s.folders[name] = append(s.folders[name], &message{content: content})
		}
	}
	s.sessions.Go(s.accept)
	return s, nil
}

// Close ends the server and all sessions, and waits for them.
func (s *Server) Close() {
	s.listener.Close()
	s.mu.Lock()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.sessions.Wait()
}

// Contents returns what a folder holds now.
func (s *Server) Contents(folder string) (all [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.folders[folder] {
		all = append(all, m.content)
	}
	return all
}

// Commands returns the commands that came, in their order, HELO without what
// follows it.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.sessions.Go(func() {
			defer conn.Close()
			session{server: s, conn: conn}.serve()
		})
	}
}

// Wire returns what RETR sends for a message that was read before or not.
func (s *Server) Wire(content []byte, seen bool) []byte {
	if !s.config.UW {
		return content
	}
	status := "Status:   \r\n"
	if seen {
		status = "Status: R \r\n"
	}
	head, body, _ := bytes.Cut(content, []byte("\r\n\r\n"))
	return slices.Concat(head, []byte("\r\n"+status+"\r\n"), body, []byte("\r\n"))
}

// session is one connection.
type session struct {
	server  *Server
	conn    net.Conn
	folder  []*message // as it was when it was opened
	name    string
	current int
	marked  map[*message]bool
	sent    bool // RETR was sent and is not acknowledged
}

func (s session) serve() {
	greeting := s.server.config.Greeting
	if greeting == "" {
		greeting = "+ POP2 pop2test ready"
	}
	s.say(greeting)
	for lines := bufio.NewScanner(s.conn); lines.Scan(); {
		line := lines.Text()
		keyword, argument, _ := strings.Cut(line, " ")
		keyword = strings.ToUpper(keyword)
		shown := line
		if keyword == "HELO" {
			shown = keyword
		}
		s.server.mu.Lock()
		s.server.log = append(s.server.log, shown)
		s.server.mu.Unlock()
		var do Do
		if s.server.config.Fault != nil {
			do = s.server.config.Fault(shown)
		}
		if do.Drop {
			return
		}
		if do.Say != "" {
			s.say(do.Say)
			if strings.HasPrefix(do.Say, "-") {
				return
			}
			continue
		}
		if !s.command(keyword, argument, do) {
			return
		}
	}
}

func (s *session) say(line string) { fmt.Fprintf(s.conn, "%s\r\n", line) }

// command tells whether the session goes on.
func (s *session) command(keyword, argument string, do Do) bool {
	switch keyword {
	case "HELO":
		return s.hello(argument)
	case "FOLD":
		s.open(strings.ReplaceAll(argument, `\ `, " "))
	case "READ":
		if n, err := strconv.Atoi(argument); err == nil {
			s.current = n
		}
		if s.current > len(s.folder) && s.server.config.UW {
			s.say("- Invalid message number given to READ")
			s.say("+ Sayonara")
			return false
		}
		s.length(do.Short)
	case "RETR":
		return s.retrieve(do)
	case "ACKS", "ACKD", "NACK":
		if !s.sent {
			s.say("- Bogus or out of sequence command")
			return false
		}
		s.acknowledge(keyword)
	case "QUIT":
		s.expunge()
		s.say("+ Sayonara")
		return false
	default:
		s.say("- Bogus or out of sequence command")
		return false
	}
	return true
}

func (s *session) hello(argument string) bool {
	config := &s.server.config
	if config.Refuse != "" {
		s.say(config.Refuse)
		return false
	}
	quoted := strings.NewReplacer(`\`, `\\`, " ", `\ `)
	if argument != quoted.Replace(config.User)+" "+quoted.Replace(config.Password) {
		s.say("- Bad login")
		s.say("+ Sayonara")
		return false
	}
	s.marked = map[*message]bool{}
	s.open("INBOX")
	return true
}

// open opens a folder and tells how many messages it holds.
func (s *session) open(name string) {
	s.server.mu.Lock()
	folder, found := s.server.folders[name]
	s.server.mu.Unlock()
	switch {
	case found:
		s.folder, s.name, s.current = slices.Clone(folder), name, 1
	case !s.server.config.UW:
		s.folder, s.name = nil, name
	}
	s.say(fmt.Sprintf("#%d messages in %s", len(s.folder), s.name))
}

// wire returns the current message's octets, nil where there is none.
func (s *session) wire() []byte {
	if s.current < 1 || s.current > len(s.folder) {
		return nil
	}
	m := s.folder[s.current-1]
	if s.marked[m] {
		return nil
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	content := m.content
	if m.reads > 0 && s.server.config.Alter != nil {
		content = s.server.config.Alter(content)
	}
	return s.server.Wire(content, m.seen)
}

func (s *session) length(short int64) {
	n := int64(len(s.wire())) - short
	if s.current >= 1 && s.current <= len(s.folder) && s.marked[s.folder[s.current-1]] && s.server.config.UW {
		n = 2
	}
	s.say(fmt.Sprintf("=%d characters in message %d", max(n, 0), s.current))
}

func (s *session) retrieve(do Do) bool {
	octets := s.wire()
	if octets == nil {
		s.say("- Bogus or out of sequence command")
		return false
	}
	if do.Cut > 0 {
		_, _ = s.conn.Write(octets[:do.Cut])
		return false
	}
	_, _ = s.conn.Write(octets)
	s.sent = true
	return true
}

func (s *session) acknowledge(keyword string) {
	m := s.folder[s.current-1]
	s.sent = false
	s.server.mu.Lock()
	m.seen = true
	m.reads++
	s.server.mu.Unlock()
	if keyword == "ACKD" {
		s.marked[m] = true
		if s.server.config.UW {
			s.expunge()
		}
	}
	if keyword != "NACK" {
		s.current++
	}
	s.length(0)
}

// expunge deletes what is marked.
func (s *session) expunge() {
	if s.server.config.ReadOnly {
		return
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.folders[s.name] = slices.DeleteFunc(s.server.folders[s.name], func(m *message) bool { return s.marked[m] })
}

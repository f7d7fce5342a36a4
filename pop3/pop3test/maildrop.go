package pop3test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Message is a message of a maildrop. Its content is shared, never copied: it
// must not be changed once it was delivered.
type Message struct {
	// UniqueID is what UIDL shows; Deliver gives one where it is "".
	UniqueID string

	// Content is the message in wire form, without dot-stuffing: RETR gives
	// these octets and, where they do not end in CRLF, a CRLF after them.
	Content []byte

	// Octets is what the scan listing shows, where that is not the octets of
	// Content: 0 means those, a negative number none.
	Octets int64

	// For views of servers that remember: in how many sessions the message was
	// listed before, and how many of those that ended with QUIT retrieved it.
	Listed    int
	Retrieved int

	key int64 // identifies the delivered message, whatever a View makes of it; 0 where it was never delivered
}

// Maildrop is a user's mail on a Server. Its methods may be called while
// sessions are open.
type Maildrop struct {
	User     string
	password string
	server   *Server
	rules    ruleSet

	mu       sync.Mutex
	messages []Message
	lastKey  int64
	shared   bool
	lastQuit time.Time
	witness  func(expunged []Message)
	listener func(message Message, octets []byte)
	stats    Stats
}

// Deliver adds messages at the end, as arriving mail; sessions that are open
// do not see them.
func (m *Maildrop) Deliver(messages ...Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range messages {
		m.lastKey++
		message.key = m.lastKey
		if message.UniqueID == "" {
			message.UniqueID = fmt.Sprintf("%08x5e1f0a11", m.lastKey)
		}
		m.messages = append(m.messages, message)
	}
}

// Remove takes the messages of these unique-ids away, as another client's
// deletion. RETR of one in an open session is then refused.
func (m *Maildrop) Remove(uniqueIDs ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages = slices.DeleteFunc(m.messages, func(message Message) bool {
		return slices.Contains(uniqueIDs, message.UniqueID)
	})
}

// Contents returns the messages that the maildrop holds now.
func (m *Maildrop) Contents() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

// UniqueIDs returns the unique-ids of the messages that the maildrop holds
// now, in order.
func (m *Maildrop) UniqueIDs() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]string, len(m.messages))
	for i, message := range m.messages {
		ids[i] = message.UniqueID
	}
	return ids
}

// SetRules replaces the maildrop's rules; with none the maildrop heals. They
// go before those of the server.
func (m *Maildrop) SetRules(rules ...Rule) { m.rules.set(rules) }

// Struck returns how often each of the maildrop's rules has struck.
func (m *Maildrop) Struck() []int { return m.rules.struck() }

// SetPassword changes the password for logins to come.
func (m *Maildrop) SetPassword(password string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.password = password
}

// SetShared lets several sessions in at once, as servers without a maildrop
// lock do.
func (m *Maildrop) SetShared(shared bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shared = shared
}

// SetWitness has witness called with the messages that a session's marks are
// about to remove, before they are. It runs on the session's goroutine and
// must not close the server.
func (m *Maildrop) SetWitness(witness func(expunged []Message)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.witness = witness
}

// SetListener has listener called with each message that RETR is about to send,
// and the octets that follow the status line: dot-stuffed, termination line and
// all, whether or not they arrive. It runs on the session's goroutine.
func (m *Maildrop) SetListener(listener func(message Message, octets []byte)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listener = listener
}

func (m *Maildrop) listening() func(message Message, octets []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.listener
}

// Stats returns what the maildrop counted; its connections are not counted.
func (m *Maildrop) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// secret returns the password.
func (m *Maildrop) secret() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.password
}

// nextSession returns the number that the next session will have.
func (m *Maildrop) nextSession() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats.Logins + 1
}

// refuse counts a login that was turned away.
func (m *Maildrop) refuse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Refused++
}

// The reasons not to open a session, as the text after -ERR.
var (
	errLocked   = errors.New(Locked)
	errSessions = errors.New(ManySessions)
	errTooSoon  = errors.New(TooSoon)
)

// open locks the maildrop for a session, which it numbers, and returns the
// messages as they are now.
func (m *Maildrop) open() (session int, messages []Message, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	most := m.server.config.MaxUserSessions
	switch {
	case m.stats.Sessions > 0 && !m.shared:
		return 0, nil, errLocked
	case most > 0 && m.stats.Sessions >= most:
		return 0, nil, errSessions
	case !m.lastQuit.IsZero() && time.Since(m.lastQuit) < m.server.config.LoginDelay:
		return 0, nil, errTooSoon
	}
	m.stats.login()
	messages = slices.Clone(m.messages)
	for i := range m.messages {
		m.messages[i].Listed++
	}
	return m.stats.Logins, messages, nil
}

// remember notes what a session retrieved that ends with QUIT.
func (m *Maildrop) remember(session []listed) {
	retrieved := map[int64]bool{}
	for i := range session {
		if session[i].retrieved {
			retrieved[session[i].key] = true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastQuit = time.Now()
	for i := range m.messages {
		if retrieved[m.messages[i].key] {
			m.messages[i].Retrieved++
		}
	}
}

// listed returns what the scan listing shows as a message's octets.
func (m *Message) listed() int64 {
	if m.Octets != 0 {
		return m.Octets
	}
	return int64(len(m.Content))
}

// release ends a session.
func (m *Maildrop) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Sessions--
}

// holds tells whether a message is still there, so far as it ever was.
func (m *Maildrop) holds(key int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	// Keys rise along the messages.
	_, found := slices.BinarySearchFunc(m.messages, key, func(message Message, key int64) int {
		return int(message.key - key)
	})
	return found || key == 0
}

// expunge removes the messages of these keys.
func (m *Maildrop) expunge(keys map[int64]bool) {
	m.mu.Lock()
	var expunged []Message
	for _, message := range m.messages {
		if keys[message.key] {
			expunged = append(expunged, message)
		}
	}
	witness := m.witness
	m.mu.Unlock()
	if witness != nil && len(expunged) > 0 {
		witness(expunged)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages = slices.DeleteFunc(m.messages, func(message Message) bool { return keys[message.key] })
}

// top returns the part of content that TOP with a number of lines gives: the
// header section, the empty line and so many lines of the body.
func top(content []byte, lines int) []byte {
	at := headerOctets(content)
	for ; lines > 0 && at < len(content); lines-- {
		end := bytes.IndexByte(content[at:], '\n')
		if end < 0 {
			return content
		}
		at += end + 1
	}
	return content[:at]
}

// headerOctets returns how many octets the header section of content has with
// the empty line that ends it; all where there is none.
func headerOctets(content []byte) int {
	for at := 0; at < len(content); {
		end := bytes.IndexByte(content[at:], '\n')
		if end < 0 {
			break
		}
		line := content[at : at+end]
		at += end + 1
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return at
		}
	}
	return len(content)
}

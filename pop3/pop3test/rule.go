package pop3test

import (
	"slices"
	"sync"
)

// The occasions other than commands on which a rule can strike.
const (
	OnConnect  = "(connect)"  // a connection was accepted: Cut and Stall count its whole stream, after TLS
	OnGreeting = "(greeting)" // the greeting is due
	OnLogin    = "(login)"    // the credentials are right; its reply is that to PASS, APOP or AUTH
	OnRefusal  = "(refusal)"  // the credentials are wrong
	OnDrop     = "(drop)"     // a session ends without QUIT: only Update means something
)

// Rule says when the server strays, and how. A zero field is no condition.
// For each command and occasion the first rule that fits strikes, and no
// other: the maildrop's rules first, then the server's, each in order.
type Rule struct {
	// Command is a command in upper case or one of the occasions above; ""
	// fits any command.
	Command string

	// Message and UniqueID fit where the command's first argument is this
	// message-number, or the number of the message of this unique-id.
	Message  int
	UniqueID string

	// Connection fits in the server's n-th connection only, counted from 1.
	Connection int

	// Session fits in the maildrop's n-th session only, counted from 1 by its
	// logins that succeeded; Since in that one and all later ones. Neither
	// fits before the login, but both do OnLogin of the session it would open.
	Session int
	Since   int

	// Skip lets so many occasions that fit pass first; Times is how often the
	// rule then strikes, 0 for always.
	Skip  int
	Times int

	// Do is what happens; nil means that all is well, which shields the
	// occasion from the rules behind.
	Do Action
}

// occasion is one chance for a rule to strike.
type occasion struct {
	command    string
	number     int // the first argument, 0 where it is none
	uniqueID   string
	connection int
	session    int // 0 before the login
}

// fits tells whether a rule's conditions hold, its counts aside.
func (r *Rule) fits(o *occasion) bool {
	anyCommand := r.Command == "" && o.command[0] != '('
	return (anyCommand || r.Command == o.command) &&
		(r.Message == 0 || r.Message == o.number) &&
		(r.UniqueID == "" || r.UniqueID == o.uniqueID) &&
		(r.Connection == 0 || r.Connection == o.connection) &&
		(r.Session == 0 || r.Session == o.session) &&
		(r.Since == 0 || o.session >= r.Since)
}

// ruleSet is an ordered list of rules and how often each fitted.
type ruleSet struct {
	mu    sync.Mutex
	rules []Rule
	fits  []int
	hits  []int // how often each struck
}

func (s *ruleSet) set(rules []Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = rules
	s.fits, s.hits = make([]int, len(rules)), make([]int, len(rules))
}

// strike returns the action of the rule that strikes on an occasion.
func (s *ruleSet) strike(o *occasion) (do Action, struck bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.rules {
		rule := &s.rules[i]
		if !rule.fits(o) {
			continue
		}
		s.fits[i]++
		n := s.fits[i] - rule.Skip
		if n > 0 && (rule.Times == 0 || n <= rule.Times) {
			s.hits[i]++
			return rule.Do, true
		}
	}
	return nil, false
}

func (s *ruleSet) struck() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hits)
}

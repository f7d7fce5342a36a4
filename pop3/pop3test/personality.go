package pop3test

import (
	"slices"
	"strings"
	"sync/atomic"
)

// Personality is what sets one real server apart from all others, as data: a
// Config and what the server makes of the mail in it. Facts come from watching
// servers, reading their source and their documents; Sure says which. Replies
// are the servers' own where they are known and matter.
type Personality struct {
	Key  string // one word, for names of tests
	Name string // its row in docs/servers.md
	Sure string // how sure we are that the server is like this, and why

	// Config is the server but for the mail; ServerConfig completes it.
	Config Config

	// User is the form of a login name where not any name will do.
	User string

	// Own are messages that the server itself puts into each maildrop.
	Own []Message

	// What a session shows: which messages in which order, how each is kept,
	// its unique-id (position counts from 1) and its listed octets. Nil means
	// as delivered.
	View     func(messages []Message) []Message
	Kept     func(m Message) []byte
	UniqueID func(m Message, position int) string
	Octets   func(content []byte) int64

	// Sent is what RETR and TOP make of the kept form, other than what was
	// listed. It is told how many messages the server sent before.
	Sent func(content []byte, before int) []byte

	// Rereads has RSET look at the maildrop anew, which renumbers it.
	Rereads bool

	// Mishaps befall this server now and then while mail is copied, Failures
	// while mail is deleted: rules for Maildrop.SetRules.
	Mishaps  []Rule
	Failures []Rule
}

// ServerConfig returns what NewServer needs to impersonate the server. Each
// server needs its own.
func (p *Personality) ServerConfig() Config {
	config := p.Config
	var habits []Rule
	if p.View != nil || p.Kept != nil || p.UniqueID != nil || p.Octets != nil {
		habits = append(habits, Rule{Command: OnLogin, Do: View(p.shown)})
	}
	if p.Rereads {
		habits = append(habits, Rule{Command: "RSET", Do: View(p.shown)})
	}
	if p.Sent != nil {
		var count atomic.Int64
		sent := Content(func(content []byte) []byte { return p.Sent(content, int(count.Add(1)-1)) })
		habits = append(habits, Rule{Command: "RETR", Do: sent}, Rule{Command: "TOP", Do: sent})
	}
	config.Habits = slices.Concat(habits, config.Habits)
	config.Mechanisms = announcedMechanisms(config.Capabilities)
	return config
}

// announcedMechanisms returns those of a capability list that a server can
// have; to the others it says that it does not know them.
func announcedMechanisms(capabilities []string) []string {
	for _, line := range capabilities {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "SASL" {
			return slices.DeleteFunc(words[1:], func(name string) bool { return saslMechanisms[name] == nil })
		}
	}
	return nil
}

// shown is a session's view of the maildrop.
func (p *Personality) shown(messages []Message) []Message {
	if p.View != nil {
		messages = p.View(messages)
	}
	for i := range messages {
		m := &messages[i]
		if p.Kept != nil {
			m.Content = p.Kept(*m)
		}
		if p.UniqueID != nil {
			m.UniqueID = p.UniqueID(*m, i+1)
		}
		if p.Octets != nil {
			m.Octets = p.Octets(m.Content)
		}
	}
	return messages
}

// Personalities returns all of them, in the order of their names.
func Personalities() []Personality {
	all := slices.Concat(folderServers(), mboxServers(), desktopServers(), providers())
	slices.SortFunc(all, func(a, b Personality) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

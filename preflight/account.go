package preflight

import (
	"slices"
	"strings"
	"time"

	"popmigrate/migrate"
)

// Account is what was seen of one maildrop. It holds no secret. Pointers are
// nil where nothing is known.
type Account struct {
	Name         string        `json:"account"`
	User         string        `json:"user"`
	Server       string        `json:"server"` // host:port
	Ready        bool          `json:"ready"`
	Class        migrate.Class `json:"class"` // of what it is not ready for
	Reason       string        `json:"reason"`
	Hint         string        `json:"hint"`
	Addresses    []string      `json:"addresses,omitempty"` // that the server's name stands for
	Address      string        `json:"address"`             // that was dialed
	TLS          *TLS          `json:"tls"`
	Greeting     string        `json:"greeting"`
	Offered      []string      `json:"capabilities_before_login,omitempty"`
	Capabilities []string      `json:"capabilities,omitempty"` // after it
	Mechanism    string        `json:"mechanism"`
	Profiles     []string      `json:"profiles,omitempty"`
	Messages     *int64        `json:"messages"`
	Octets       *int64        `json:"octets"` // listed; the wire has about as many
	UniqueIDs    *UniqueIDs    `json:"unique_ids"`
	Top          string        `json:"top"`
	Pipelining   bool          `json:"pipelining"`
	Findings     []Finding     `json:"findings"`
	Seconds      float64       `json:"seconds"`

	Of *migrate.Account `json:"-"`
}

// topWords are the values of Account.Top.
var topWords = map[migrate.Top]string{
	migrate.TopUnknown: "unknown", migrate.TopAnnounced: "announced", migrate.TopWorks: "works",
	migrate.TopRefused: "refused", migrate.TopAvoided: "avoided",
}

// newAccount judges what a survey saw.
func newAccount(s *migrate.Sight, job *migrate.Job, now time.Time) *Account {
	a := &Account{Of: s.Account, Name: s.Account.Name, User: s.Account.User, Server: s.Account.Server,
		Class: s.Class, Reason: s.Reason, Hint: s.Hint, Seconds: float64(s.Elapsed.Milliseconds()) / 1000, Top: topWords[s.Top], Findings: []Finding{}}
	if s.Class != migrate.ClassNone {
		a.find(failure(s))
	}
	if s.Facts != nil {
		a.takeFacts(s.Facts, now)
	}
	if s.Listing != nil {
		a.takeListing(s.Listing)
	}
	if s.Top == migrate.TopRefused && (job.Delete == migrate.DeleteVerified || job.Delete == migrate.DeleteAccepted) {
		a.find(Finding{Cause: "no TOP", Detail: "the server has no TOP", Help: "nothing: before a message of an earlier run is deleted it is fetched again to be compared"})
	}
	a.Ready = s.Listing != nil && !slices.ContainsFunc(a.Findings, func(f Finding) bool { return f.Blocks })
	return a
}

func (a *Account) find(f Finding) { a.Findings = append(a.Findings, f) }

// takeFacts takes over what is known of the server.
func (a *Account) takeFacts(f *migrate.Facts, now time.Time) {
	a.Addresses, a.Address, a.Greeting, a.Mechanism, a.Profiles = f.Addresses, f.Address, f.Greeting, f.Mechanism, f.Profiles
	if f.Offered != nil {
		a.Offered = f.Offered.Lines
	}
	a.Capabilities = f.Capabilities
	a.Pipelining = announces(f.Capabilities, "PIPELINING")
	a.TLS = newTLS(f, now)
	a.Findings = append(a.Findings, a.TLS.findings()...)
	if f.Mode == migrate.TLSNone && f.Address != "" {
		a.find(Finding{Cause: "clear text", Detail: "everyone on the way can read the mail, and most passwords",
			Help: `tls = "implicit" or "starttls", if the server has it: popmigrate probe tells`})
	}
	a.Findings = append(a.Findings, known(f)...)
}

// takeListing takes over what is known of the mail.
func (a *Account) takeListing(l *migrate.Listing) {
	messages, octets, unknown := int64(len(l.Entries)), int64(0), int64(0)
	for _, e := range l.Entries {
		if e.Octets < 0 {
			unknown++
		}
		octets += max(e.Octets, 0)
	}
	if unknown > 0 && l.DropOctets >= 0 {
		octets = l.DropOctets
	}
	a.Messages, a.Octets = &messages, &octets
	a.UniqueIDs = newUniqueIDs(l)
	a.Findings = append(a.Findings, a.UniqueIDs.findings()...)
	if l.Doubt != "" {
		a.find(Finding{Cause: "doubtful listing", Detail: l.Doubt, Help: "other programs that use this maildrop should be closed; a run deletes nothing on such a listing"})
	}
}

// announces tells whether a capability is among lines, in any case.
func announces(lines []string, name string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		words := strings.Fields(line)
		return len(words) > 0 && strings.EqualFold(words[0], name)
	})
}

// argumentsOf returns the words behind a capability.
func argumentsOf(lines []string, name string) (all []string) {
	for _, line := range lines {
		if words := strings.Fields(line); len(words) > 1 && strings.EqualFold(words[0], name) {
			all = append(all, words[1:]...)
		}
	}
	return all
}

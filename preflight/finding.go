package preflight

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"popmigrate/migrate"
)

// Finding is something that a person should know before the migration.
type Finding struct {
	Cause  string `json:"cause"` // a few words; findings are grouped by them
	Detail string `json:"detail"`
	Help   string `json:"help"`   // what a person can do; may be ""
	Blocks bool   `json:"blocks"` // the maildrop is not ready
}

// Group is one cause and whom it befalls.
type Group struct {
	Finding           // of the first account
	Accounts []string // names, in the job's order
}

// Groups sorts the findings of many accounts by cause and remedy: what blocks
// comes first, then what is frequent.
func Groups(accounts []*Account) []Group {
	type key struct {
		cause, help string
		blocks      bool
	}
	var groups []Group
	at := map[key]int{}
	for _, a := range accounts {
		for _, f := range a.Findings {
			k := key{f.Cause, f.Help, f.Blocks}
			i, ok := at[k]
			if !ok {
				i = len(groups)
				at[k] = i
				groups = append(groups, Group{Finding: f})
			}
			groups[i].Accounts = append(groups[i].Accounts, a.Name)
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		if a.Blocks != b.Blocks {
			if a.Blocks {
				return -1
			}
			return 1
		}
		return len(b.Accounts) - len(a.Accounts)
	})
	return groups
}

// failure is why a maildrop could not be listed.
func failure(s *migrate.Sight) Finding {
	f := Finding{Cause: causeOf(s.Err, s.Class), Detail: s.Reason, Help: s.Hint, Blocks: true}
	if f.Help == "" {
		f.Help = remedies[s.Class]
	}
	return f
}

// remedies are for failures that say nothing better themselves.
var remedies = map[migrate.Class]string{
	migrate.ClassCredential: "check user name and password; nothing was tried twice",
	migrate.ClassBusy:       "try again later; close other programs that use these maildrops",
	migrate.ClassNetwork:    "check the server's name and port, the network and firewalls",
	migrate.ClassTLS:        "check the server's certificate; the tls settings of the source say what is trusted",
	migrate.ClassProtocol:   "is this a POP3 server? popmigrate probe tells what answers",
	migrate.ClassServer:     "ask the server's administrator; its words are above",
	migrate.ClassLocal:      "mend what is reported",
}

// causeOf names what a failure is about.
func causeOf(err error, class migrate.Class) string {
	var lookup *net.DNSError
	var connect *migrate.ConnectError
	switch class {
	case migrate.ClassInterrupted:
		return "not tried: interrupted"
	case migrate.ClassHost:
		return "not tried: host given up"
	case migrate.ClassCredential:
		return "login refused"
	case migrate.ClassBusy:
		return "maildrop or server busy"
	case migrate.ClassTLS:
		return "TLS"
	}
	switch {
	case errors.As(err, &lookup):
		return "name of the server"
	case !errors.As(err, &connect):
		return "listing"
	case connect.BeforeGreeting():
		return "closed before the greeting"
	}
	if cause := stageCauses[connect.Stage]; cause != "" {
		return cause
	}
	return connect.Stage
}

var stageCauses = map[string]string{"dial": "no connection", "kerberos": "Kerberos", "tls": "TLS", "starttls": "TLS",
	"password": "secret not to be had", "login": "login not possible"}

// known are what profiles and capabilities tell of a server.
func known(f *migrate.Facts) (all []Finding) {
	if len(f.Profiles) > 0 && f.Tuning != nil {
		cause := "known of " + strings.Join(f.Profiles, ", ")
		for _, warning := range f.Tuning.Warnings {
			all = append(all, Finding{Cause: cause, Detail: warning})
		}
	}
	if days := argumentsOf(f.Capabilities, "EXPIRE"); len(days) > 0 && !strings.EqualFold(days[0], "NEVER") && days[0] != "0" {
		all = append(all, Finding{Cause: "mail expires", Detail: fmt.Sprintf("the server announces EXPIRE %s: it may delete mail after so many days", strings.Join(days, " ")),
			Help: "copy soon; ask the server's administrator"})
	}
	return all
}

package main

import (
	"slices"

	"popmigrate/migrate"
)

// classWords says of each class of failures, in plain words, what it is and
// what helps where the failure itself does not say.
var classWords = map[migrate.Class]struct{ name, help string }{
	migrate.ClassNone:        {"messages unaccounted for", "please report this as a bug, with the run's reports"},
	migrate.ClassCredential:  {"login refused", "check user name and password; nothing was tried twice"},
	migrate.ClassBusy:        {"maildrop or server busy", "run again later; close other programs that use these maildrops"},
	migrate.ClassNetwork:     {"network", "check the server's name and port, the network and firewalls, then run again"},
	migrate.ClassTLS:         {"TLS", "check the server's certificate; the job file's tls settings say what is trusted"},
	migrate.ClassProtocol:    {"the server broke the protocol", "is this a POP3 server? run.log says what it sent"},
	migrate.ClassServer:      {"the server refused", "ask the server's administrator; its words are above"},
	migrate.ClassMessage:     {"single messages failed", "run again; accounts.csv and run.log name the reasons"},
	migrate.ClassSink:        {"a sink could not keep mail", "make room, or mend what the sink reports, then run again"},
	migrate.ClassArchive:     {"stored copies are missing or damaged", "popmigrate verify names what is damaged; restore it from a backup, or have popmigrate run --repair replace it"},
	migrate.ClassLocal:       {"this machine", "mend what is reported, then run again"},
	migrate.ClassHost:        {"host paused", "look at the first failures of this host, then run with --failed"},
	migrate.ClassInterrupted: {"interrupted", "run the same command again to go on"},
}

func className(class migrate.Class) string {
	if words, ok := classWords[class]; ok {
		return words.name
	}
	return string(class)
}

// helpAgainst returns what helps against an account's failure.
func helpAgainst(a *migrate.AccountReport) string {
	if a.Hint != "" {
		return a.Hint
	}
	return classWords[a.Class].help
}

// stableByCount sorts problems, the most frequent first.
func stableByCount(list []problem) {
	slices.SortStableFunc(list, func(a, b problem) int { return len(b.accounts) - len(a.accounts) })
}

package pop3test

import (
	"strings"
	"time"
)

// refuses has a command answered with a line, so many times, and not carried out.
func refuses(command, line string, times int) Rule {
	return Rule{Command: command, Times: times, Do: Instead(line)}
}

// folderServers keep mail in folders of files or in databases.
func folderServers() []Personality {
	return []Personality{james(), citadel(), courier(), cyrus(), dovecot(), nginx(), qmail(), zimbra()}
}

func james() Personality {
	return Personality{
		Key: "james", Name: "Apache James",
		Sure: "From the source of 3.x, never run here.",
		Config: Config{
			Greeting:             "<4711.1760000000000@james.example.org> POP3 server (JAMES POP3 Server ) ready ",
			Without:              []string{"APOP"}, // the timestamp notwithstanding
			Capabilities:         []string{"PIPELINING", "SASL PLAIN", "USER", "STLS"},
			LoggedInCapabilities: []string{"PIPELINING", "TOP", "UIDL"},
			Shared:               true,
			IdleTime:             1200 * time.Second,
			Phrases: map[string]string{
				"CAPA": "+OK Capability list follows", "USER": "+OK", "PASS": "+OK Welcome {user}", "AUTH": "+OK Welcome {user}",
				"RETR": "+OK Message follows", "DELE": "+OK Message deleted", "QUIT": "+OK Apache James POP3 Server signing off.",
				UnknownCommand: "-ERR", LogInFirst: "-ERR", NoMessage: "-ERR Message ({number}) does not exist.",
				Vanished: "-ERR Message ({number}) does not exist.", BadLogin: "-ERR Authentication failed.",
			},
		},
		UniqueID: numbered("%d"),
		Rereads:  true,
		Mishaps:  []Rule{{Command: OnLogin, Times: 1, Do: View(Emptied[Message])}}, // the store failed, the login did not
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: All(Update(1), Say("-ERR Some deleted messages were not removed"))}},
	}
}

func citadel() Personality {
	return Personality{
		Key: "citadel", Name: "Citadel",
		Sure: "Watched: release 902, and its source.",
		Config: Config{
			Greeting:     "Citadel POP3 server ready.",
			Without:      []string{"APOP", "AUTH"},
			Capabilities: []string{"TOP", "USER", "UIDL", "IMPLEMENTATION Citadel 902"},
			Shared:       true,
			Phrases: map[string]string{
				"CAPA": "+OK Capability list follows", "USER": "+OK Password required for {user}", "PASS": "+OK {user} is logged in ({count} messages)",
				"LIST": "+OK Here's your mail:", "UIDL": "+OK Here's your mail:", "RETR": "+OK Message {number}:", "TOP": "+OK Message {number}:",
				"DELE": "+OK Message {number} deleted.", "QUIT": "+OK Goodbye...",
				NoMessage: "-ERR no such message, only {count} are here", Deleted: "-ERR Sorry, you deleted that message.",
				BadLogin: "-ERR That is NOT the password.", LogInFirst: "-ERR Not logged in.",
			},
			Habits: []Rule{
				{Command: "RETR", Do: HalfStuffed()},
				{Command: "TOP", Do: All(Content(topWithoutEnd), AsIs())},
				{Command: "QUIT", Do: UpdateLate(3 * time.Second)},
			},
		},
		UniqueID: numbered("%d"),
		Kept:     rebuilt,
		Mishaps:  []Rule{refuses(OnLogin, "-ERR System busy, try later.", 1)},
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: Update(0)}}, // it went down between its answer and the deletion
	}
}

func courier() Personality {
	capabilities := []string{"SASL PLAIN LOGIN CRAM-MD5", "STLS", "TOP", "USER", "LOGIN-DELAY 10", "PIPELINING", "UIDL", "UTF8 USER",
		"IMPLEMENTATION Courier Mail Server"}
	wrapped := Downgraded(explained())
	return Personality{
		Key: "courier", Name: "Courier",
		Sure: "Watched: courier-pop 1.0.16. The numbers that shift behind DELE: from the source of 2026.",
		Config: Config{
			Greeting: "Hello there.", Without: []string{"APOP"},
			Capabilities: capabilities, LoggedInCapabilities: capabilities,
			Shared: true, IdleTime: 300 * time.Second,
			Phrases: map[string]string{
				"CAPA": "+OK Here's what I can do:", "USER": "+OK Password required.", "PASS": "+OK logged in.", "AUTH": "+OK logged in.",
				"LIST": "+OK POP3 clients that break here, they violate STD53.", "RETR": "+OK {octets} octets follow.", "DELE": "+OK Deleted.",
				"QUIT": "+OK Bye-bye.", BadLogin: "-ERR Login failed.", UnknownCommand: "-ERR Invalid command.", LogInFirst: "-ERR Invalid command.",
				Vanished: "-ERR Can't open the message file - it's gone!",
			},
			Habits: []Rule{
				{Command: OnLogin, Do: Discard()},
				{Command: "RETR", Do: wrapped}, {Command: "TOP", Do: wrapped},
				{Command: "LIST", Do: Listing(closedUp)}, {Command: "UIDL", Do: Listing(closedUp)},
			},
		},
		UniqueID: numbered("UID%d-1795380078"),
		Mishaps: []Rule{
			refuses(OnLogin, "-ERR Temporary problem, please try again later", 1),
			refuses("RETR", "-ERR Can't open the message file - it's gone!", 1),
		},
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: Update(0)}}, // a folder it must not write to: nothing is said of that
	}
}

// closedUp numbers a listing's entries anew, without the gaps of the marked.
func closedUp(entries []Entry) []Entry {
	for i := range entries {
		entries[i].Number = i + 1
	}
	return entries
}

func cyrus() Personality {
	capabilities := []string{"SASL PLAIN SCRAM-SHA-256", "STLS", "EXPIRE NEVER", "LOGIN-DELAY 60", "TOP", "UIDL", "PIPELINING",
		"RESP-CODES", "AUTH-RESP-CODE", "USER", "IMPLEMENTATION Cyrus POP3 3.6.1"}
	unended := func(content []byte) bool {
		return strings.HasSuffix(string(content), "\n") && !strings.HasSuffix(string(content), "\r\n")
	}
	return Personality{
		Key: "cyrus", Name: "Cyrus IMAP",
		Sure: "Watched: cyrus-pop3d 3.6.1 with popminpoll = 1, and the source.",
		Config: Config{
			Greeting: "mail.example.org Cyrus POP3 3.6.1 server ready", Without: []string{"APOP"},
			Capabilities: capabilities, LoggedInCapabilities: capabilities,
			Shared: true, LoginDelay: time.Minute, IdleTime: 600 * time.Second,
			Phrases: map[string]string{
				"CAPA": "+OK List of capabilities follows", "USER": "+OK Name is a valid mailbox", "PASS": "+OK Mailbox locked and ready SESSIONID=<mail-1-2-3>",
				"AUTH": "+OK Mailbox locked and ready SESSIONID=<mail-1-2-3>", "RETR": "+OK Message follows", "DELE": "+OK message deleted", "QUIT": "+OK",
				BadLogin: "-ERR [AUTH] Invalid login", TooSoon: "-ERR [LOGIN-DELAY] Logins must be at least 1 minute apart", UnknownCommand: "-ERR Unrecognized command",
			},
			Habits: []Rule{
				{Command: "RETR", Do: asIsWhere(unended)}, {Command: "TOP", Do: asIsWhere(unended)},
				{Command: "STAT", Do: Listing(Scaled(0.01))}, // the real one's sum wraps at 4 GiB
			},
		},
		UniqueID: numbered("1795379762.%d"),
		Sent:     func(content []byte, _ int) []byte { return cutAtNUL(content) },
		Mishaps:  []Rule{refuses("RETR", "-ERR [SYS/PERM] Could not read message file", 1)},
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: Update(0)}}, // the expunge could not open the mailbox; +OK all the same
	}
}

// asIsWhere is AsIs for messages that are so.
func asIsWhere(so func(content []byte) bool) Action {
	return func(r *reply) { r.asIsWhere = so }
}

func dovecot() Personality {
	return Personality{
		Key: "dovecot", Name: "Dovecot",
		Sure: "Watched: dovecot-pop3d 2.3.19.1; the tests against real servers run it.",
		Config: Config{
			Greeting: "Dovecot ready.", Without: []string{"APOP"},
			Capabilities:         []string{"CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "STLS", "USER", "SASL PLAIN LOGIN"},
			LoggedInCapabilities: []string{"CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE"},
			Shared:               true, IdleTime: 600 * time.Second,
			Phrases: dovecotPhrases(),
		},
		UniqueID: numbered("%08x5f3c2a10"),
		Mishaps: []Rule{
			{Command: OnLogin, Times: 1, Do: All(After("-ERR [SYS/TEMP] Internal error occurred. Refer to server log for more information.\r\n"), Cut(-1))},
			{Command: "RETR", Skip: 2, Times: 1, Do: Short(60)}, // the store failed; the message ends properly
		},
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: All(Update(0), Say("-ERR [SYS/TEMP] Couldn't sync mailbox."))}},
	}
}

func dovecotPhrases() map[string]string {
	return map[string]string{
		"CAPA": "+OK", "USER": "+OK", "PASS": "+OK Logged in.", "AUTH": "+OK Logged in.", "LIST": "+OK {count} messages:", "UIDL": "+OK",
		"RETR": "+OK {octets} octets", "TOP": "+OK", "DELE": "+OK Marked to be deleted.", "QUIT": "+OK Logging out, messages deleted.",
		Idle: "-ERR Disconnected for inactivity.", BadLogin: "-ERR [AUTH] Authentication failed.", UnknownCommand: "-ERR Unknown command: {command}",
		Vanished: "-ERR Message {number} expunged.", Locked: "-ERR [IN-USE] Mailbox is locked by another POP3 session.",
	}
}

func nginx() Personality {
	p := dovecot()
	p.Key, p.Name = "nginx", "nginx mail proxy"
	p.Sure = "Watched: nginx 1.22.1 in front of Dovecot, and the source."
	p.Config.Greeting = "POP3 ready"
	p.Config.Capabilities = []string{"TOP", "USER", "UIDL", "SASL PLAIN LOGIN", "STLS"}
	p.Config.IdleTime = 60 * time.Second // before the login; the server behind it allows more
	p.Config.LineOctets = 128
	p.Config.Phrases[LineTooLong] = "-ERR invalid command"
	p.Config.Phrases[BadLogin] = "-ERR Invalid login or password"
	// What the server behind it said, a lock for example, is hidden.
	p.Mishaps = []Rule{{Command: OnLogin, Times: 1, Do: All(Instead("-ERR internal server error"), Cut(-1))}}
	return p
}

func qmail() Personality {
	const ok = "+OK "
	return Personality{
		Key: "qmail", Name: "qmail-pop3d",
		Sure: "Watched: notqmail 1.09 and netqmail 1.06.",
		Config: Config{
			Greeting: "<23800.1760000000@pop.example.org>", Without: []string{"APOP", "AUTH", "CAPA", "STLS"},
			Shared: true, RefusalEnds: true, IdleTime: 1200 * time.Second,
			Phrases: map[string]string{
				"USER": ok, "PASS": ok, "LIST": ok, "UIDL": ok, "RETR": ok, "TOP": ok, "DELE": ok, "QUIT": ok, "NOOP": ok,
				UnknownCommand: "-ERR unimplemented", LogInFirst: "-ERR authorization first", BadLogin: "-ERR authorization failed",
				NoMessage: "-ERR no such message", Deleted: "-ERR already deleted", Vanished: "-ERR unable to open that message",
			},
			Habits: []Rule{{Command: OnLogin, Do: Discard()}},
		},
		View:     turned, // files of one second come in any order
		UniqueID: numbered("1700000000.%03d.host,S=160"),
		Octets:   lfCount,
		Sent:     func(content []byte, _ int) []byte { return append(append([]byte{}, ended(content)...), crlf...) },
		Mishaps:  []Rule{{Command: "RETR", Skip: 1, Times: 1, Do: Cut(100)}}, // a read error closes the line
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: Raw("-ERR unable to unlink all deleted messages\r\n+OK \r\n")}},
	}
}

func zimbra() Personality {
	return Personality{
		Key: "zimbra", Name: "Zimbra",
		Sure: "From the source, never run here.",
		Config: Config{
			Greeting: "mail.example.org Zimbra 8.8.15_GA POP3 server ready", Without: []string{"APOP"},
			Capabilities:         []string{"TOP", "USER", "UIDL", "STLS", "SASL PLAIN", "EXPIRE 31 USER", "XOIP", "IMPLEMENTATION ZimbraInc"},
			LoggedInCapabilities: []string{"TOP", "USER", "UIDL", "STLS", "SASL PLAIN", "EXPIRE NEVER", "XOIP", "IMPLEMENTATION ZimbraInc"},
			Shared:               true, IdleTime: 60 * time.Second,
			Phrases: map[string]string{
				"CAPA": "+OK Capability list follows", "USER": "+OK hello {user}, please enter your password", "PASS": "+OK server ready", "AUTH": "+OK server ready",
				"LIST": "+OK {count} messages", "UIDL": "+OK {count} messages", "RETR": "+OK message follows", "DELE": "+OK message {number} marked for deletion",
				"QUIT": "+OK deleted messages", BadLogin: "-ERR LOGIN failed", NoMessage: "-ERR invalid message", Deleted: "-ERR message is deleted",
				UnknownCommand: "-ERR unknown command",
			},
		},
		UniqueID: numbered("%d.AbC+dEf/123="),
		Octets:   lfCount, // of the file as it lies there
		Mishaps:  []Rule{refuses(OnLogin, "-ERR your account is having maintenance peformed. please try again later", 1)},
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: All(Update(1), Say("-ERR deleted 1/2 message(s)"))}},
	}
}

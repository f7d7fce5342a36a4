package pop3test

import (
	"bytes"
	"slices"
	"time"
)

// mboxServers keep mail in one file, and their notes in the mail.
func mboxServers() []Personality {
	return []Personality{heimdal(), qpopper(), qpopperAutoDelete(), repop(), uw()}
}

func heimdal() Personality {
	return Personality{
		Key: "heimdal", Name: "Heimdal popper (KPOP)",
		Sure: "Watched: the last popper of Heimdal. What goes before the greeting on the KPOP port is not played here.",
		Config: Config{
			Greeting: "POP3 server ready", Without: []string{"APOP", "AUTH", "CAPA", "STLS"}, IdleTime: 120 * time.Second,
			Phrases: map[string]string{
				"USER": "+OK Password required for {user}.", "PASS": "+OK {user} has {count} message(s) ({total} octets).",
				"LIST": "+OK {count} messages ({total} octets)", "UIDL": "+OK {count} messages ({total} octets)",
				"RETR": "+OK {octets} octets", "TOP": "+OK Message follows", "DELE": "+OK Message {number} has been deleted.", "QUIT": "+OK Pop server at pop.example.org signing off.",
				UnknownCommand: `-ERR Unknown command: "{command}".`, BadLogin: "-ERR Password incorrect", Idle: "-ERR POP timeout: pop.example.org",
				Locked: "-ERR Maildrop lock busy!  Is another session active?",
			},
			Habits: []Rule{{Command: OnDrop, Do: Update(Marks)}}, // a dropped line and the timer carry marks out
		},
		UniqueID: fromHeader("no-message-id-%d", "X-UIDL", "Message-ID"),
		Kept:     func(m Message) []byte { return withField(ended(joinedAtNUL(m.Content)), status(m)) },
		Octets:   mboxCount,
		Sent:     func(content []byte, _ int) []byte { return append(append([]byte{}, content...), crlf...) },
		Mishaps:  []Rule{refuses(OnLogin, "-ERR Maildrop lock busy!  Is another session active?", 1)},
	}
}

func qpopper() Personality {
	return Personality{
		Key: "qpopper", Name: "Qpopper",
		Sure: "From the source of 4.0; here with the option to update on abort.",
		Config: Config{
			Greeting: "Qpopper (version 4.0.16) at pop.example.org starting.  <1234.1760000000@pop.example.org>", Without: []string{"AUTH", "STLS"},
			Capabilities: qpopperCapabilities("EXPIRE NEVER"), LoggedInCapabilities: qpopperCapabilities("EXPIRE NEVER"),
			IdleTime: 120 * time.Second, LockLingers: 120 * time.Second, LineOctets: 1024,
			Phrases: map[string]string{
				"CAPA": "+OK Capability list follows", "USER": "+OK Password required for {user}.", "PASS": "+OK {user} has {count} visible messages (0 hidden) in {total} octets.",
				"LIST": "+OK {count} visible messages ({total} octets)", "UIDL": "+OK uidl command accepted.", "RETR": "+OK {octets} octets", "DELE": "+OK Message {number} has been deleted.",
				"QUIT": "+OK Pop server at pop.example.org signing off.", BadLogin: `-ERR [AUTH] Password supplied for "{user}" is incorrect.`,
				Idle: "-ERR POP timeout from pop.example.org", Locked: "-ERR [IN-USE] /var/mail/.{user}.pop lock busy!  Is another session active? (11)",
			},
			Habits: []Rule{{Command: OnDrop, Do: Update(Marks)}},
		},
		Own:      []Message{internalData()},
		UniqueID: inventive,
		Kept: func(m Message) []byte {
			content := bytes.ReplaceAll(ended(m.Content), []byte{0}, []byte{' '})
			if _, ok := headerField(content, "X-UIDL"); !ok {
				content = withField(content, "X-UIDL: "+madeUIDL(m))
			}
			return withField(content, status(m))
		},
		Mishaps:  []Rule{refuses(OnLogin, "-ERR [IN-USE] Maildrop being unlocked; try again.", 1)},
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: Raw("-ERR [SYS/TEMP] Error updating primary drop\r\n+OK Pop server at pop.example.org signing off.\r\n")}},
	}
}

func qpopperCapabilities(expire string) []string {
	return []string{"TOP", "USER", "LOGIN-DELAY 0", expire, "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "X-MANGLE", "X-MACRO",
		"X-LOCALTIME Mon, 02 Feb 2026 10:00:00 +0000", "IMPLEMENTATION Qpopper-version-4.0.16"}
}

func qpopperAutoDelete() Personality {
	p := qpopper()
	p.Key, p.Name = "qpopper-autodelete", "Qpopper with auto-delete"
	p.Sure = "From the source of 4.0; here with the option auto-delete and without the option to update on abort."
	p.Config.Capabilities = qpopperCapabilities("EXPIRE 0")
	p.Config.LoggedInCapabilities = p.Config.Capabilities
	p.Config.Habits = []Rule{{Command: "QUIT", Do: Expire()}}
	p.Own = nil
	return p
}

func repop() Personality {
	return Personality{
		Key: "repop", Name: "RePOP",
		Sure: "Nothing is known but the name: a server with the least that RFC 1939 demands.",
		Config: Config{
			Greeting: "RePOP ready", Without: []string{"APOP", "AUTH", "CAPA", "STLS", "UIDL", "TOP"}, RefusalEnds: true,
			Phrases: map[string]string{UnknownCommand: "-ERR", BadLogin: "-ERR", NoMessage: "-ERR", Locked: "-ERR maildrop already locked"},
			Habits:  []Rule{{Command: OnLogin, Do: Discard()}},
		},
	}
}

func uw() Personality {
	return Personality{
		Key: "uw", Name: "UW IMAP (ipop3d)",
		Sure: "Watched: ipop3d 2007f.",
		Config: Config{
			Greeting: "POP3 pop.example.org 2007f.104 server ready", Without: []string{"APOP", "AUTH", "STLS"},
			Capabilities: []string{"TOP", "LOGIN-DELAY 180", "UIDL", "USER"},
			LockWait:     14 * time.Second, IdleTime: 600 * time.Second,
			Phrases: map[string]string{
				"CAPA": "+OK Capability list follows:", "USER": "+OK User name accepted, password please", "PASS": "+OK Mailbox open, {count} messages",
				"LIST": "+OK Mailbox scan listing follows", "UIDL": "+OK Unique-ID listing follows", "RETR": "+OK {octets} octets", "TOP": "+OK Top of message follows",
				"DELE": "+OK Message deleted", "QUIT": "+OK Sayonara", BadLogin: "-ERR Bad login", UnknownCommand: "-ERR Unknown TRANSACTION state command",
				Locked: "-ERR Can't get lock.  Mailbox in use", Idle: "-ERR Autologout; idle for too long", NoMessage: "-ERR No such message",
			},
		},
		Own:      []Message{internalData()},
		View:     withoutInternalData,
		UniqueID: numbered("6b035475%08x"),
		Kept: func(m Message) []byte {
			content := slices.Clone(m.Content)
			if !bytes.HasSuffix(content, crlf[1:]) {
				content = append(content[:max(0, len(content)-2)], crlf...) // its two last octets go
			}
			return withField(content, status(m))
		},
		Mishaps: []Rule{
			refuses(OnLogin, "-ERR Can't get lock.  Mailbox in use", 1),
			{Command: "RETR", Skip: 3, Times: 1, Do: All(Instead("-ERR Received Kiss of Death"), Cut(-1))},
		},
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: Update(0)}},
	}
}

package pop3test

import "time"

// desktopServers are those of desktop systems and offices.
func desktopServers() []Personality {
	return []Personality{eims(), exchange(), hMailServer(), iMail(), kerio(), mailtraq(), winGate()}
}

func eims() Personality {
	return Personality{
		Key: "eims", Name: "Eudora Internet Mail Server",
		Sure: "From hearsay: the greeting of 3.2 only. The rest is what a client of its maker needs.",
		Config: Config{
			Greeting: "mac.example.org running Eudora Internet Mail Server 3.2.5 <41234.987654321@mac.example.org>",
			Without:  []string{"AUTH", "CAPA", "STLS"},
			Phrases:  map[string]string{UnknownCommand: "-ERR command not recognized", BadLogin: "-ERR authentication failed", Locked: "-ERR mailbox in use"},
		},
		UniqueID: numbered("41234%03X"),
	}
}

func exchange() Personality {
	capabilities := []string{"TOP", "USER", "PIPELINING", "EXPIRE NEVER", "UIDL", "SASL NTLM"}
	const who = "Microsoft Exchange Server 2003 POP3 server version 6.5.7638.1"
	return Personality{
		Key: "exchange", Name: "Exchange on premises",
		Sure: "From documentation and reports of clients' users, 2000 to 2003; here with deletion behind QUIT, an option.",
		User: `EXAMPLE\alice`,
		Config: Config{
			Greeting: who + " (example.org) ready.", Without: []string{"APOP", "AUTH", "STLS"},
			Capabilities: capabilities, LoggedInCapabilities: capabilities, Shared: true, IdleTime: 1800 * time.Second, LineOctets: 512,
			Phrases: map[string]string{
				"CAPA": "+OK Capability list follows", "USER": "+OK", "PASS": "+OK User successfully logged on.", "LIST": "+OK", "UIDL": "+OK", "RETR": "+OK", "TOP": "+OK",
				"DELE": "+OK", "QUIT": "+OK " + who + " signing off.", BadLogin: "-ERR Logon failure: unknown user name or bad password.",
			},
			Habits: []Rule{
				{Command: "RETR", Do: AsIs()}, // the last dot stands right behind a message without a line end
				{Command: "QUIT", Do: UpdateLate(5 * time.Second)},
			},
		},
		UniqueID: exchangeID,
		Octets:   estimated,
		Sent:     otherBoundary,
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: Update(0)}},
	}
}

// standIn is what hMailServer sends, from then on, for a message whose file is lost.
func standIn([]byte) []byte {
	return []byte("From: Postmaster\r\nSubject: (undeliverable)\r\n\r\nThe file of this message was not found.\r\n")
}

func hMailServer() Personality {
	return Personality{
		Key: "hmailserver", Name: "hMailServer",
		Sure: "From the source of 5.x, never run here.",
		Config: Config{
			Greeting: "POP3", Without: []string{"APOP", "AUTH"},
			Capabilities: []string{"USER", "UIDL", "TOP", "STLS"},
			IdleTime:     600 * time.Second, LineOctets: 500,
			Phrases: map[string]string{
				"CAPA": "+OK CAPA list follows", "USER": "+OK Send your password", "PASS": "+OK Mailbox locked and ready", "LIST": "+OK {count} messages ({total} octets)",
				"UIDL": "+OK {count} messages ({total} octets)", "RETR": "+OK {octets} octets", "TOP": "+OK {octets} octets", "DELE": "+OK msg deleted",
				"QUIT": "+OK POP3 server saying goodbye...", BadLogin: "-ERR Invalid user name or password.", LogInFirst: "-ERR Invalid command in current state.",
				Locked: "-ERR Your mailbox is already locked", Idle: "-ERR Autologout; idle too long", LineTooLong: "-ERR Line too long.",
			},
			// The file of the third message is lost.
			Habits: []Rule{{Command: "RETR", UniqueID: "3", Do: Content(standIn)}, {Command: "TOP", UniqueID: "3", Do: Content(standIn)}},
		},
		UniqueID: numbered("%d"),
		Rereads:  true,
		Mishaps: []Rule{
			{Command: "LIST", Times: 1, Do: Instead("+ERR Server error: Failed to fetch messages in Inbox.")},
			{Command: "RETR", Message: 5, Times: 1, Do: Stall(0)}, // it could not even open the file
		},
		Failures: []Rule{{Command: "QUIT", Times: 1, Do: Update(0)}},
	}
}

func iMail() Personality {
	return Personality{
		Key: "imail", Name: "IMail",
		Sure: "Greeting from surveys, limit of 512 from the maker's documentation; the rest is a guess.",
		Config: Config{
			Greeting: "X1 NT-POP3 Server mail.example.org (IMail 8.22 1234-1)", Without: []string{"APOP", "AUTH", "CAPA", "STLS"},
			LineOctets: 512, LineBans: true,
			Phrases: map[string]string{UnknownCommand: "-ERR unrecognized command", BadLogin: "-ERR Invalid login", Locked: "-ERR mailbox locked, try again later"},
		},
		UniqueID: numbered("4%08d"),
	}
}

func kerio() Personality {
	capabilities := []string{"TOP", "USER", "UIDL", "STLS", "SASL PLAIN LOGIN"}
	return Personality{
		Key: "kerio", Name: "Kerio Connect",
		Sure: "From hearsay: the greeting of 9.4 only. The rest is a guess.",
		Config: Config{
			Greeting:     "Kerio Connect 9.4.2 POP3 server ready <2210.1760000000@(null)>",
			Capabilities: capabilities, LoggedInCapabilities: capabilities,
		},
		UniqueID: numbered("00000001%016x"),
	}
}

func mailtraq() Personality {
	p := kerio()
	p.Key, p.Name = "mailtraq", "Mailtraq"
	p.Sure = "From hearsay: the greeting of 2.x only. The rest is a guess."
	p.Config.Greeting = "<4F21.1@mail.example.org> ready for action (Mailtraq 2.17/POP3)"
	p.Config.Without = []string{"AUTH"}
	p.Config.Capabilities = []string{"TOP", "USER", "UIDL"}
	p.Config.LoggedInCapabilities = p.Config.Capabilities
	return p
}

func winGate() Personality {
	return Personality{
		Key: "wingate", Name: "WinGate",
		Sure: "Greeting from surveys, form of the login name from documentation; the rest depends on the server behind it.",
		User: "alice#pop.isp.example",
		Config: Config{
			Greeting: "WinGate Engine POP3 Gateway ready", Without: []string{"APOP", "AUTH", "CAPA", "STLS"}, Shared: true,
			Phrases: map[string]string{UnknownCommand: "-ERR"},
		},
		UniqueID: numbered("%08x"),
		Mishaps:  []Rule{{Command: OnLogin, Times: 1, Do: All(Instead("-ERR could not connect to server"), Cut(-1))}},
	}
}

package pop3test

import "time"

// providers are services that anyone can have a maildrop at.
func providers() []Personality {
	return []Personality{exchangeOnline(), gmail(), yahoo()}
}

func exchangeOnline() Personality {
	p := exchange()
	p.Key, p.Name = "exchange-online", "Exchange Online"
	p.Sure = "From documentation and reports of clients' users. The login is played with PLAIN; the service wants OAuth."
	p.User = "alice@example.org"
	p.Config.Greeting = "The Microsoft Exchange POP3 service is ready. [QgBMADAAUABSADAAMwA=]"
	p.Config.Without = []string{"APOP", "STLS", "USER"}
	p.Config.Capabilities = []string{"TOP", "UIDL", "SASL PLAIN XOAUTH2"}
	p.Config.LoggedInCapabilities = []string{"TOP", "UIDL"}
	p.Config.LineOctets = 0
	p.Config.Phrases["AUTH"] = "+OK User successfully authenticated and connected."
	p.Config.Phrases["QUIT"] = "+OK Microsoft Exchange Server POP3 server signing off."
	p.Config.Phrases["CAPA"] = "+OK"
	p.Config.Habits = nil
	// It has enough of a client, and says something else.
	p.Mishaps = []Rule{refuses(OnLogin, "-ERR Logon failure: unknown user name or bad password.", 1)}
	p.Failures = []Rule{{Command: "QUIT", Times: 1, Do: UpdateLate(30 * time.Second)}}
	return p
}

// GmailWindow is how many messages a session of the Gmail personality shows; the
// service shows some 250.
const GmailWindow = 4

func gmail() Personality {
	return Personality{
		Key: "gmail", Name: "Gmail",
		Sure: "From logs of clients' users and from documentation. A session shows some 250 messages, here 4. The login is played with PLAIN; the service wants OAuth or an app password.",
		User: "alice@gmail.example",
		Config: Config{
			Greeting: "Gpop ready for requests from 192.0.2.7 a1b2c3", Without: []string{"APOP", "STLS"},
			Capabilities:         []string{"USER", "RESP-CODES", "EXPIRE 0", "LOGIN-DELAY 300", "TOP", "UIDL", "X-GOOGLE-RICO", "SASL PLAIN XOAUTH2 OAUTHBEARER"},
			LoggedInCapabilities: []string{"USER", "RESP-CODES", "EXPIRE 0", "LOGIN-DELAY 300", "TOP", "UIDL", "X-GOOGLE-RICO"},
			Phrases: map[string]string{
				"CAPA": "+OK Capability list follows", "AUTH": "+OK Welcome.", "PASS": "+OK Welcome.", "QUIT": "+OK Farewell.", "RETR": "+OK message follows",
				BadLogin: "-ERR [AUTH] Username and password not accepted.",
				Locked:   "-ERR [IN-USE] Unable to lock maildrop: mailbox is locked by another POP session",
			},
		},
		View:     window(GmailWindow), // QUIT hides what was retrieved
		UniqueID: numbered("GmailId18f2c1a9%08x"),
		Mishaps:  []Rule{refuses(OnLogin, "-ERR [SYS/TEMP] Temporary system problem. Please try again later.", 1)},
	}
}

func yahoo() Personality {
	capabilities := []string{"IMPLEMENTATION jpop-0.1", "TOP", "USER", "SASL LOGIN PLAIN"} // UIDL is there, and not named
	return Personality{
		Key: "yahoo", Name: "Yahoo and AOL",
		Sure: "From reports of clients' users.",
		User: "alice@yahoo.example",
		Config: Config{
			Greeting: "Maildrop ready, (JPOP server ready).", Without: []string{"APOP", "STLS"},
			Capabilities: capabilities, LoggedInCapabilities: capabilities,
			Phrases: map[string]string{"CAPA": "+OK CAPA list follows", "PASS": "+OK Maildrop ready", "AUTH": "+OK Maildrop ready"},
			Habits:  []Rule{{Command: OnRefusal, Do: Cut(0)}},
		},
		UniqueID: numbered("AH3uimIAAWfaTJwBCwqV%06x"),
	}
}

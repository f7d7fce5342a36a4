package pop3test_test

import "strings"

const logIn = "C: USER alice\nS* +OK\nC: PASS secret\nS* +OK\n"

// dialogues show what sets each server apart.
var dialogues = []struct {
	key, what string
	mail      []string
	script    string
	left      int
}{
	{"james", "TOP and UIDL come with the login; RSET renumbers", []string{letterOne, letterTwo}, `
		S* +OK <4711.1760000000000@james
		C: CAPA
		S: +OK Capability list follows
		S: PIPELINING
		S: SASL PLAIN
		S: USER
		S: STLS
		S: .
		` + logIn + `
		C: CAPA
		S: +OK Capability list follows
		S: PIPELINING
		S: TOP
		S: UIDL
		S: .
		C: UIDL 2
		S: +OK 2 2
		C: RETR 9
		S: -ERR Message (9) does not exist.
		C: NOSUCH
		S: -ERR
		C: DELE 1
		S: +OK Message deleted
		C: RSET
		S* +OK
		C: LIST 1
		S* +OK 1 `, 2},
	{"citadel", "dots, TOP without an end, UPDATE behind QUIT", []string{"Subject: x\r\n\r\n.\r\n.dot\r\n"}, `
		S: +OK Citadel POP3 server ready.
		` + logIn + `
		C: RETR 1
		S: +OK Message 1:
		S: Subject: x
		S: Message-ID: <1@citadel.example>
		S: 
		S: 
		S: ..
		S: .dot
		S: .
		C: DELE 1
		S: +OK Message 1 deleted.
		C: RETR 1
		S: -ERR Sorry, you deleted that message.
		C: QUIT
		S: +OK Goodbye...
		closed
		---
		S* +OK
		` + logIn + `
		C: STAT
		S* +OK 1 
		wait 3s
		---
		S* +OK
		` + logIn + `
		C: STAT
		S: +OK 0 0`, 0},
	{"courier", "numbers shift in listings only; UTF8", []string{letterOne, "Subject: \xe4\r\n\r\n"}, `
		S: +OK Hello there.
		C: UTF8
		S: +OK UTF8 enabled
		` + logIn + `
		C: DELE 1
		S: +OK Deleted.
		C: UIDL
		S* +OK
		S: 1 UID2-1795380078
		S: .
		C: RETR 2
		S: +OK 14 octets follow.
		S* Subject: 
		S: 
		S: .
		---
		S* +OK
		` + logIn + `
		C: RETR 2
		S: +OK 14 octets follow.
		S: From: Mail Delivery Subsystem <postmaster>`, 2},
	{"cyrus", "LF at the end; login delay", []string{"Subject: x\r\n\r\nlast\n"}, `
		S* +OK mail.example.org Cyrus
		` + logIn + `
		C: RETR 1
		S: +OK Message follows
		S: Subject: x
		S: 
		S* last
		S: .
		C: QUIT
		S: +OK
		closed
		---
		S* +OK
		C: USER alice
		S* +OK
		C: PASS secret
		S: -ERR [LOGIN-DELAY] Logins must be at least 1 minute apart
		wait 60s
		---
		S* +OK
		` + logIn, 1},
	{"nginx", "a long line ends the session", nil, `
		S: +OK POP3 ready
		C: AUTH PLAIN ` + strings.Repeat("A", 130) + `
		S: -ERR invalid command
		closed
		---
		S: +OK POP3 ready`, 0},
	{"imail", "a long line ends all sessions", nil, `
		S* +OK X1 NT-POP3
		C: CAPA
		S* -ERR
		C: USER ` + strings.Repeat("a", 600) + `
		S* -ERR
		closed
		---
		closed`, 0},
	{"qmail", "LF counts, an empty line more, one try", []string{letterOne}, `
		S: +OK <23800.1760000000@pop.example.org>
		C: CAPA
		S: -ERR unimplemented
		` + logIn + `
		C: LIST
		S: +OK 
		S: 1 37
		S: .
		C: RETR 1
		S: +OK 
		S: Message-ID: <1@x>
		S: Subject: one
		S: 
		S: ..dot
		S: 
		S: .
		C: DELE 1
		S: +OK 
		C: QUIT
		S: +OK 
		closed
		---
		S* +OK
		C: USER alice
		S: +OK 
		C: PASS wrong
		S: -ERR authorization failed
		closed`, 0},
	{"heimdal", "unique-ids from the mail, a drop deletes", []string{letterOne, letterTwo, "Message-ID: \r\n\r\n", "Subject: none\r\n\r\n"}, `
		S: +OK POP3 server ready
		C: CAPA
		S: -ERR Unknown command: "CAPA".
		` + logIn + `
		C: UIDL
		S* +OK 4 messages (
		S: 1 <1@x>
		S: 2 <1@x>
		S: 3 
		S: 4 no-message-id-4
		S: .
		C: DELE 1
		S: +OK Message 1 has been deleted.
		drop
		---
		S* +OK
		` + logIn + `
		C: UIDL 3
		S: +OK 3 no-message-id-3
		C: DELE 1
		S* +OK
		wait 121s
		S: -ERR POP timeout: pop.example.org
		closed`, 2},
	{"qpopper", "the lock outlives a drop; the internal message; a forged unique-id", []string{"X-UIDL: QQQ\r\n\r\na\x00b\r\n"}, `
		S* +OK Qpopper
		` + logIn + `
		C: UIDL 2
		S: +OK 2 QQQ
		C: RETR 2
		S* +OK
		S: X-UIDL: QQQ
		S: Status:   
		S: 
		S: a b
		S: .
		drop
		---
		S* +OK
		C: USER alice
		S* +OK
		C: PASS secret
		S: -ERR [IN-USE] /var/mail/.alice.pop lock busy!  Is another session active? (11)
		wait 120s
		---
		S* +OK
		` + logIn + `
		C: TOP 1 0
		S* +OK
		S* From: Mail System Internal Data`, 2},
	{"qpopper-autodelete", "QUIT deletes what was read", []string{letterOne, letterTwo}, `
		S* +OK
		` + logIn + `
		C: RETR 2
		S* +OK
		S* Message-ID
		S* Subject
		S* X-UIDL
		S* Status
		S: 
		S: body
		S: .
		C: QUIT
		S* +OK
		closed`, 1},
	{"uw", "two octets are lost, the status changes", []string{"Subject: x\r\n\r\nnewline"}, `
		S* +OK POP3
		` + logIn + `
		C: LIST
		S: +OK Mailbox scan listing follows
		S: 1 33
		S: .
		C: RETR 1
		S: +OK 33 octets
		S: Subject: x
		S: Status:   
		S: 
		S: newli
		S: .
		C: QUIT
		S: +OK Sayonara
		closed
		---
		S* +OK
		` + logIn + `
		C: TOP 1 0
		S* +OK
		S: Subject: x
		S: Status: RO`, 2},
	{"gmail", "what was read and left with QUIT is hidden", []string{letterOne, letterOne, letterOne, letterOne, letterTwo}, `
		S* +OK Gpop
		` + logIn + `
		C: STAT
		S* +OK 4 
		C: RETR 1
		S: +OK message follows
		drop
		---
		S* +OK
		` + logIn + `
		C: UIDL 4
		S: +OK 4 GmailId18f2c1a900000004
		C: RETR 2
		S: +OK message follows
		S* Message-ID
		S* Subject
		S: 
		S: ..dot
		S: .
		C: QUIT
		S: +OK Farewell.
		closed
		---
		S* +OK
		` + logIn + `
		C: UIDL 4
		S: +OK 4 GmailId18f2c1a900000005`, 5},
	{"hmailserver", "a stand-in for the third", []string{letterOne, letterOne, letterTwo}, `
		S: +OK POP3
		` + logIn + `
		C: RETR 3
		S: +OK 41 octets
		S: From: Postmaster
		S: Subject: (undeliverable)`, 3},
	{"yahoo", "a wrong password is answered by nothing; UIDL is there", []string{letterOne}, `
		S* +OK
		C: USER alice
		S* +OK
		C: PASS wrong
		closed
		---
		S* +OK
		` + logIn + `
		C: UIDL 1
		S* +OK 1 AH3uim`, 1},
	{"zimbra", "silence ends it after a minute", nil, `
		S* +OK
		` + logIn + `
		wait 61s
		closed`, 0},
}

const letterOne, letterTwo = "Message-ID: <1@x>\r\nSubject: one\r\n\r\n.dot\r\n", "Message-ID: <1@x>\r\nSubject: two\r\n\r\nbody\r\n"

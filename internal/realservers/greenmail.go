package realservers

import (
	"strings"
	"testing"
)

// StartGreenMail runs GreenMail, a server for tests that keeps mail in memory.
func StartGreenMail(t testing.TB, users ...string) *POP3 {
	t.Helper()
	needJava(t)
	jar := unpacked(t, "greenmail.jar")
	p, dir, plain, _ := newPOP3(t, false)
	imap := freePort(t)
	accounts := make([]string, len(users))
	for i, user := range users {
		accounts[i] = user + ":" + Password(user) + "@localhost"
	}
	server := startIn(t, dir, p.Addr, []string{"java", "-Xmx256m", "-Dgreenmail.hostname=127.0.0.1",
		"-Dgreenmail.pop3.hostname=127.0.0.1", "-Dgreenmail.pop3.port=" + plain,
		"-Dgreenmail.imap.hostname=127.0.0.1", "-Dgreenmail.imap.port=" + imap,
		"-Dgreenmail.users=" + strings.Join(accounts, ","), "-jar", jar})
	server.await("tcp", loopback(imap))
	p.Log = server.wrote
	p.Fill = func(t testing.TB, user string, messages ...[]byte) {
		t.Helper()
		if err := appendByIMAP(loopback(imap), user, messages); err != nil {
			t.Fatalf("fill %s: %v", user, err)
		}
	}
	return p
}

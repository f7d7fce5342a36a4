package realservers

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
)

// StartDovecotStore runs Dovecot with a store of a kind, "maildir", "mbox" or
// "sdbox", and all logins that need no more than a password.
func StartDovecotStore(t testing.TB, store string, users ...string) *POP3 {
	t.Helper()
	location := map[string]string{"maildir": "maildir:~/Maildir", "mbox": "mbox:~/folders:INBOX=~/inbox", "sdbox": "sdbox:~/sdbox"}[store]
	d := StartDovecotWith(t, "mail_location = "+location+"\nauth_mechanisms = plain login apop cram-md5 digest-md5 scram-sha-1 scram-sha-256\n", users...)
	p := &POP3{Addr: d.Addr, STLS: true, TLSAddr: d.TLSAddr, CAFile: d.CAFile, CAs: d.CAs, Log: d.Log}
	p.Fill = func(t testing.TB, user string, messages ...[]byte) {
		t.Helper()
		home := filepath.Join(d.dir, "home", user)
		switch store {
		case "maildir":
			fillMaildir(t, filepath.Join(home, "Maildir"), mailUID, mailUID, messages...)
		case "mbox":
			fillMbox(t, filepath.Join(home, "inbox"), mailUID, mailUID, messages...)
		default:
			for _, content := range messages {
				save := exec.Command("doveadm", "-c", filepath.Join(d.dir, "dovecot.conf"), "save", "-u", user)
				save.Stdin = bytes.NewReader(content)
				if out, err := save.CombinedOutput(); err != nil {
					t.Fatalf("doveadm save: %v %s", err, out)
				}
			}
		}
	}
	return p
}

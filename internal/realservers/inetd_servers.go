package realservers

import (
	"os"
	"path/filepath"
	"testing"
)

// StartPopa3d runs popa3d on mboxes. It knows neither CAPA nor TLS, and serves
// one connection for each start.
func StartPopa3d(t testing.TB, users ...string) *POP3 {
	t.Helper()
	needNamespaces(t)
	program := unpacked(t, "popa3d", "usr", "sbin", "popa3d")
	p, dir, _, _ := newPOP3(t, false)
	a := systemUsers(t, dir, "popa3d", users...)
	a.service(t, dir, "popa3d")
	p.Fill = a.spool(t, dir)
	// Its empty root is a built-in path that the package would bring.
	if err := os.MkdirAll("/var/lib/popa3d", 0o755); err != nil {
		t.Fatal(err)
	}
	p.Log = startIn(t, dir, p.Addr, a.at.around(t, inetd(t, dir), p.Addr, program)).wrote
	return p
}

// StartSolid runs solid-pop3d on mboxes. It knows neither CAPA nor TLS, and
// serves one connection for each start.
func StartSolid(t testing.TB, users ...string) *POP3 {
	t.Helper()
	needNamespaces(t)
	program := unpacked(t, "solid-pop3d", "usr", "sbin", "solid-pop3d")
	p, dir, _, _ := newPOP3(t, false)
	a := systemUsers(t, dir, "spop3d", users...)
	a.service(t, dir, "solid-pop3d")
	p.Fill = a.spool(t, dir)
	config := filepath.Join(dir, "spop3d.conf")
	write(t, config, []byte(solidConfig))
	p.Log = startIn(t, dir, p.Addr, a.at.around(t, inetd(t, dir), p.Addr, program, "-f", config)).wrote
	return p
}

const solidConfig = `<Global>
	MailDropName	"/var/mail/%s"
	MailDropType	mailbox
	AllowAPOP	yes
	UserOverride	yes
	LogStatistics	no
	AddBulletins	no
</Global>
`

// startIn starts a command that listens on address.
func startIn(t testing.TB, dir, address string, command []string) *server {
	t.Helper()
	return start(t, dir, "", "tcp", address, command[0], command[1:]...)
}

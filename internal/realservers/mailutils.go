package realservers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// StartMailutils runs the pop3d of GNU mailutils on mboxes, with APOP.
func StartMailutils(t testing.TB, users ...string) *POP3 {
	t.Helper()
	need(t, "popauth")
	needNamespaces(t)
	const program = "/usr/sbin/pop3d"
	if _, err := os.Stat(program); err != nil {
		Skip(t, "mailutils-pop3d is not installed")
	}
	p, dir, plain, secure := newPOP3(t, true)
	a := systemUsers(t, dir, "", users...)
	a.service(t, dir, "mu-pop3d")
	p.Fill = a.spool(t, dir)
	secrets := filepath.Join(dir, "apop.txt")
	var list strings.Builder
	for _, user := range users {
		fmt.Fprintf(&list, "%s %s\n", user, Password(user))
	}
	write(t, secrets, []byte(list.String()))
	database := "gdbm://" + filepath.Join(dir, "apop.gdbm")
	if out, err := exec.Command("popauth", "--create", "-f", secrets, "-o", database).CombinedOutput(); err != nil {
		t.Fatalf("popauth: %v %s", err, out)
	}
	if err := os.Chmod(filepath.Join(dir, "key.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "pop3d.conf")
	write(t, config, []byte(strings.NewReplacer("@DIR@", dir, "@PLAIN@", plain, "@TLS@", secure, "@APOP@", database).Replace(mailutilsConfig)))
	server := startIn(t, dir, p.Addr, a.at.around(t, program, "--config-file="+config, "--foreground"))
	server.await("tcp", p.TLSAddr)
	p.Log = server.wrote
	return p
}

const mailutilsConfig = `mode daemon;
foreground yes;
max-children 50;
timeout 600;
apop-database-file "@APOP@";
pidfile "@DIR@/pid";
pam { service mu-pop3d; };
auth { authentication clear; authentication pam:system; authorization clear; authorization system; };
mailbox { mail-spool "/var/mail"; };
logging { syslog no; facility mail; };
tls { ssl-certificate-file "@DIR@/cert.pem"; ssl-key-file "@DIR@/key.pem"; };
server 127.0.0.1:@PLAIN@ { tls-mode ondemand; };
server 127.0.0.1:@TLS@ { tls-mode connection; };
`

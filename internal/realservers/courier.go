package realservers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// StartCourier runs Courier's POP3 server on Maildirs, with its own limit of
// four connections from an address.
func StartCourier(t testing.TB, users ...string) *POP3 {
	t.Helper()
	need(t, "couriertcpd", "couriertls", "userdbpw", "makeuserdb", "openssl")
	needNamespaces(t)
	package_ := []string{"courier-pop", "usr", "lib", "courier", "courier"}
	login := unpacked(t, append(package_, "courierpop3login")...)
	daemon := unpacked(t, append(package_, "courierpop3d")...)
	p, dir, plain, secure := newPOP3(t, true)
	homes := filepath.Join(dir, "home")
	at := configureCourier(t, dir, homes, users)
	authdaemon := at.around(t, "sh", "-c", ". /etc/courier/authdaemonrc; set -a; exec /usr/lib/courier/courier-authlib/authdaemond")
	start(t, dir, "", "unix", filepath.Join(dir, "run", "authdaemon", "socket"), authdaemon[0], authdaemon[1:]...)
	listen := func(port, tls string, wrapper ...string) *server {
		command := append([]string{"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
			"POP3AUTH=LOGIN PLAIN CRAM-MD5", "POP3AUTH_TLS=LOGIN PLAIN CRAM-MD5", "POP3_PROXY=0", tls, "POP3_TLS_REQUIRED=0",
			"COURIERTLS=/usr/bin/couriertls", "TLS_CERTFILE=" + filepath.Join(dir, "both.pem"), "TLS_STARTTLS_PROTOCOL=TLSv1.2+", "TLS_PROTOCOL=TLSv1.2+",
			"TLS_VERIFYPEER=NONE", "MAILDIRPATH=Maildir", "DEBUG_LOGIN=0",
			"couriertcpd", "-address=127.0.0.1", "-maxprocs=40", "-maxperip=4", "-nodnslookup", "-noidentlookup", port}, wrapper...)
		return startIn(t, dir, loopback(port), at.around(t, append(command, login, daemon, "Maildir")...))
	}
	p.Log = listen(plain, "POP3_STARTTLS=YES").wrote
	listen(secure, "POP3_TLS=1", "/usr/bin/couriertls", "-server", "-tcpd")
	p.Fill = func(t testing.TB, user string, messages ...[]byte) {
		t.Helper()
		fillMaildir(t, filepath.Join(homes, user, "Maildir"), mailUID, mailUID, messages...)
	}
	return p
}

// configureCourier writes what stands in /etc/courier and /run/courier.
func configureCourier(t testing.TB, dir, homes string, users []string) places {
	t.Helper()
	etc, run := filepath.Join(dir, "etc"), filepath.Join(dir, "run")
	uid, gid := userID(t, "courier")
	makeDir(t, run, uid, gid)
	makeDir(t, filepath.Join(run, "authdaemon"), uid, gid)
	makeDir(t, homes, mailUID, mailUID)
	if err := os.MkdirAll("/run/courier", 0o755); err != nil { // where run is put
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", "/etc/courier/.", etc).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	rc, err := os.ReadFile(filepath.Join(etc, "authdaemonrc"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(etc, "authdaemonrc"), append(rc, "\nauthmodulelist=\"authuserdb\"\ndaemons=3\n"...))
	var database strings.Builder
	for _, user := range users {
		makeDir(t, filepath.Join(homes, user), mailUID, mailUID)
		fillMaildir(t, filepath.Join(homes, user, "Maildir"), mailUID, mailUID)
		fmt.Fprintf(&database, "%s\thome=%s|uid=%d|gid=%d|systempw=%s|hmac-md5pw=%s\n", user, filepath.Join(homes, user), mailUID, mailUID,
			output(t, "", "openssl", "passwd", "-1", Password(user)), output(t, Password(user)+"\n", "userdbpw", "-hmac-md5"))
	}
	userdb := filepath.Join(etc, "userdb")
	if err := os.RemoveAll(userdb); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(userdb, []byte(database.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := bothPEM(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "both.pem"), both)
	at := places{"/etc/courier": etc, "/run/courier": run}
	output(t, "", at.around(t, "makeuserdb")...)
	return at
}

// bothPEM returns certificate and key in one.
func bothPEM(dir string) ([]byte, error) {
	certificate, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	return append(certificate, key...), err
}

// output runs a command to its end and returns what it printed, without the
// last line end.
func output(t testing.TB, input string, command ...string) string {
	t.Helper()
	run := exec.Command(command[0], command[1:]...)
	run.Stdin = strings.NewReader(input)
	var complaint bytes.Buffer
	run.Stderr = &complaint
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %v %s%s", command, err, out, complaint.String())
	}
	return strings.TrimRight(string(out), "\n")
}

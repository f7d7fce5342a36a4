package realservers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Cyrus is a running Cyrus IMAP server of which POP3 alone is used.
type Cyrus struct {
	*POP3
	dir string
}

// StartCyrus runs Cyrus. Besides what POP3 has, Store puts octets into its
// spool as they are.
func StartCyrus(t testing.TB, users ...string) *Cyrus {
	t.Helper()
	need(t, "saslpasswd2", "setpriv")
	const programs = "/usr/lib/cyrus/bin/"
	if _, err := os.Stat(programs + "master"); err != nil {
		Skip(t, "cyrus-common is not installed")
	}
	pop3d := unpacked(t, "cyrus-pop3d", "usr", "lib", "cyrus", "bin", "pop3d")
	p, dir, plain, secure := newPOP3(t, true)
	for _, sub := range []string{"lib/db", "lib/proc", "lib/log", "lib/msg", "lib/socket", "lib/user", "lib/quota", "spool", "run/socket", "run/proc", "run/lock"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range users {
		output(t, Password(user), "saslpasswd2", "-p", "-c", "-f", filepath.Join(dir, "sasldb2"), "-u", "lab", user)
	}
	values := strings.NewReplacer("@DIR@", dir, "@PLAIN@", plain, "@TLS@", secure, "@POP3D@", pop3d)
	write(t, filepath.Join(dir, "imapd.conf"), []byte(values.Replace(cyrusConfig)))
	write(t, filepath.Join(dir, "cyrus.conf"), []byte(values.Replace(cyrusServices)))
	output(t, "", "chown", "-R", "cyrus:mail", dir)
	server := startIn(t, dir, p.Addr, []string{programs + "master", "-C", filepath.Join(dir, "imapd.conf"), "-M", filepath.Join(dir, "cyrus.conf"), "-p", filepath.Join(dir, "pid")})
	server.await("tcp", p.TLSAddr)
	p.Log = server.wrote
	c := &Cyrus{POP3: p, dir: dir}
	p.Fill = func(t testing.TB, user string, messages ...[]byte) {
		t.Helper()
		stored := make([][]byte, len(messages))
		for i, content := range messages {
			stored[i] = bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n"))
		}
		c.Store(t, user, stored...)
	}
	return c
}

// Store puts messages into a user's spool octet for octet.
func (c *Cyrus) Store(t testing.TB, user string, messages ...[]byte) {
	t.Helper()
	if err := firstLogin(c.Addr, user); err != nil { // makes the mailbox
		t.Fatal(err)
	}
	config := filepath.Join(c.dir, "imapd.conf")
	box := c.run(t, "mbpath", "-C", config, "user."+user)
	last := 0
	for line := range strings.Lines(c.run(t, "mbexamine", "-C", config, "user."+user)) {
		if _, number, found := strings.Cut(line, "Last UID:"); found {
			number, _, _ = strings.Cut(strings.TrimSpace(number), " ")
			last, _ = strconv.Atoi(number)
		}
	}
	uid, gid := userID(t, "cyrus")
	for _, content := range messages {
		last++
		name := filepath.Join(box, fmt.Sprintf("%d.", last))
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(name, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	c.run(t, "reconstruct", "-C", config, "user."+user)
}

// run runs one of Cyrus's programs as its user.
func (c *Cyrus) run(t testing.TB, program string, args ...string) string {
	t.Helper()
	command := append([]string{"setpriv", "--reuid", "cyrus", "--regid", "mail", "--init-groups", "env", "CYRUS_VERBOSE=0", "/usr/lib/cyrus/bin/" + program}, args...)
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v %s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

const cyrusConfig = `servername: lab
configdirectory: @DIR@/lib
proc_path: @DIR@/run/proc
mboxname_lockpath: @DIR@/run/lock
defaultpartition: default
partition-default: @DIR@/spool
altnamespace: no
unixhierarchysep: no
hashimapspool: false
umask: 077
allowplaintext: yes
allowapop: yes
autocreate_quota: 0
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: @DIR@/sasldb2
sasl_mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256
defaultdomain: lab
loginrealms: lab
tls_server_cert: @DIR@/cert.pem
tls_server_key: @DIR@/key.pem
idlesocket: @DIR@/run/socket/idle
notifysocket: @DIR@/run/socket/notify
lmtpsocket: @DIR@/run/socket/lmtp
admins: cyrus
`

const cyrusServices = `START {
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r -C @DIR@/imapd.conf"
}
SERVICES {
  pop3  cmd="@POP3D@ -U 30 -C @DIR@/imapd.conf" listen="127.0.0.1:@PLAIN@" prefork=0 maxchild=50
  pop3s cmd="@POP3D@ -s -U 30 -C @DIR@/imapd.conf" listen="127.0.0.1:@TLS@" prefork=0 maxchild=50
}
EVENTS {
  checkpoint cmd="/usr/sbin/cyrus ctl_cyrusdb -c -C @DIR@/imapd.conf" period=30
}
`

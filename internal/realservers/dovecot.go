package realservers

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// Dovecot is a running Dovecot with one Maildir per user. Users are given at
// the start; each has the password "pw-" and the name.
type Dovecot struct {
	Addr    string // POP3 in clear text, with STLS
	TLSAddr string // POP3 with TLS from the first octet
	LMTP    string // path of the LMTP socket; recipients are the users' names
	CAFile  string
	CAs     *x509.CertPool

	t      testing.TB
	dir    string
	server *server
}

// StartDovecot runs Dovecot for the users until the test ends.
func StartDovecot(t testing.TB, users ...string) *Dovecot {
	t.Helper()
	return startDovecot(t, dovecotMore{}, users)
}

// StartDovecotWith is StartDovecot with more lines of configuration, which come
// last and so win.
func StartDovecotWith(t testing.TB, more string, users ...string) *Dovecot {
	t.Helper()
	return startDovecot(t, dovecotMore{config: more}, users)
}

// dovecotMore is what a Dovecot has besides.
type dovecotMore struct {
	config string // after the rest of the configuration
	fields string // of each user's entry, with @USER@ for the name
}

func startDovecot(t testing.TB, more dovecotMore, users []string) *Dovecot {
	t.Helper()
	need(t, "dovecot")
	dir := tempDir(t)
	d := &Dovecot{t: t, dir: dir, CAs: certificate(t, dir), CAFile: filepath.Join(dir, "ca.pem"),
		LMTP: filepath.Join(dir, "run", "lmtp")}
	plain, secure := freePort(t), freePort(t)
	d.Addr, d.TLSAddr = "127.0.0.1:"+plain, "127.0.0.1:"+secure
	var passwd strings.Builder
	for _, user := range users {
		fmt.Fprintf(&passwd, "%s:{PLAIN}pw-%s::::::%s\n", user, user, strings.ReplaceAll(more.fields, "@USER@", user))
		for _, sub := range []string{"tmp", "new", "cur"} {
			d.mkdir(filepath.Join("home", user, "Maildir", sub))
		}
	}
	write(t, filepath.Join(dir, "passwd"), []byte(passwd.String()))
	write(t, filepath.Join(dir, "dovecot.conf"), []byte(strings.NewReplacer("@DIR@", dir, "@PLAIN@", plain, "@TLS@", secure).Replace(dovecotConfig+more.config)))
	d.start()
	return d
}

func (d *Dovecot) start() {
	d.t.Helper()
	d.server = start(d.t, d.dir, "", "tcp", d.Addr, "dovecot", "-F", "-c", filepath.Join(d.dir, "dovecot.conf"))
}

// Restart ends Dovecot with all its sessions, as an upgrade of the machine
// does, and starts it again at the same addresses.
func (d *Dovecot) Restart() {
	d.t.Helper()
	d.server.stop()
	d.start()
}

// The user id of all mail; it needs no entry in the password database.
const mailUID = 61000

const dovecotConfig = `
protocols = pop3 lmtp
listen = 127.0.0.1
base_dir = @DIR@/run
state_dir = @DIR@/state
log_path = @DIR@/log
instance_name = popmigrate-test
first_valid_uid = 1
mail_home = @DIR@/home/%n
mail_location = maildir:~/Maildir
mail_uid = 61000
mail_gid = 61000
disable_plaintext_auth = no
auth_mechanisms = plain login apop
auth_failure_delay = 0
service anvil { # refused logins slow down those that follow, from one address
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
ssl = yes
ssl_cert = <@DIR@/cert.pem
ssl_key = <@DIR@/key.pem
passdb {
  driver = passwd-file
  args = @DIR@/passwd
}
userdb {
  driver = passwd-file
  args = username_format=%n @DIR@/passwd
  override_fields = uid=61000 gid=61000 home=@DIR@/home/%n
}
namespace inbox {
  inbox = yes
}
service pop3-login {
  inet_listener pop3 {
    port = @PLAIN@
  }
  inet_listener pop3s {
    port = @TLS@
    ssl = yes
  }
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
`

func (d *Dovecot) mkdir(name string) {
	d.t.Helper()
	path := d.dir
	for _, part := range strings.Split(name, string(filepath.Separator)) {
		path = filepath.Join(path, part)
		if err := os.Mkdir(path, 0o755); err != nil && !os.IsExist(err) {
			d.t.Fatal(err)
		}
		if err := os.Chown(path, mailUID, mailUID); err != nil {
			d.t.Fatal(err)
		}
	}
}

// Seed puts a message into a user's Maildir, octet for octet; name is its file
// name and must be new.
func (d *Dovecot) Seed(user, name string, content []byte) {
	d.t.Helper()
	if err := d.Deliver(user, name, content); err != nil {
		d.t.Fatal(err)
	}
}

// Deliver is Seed for other goroutines than the test's. The message is written
// in tmp and renamed into new, so that Dovecot never sees a part of it.
func (d *Dovecot) Deliver(user, name string, content []byte) error {
	maildir := filepath.Join(d.dir, "home", user, "Maildir")
	temporary := filepath.Join(maildir, "tmp", name)
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	if err := os.Chown(temporary, mailUID, mailUID); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(maildir, "new", name))
}

// Left returns the contents of the files in a user's Maildir, by file name.
func (d *Dovecot) Left(user string) [][]byte {
	d.t.Helper()
	var names []string
	for _, sub := range []string{"new", "cur"} {
		found, err := filepath.Glob(filepath.Join(d.dir, "home", user, "Maildir", sub, "*"))
		if err != nil {
			d.t.Fatal(err)
		}
		names = append(names, found...)
	}
	sort.Slice(names, func(i, k int) bool { return filepath.Base(names[i]) < filepath.Base(names[k]) })
	contents := make([][]byte, len(names))
	for i, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			d.t.Fatal(err)
		}
		contents[i] = content
	}
	return contents
}

// Log returns what Dovecot logged.
func (d *Dovecot) Log() string {
	log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
	return string(log)
}

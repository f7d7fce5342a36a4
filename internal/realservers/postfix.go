package realservers

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// Postfix is a running Postfix that delivers all mail for example.org into one
// Maildir; Return-Path and Delivered-To in front of a message say what its
// envelope was. later@example.org is answered with a 4xx reply,
// never@example.org with a 5xx one.
type Postfix struct {
	Addr   string // SMTP with STARTTLS
	CAFile string
	CAs    *x509.CertPool

	t   testing.TB
	dir string
}

// StartPostfix runs Postfix until the test ends.
func StartPostfix(t testing.TB) *Postfix {
	t.Helper()
	need(t, "postfix")
	dir := tempDir(t)
	port := freePort(t)
	p := &Postfix{Addr: "127.0.0.1:" + port, t: t, dir: dir, CAs: certificate(t, dir), CAFile: filepath.Join(dir, "ca.pem")}
	for _, sub := range []string{"queue", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(dir, "mail"), mailUID, mailUID); err != nil {
		t.Fatal(err)
	}
	postfixUID, postfixGID := userID(t, "postfix")
	if err := os.Chown(filepath.Join(dir, "data"), postfixUID, postfixGID); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("@DIR@", dir, "@PORT@", port)
	write(t, filepath.Join(dir, "etc", "main.cf"), []byte(fill.Replace(postfixMain)))
	write(t, filepath.Join(dir, "etc", "master.cf"), []byte(fill.Replace(postfixMaster)))
	t.Cleanup(p.stop)
	start(t, dir, p.pidFile(), "tcp", p.Addr, "postfix", "-c", filepath.Join(dir, "etc"), "start-fg")
	return p
}

func (p *Postfix) pidFile() string { return filepath.Join(p.dir, "queue", "pid", "master.pid") }

// stop ends the master process, which leaves the process group it was started in.
func (p *Postfix) stop() {
	content, err := os.ReadFile(p.pidFile())
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		p.t.Errorf("stop Postfix: %v", err)
		return
	}
	if process, err := os.FindProcess(pid); err == nil {
		_ = process.Signal(os.Interrupt) // gone already is fine
		_ = process.Kill()
	}
}

// local_header_rewrite_clients and message_drop_headers are empty so that
// nothing is added to what a loopback client sends, and no Return-Path taken off.
const postfixMain = `
compatibility_level = 3.6
queue_directory = @DIR@/queue
data_directory = @DIR@/data
maillog_file = @DIR@/maillog
maillog_file_prefixes = @DIR@
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_header_rewrite_clients =
message_drop_headers =
message_size_limit = 104857600
virtual_mailbox_limit = 0
virtual_mailbox_domains = example.org
virtual_mailbox_base = @DIR@/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:61000
virtual_gid_maps = static:61000
virtual_minimum_uid = 1000
smtpd_tls_cert_file = @DIR@/cert.pem
smtpd_tls_key_file = @DIR@/key.pem
smtpd_tls_security_level = may
smtpd_recipient_restrictions = check_recipient_access inline:{{later@example.org=450 4.2.1 come again}, {never@example.org=550 5.1.1 no such person}}, permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
`

const postfixMaster = `
127.0.0.1:@PORT@ inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - 4 virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
`

// Delivered returns what arrived so far, by file name.
func (p *Postfix) Delivered() [][]byte {
	p.t.Helper()
	names, err := filepath.Glob(filepath.Join(p.dir, "mail", "inbox", "new", "*"))
	if err != nil {
		p.t.Fatal(err)
	}
	sort.Strings(names)
	contents := make([][]byte, len(names))
	for i, name := range names {
		if contents[i], err = os.ReadFile(name); err != nil {
			p.t.Fatal(err)
		}
	}
	return contents
}

// Log returns what Postfix logged.
func (p *Postfix) Log() string {
	log, _ := os.ReadFile(filepath.Join(p.dir, "maillog"))
	return string(log)
}

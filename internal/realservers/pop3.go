package realservers

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

// POP3 is a running POP3 server, whatever its make. Each of its users has the
// password "pw-" and the name. It runs until the test ends.
type POP3 struct {
	Addr    string // clear text
	STLS    bool   // whether Addr offers STLS
	TLSAddr string // TLS from the first octet; "" where there is none
	CAFile  string // of the server's certificate
	CAs     *x509.CertPool

	// Fill puts messages, with LF line ends, behind those in a user's maildrop,
	// in the form in which the server stores them. It must not be called while
	// a session is open on that maildrop.
	Fill func(t testing.TB, user string, messages ...[]byte)
	// Log returns what the server logged.
	Log func() string
}

// Password is the password of a user of any server here.
func Password(user string) string { return "pw-" + user }

// newPOP3 prepares a server with a directory, a certificate and addresses.
func newPOP3(t testing.TB, secure bool) (p *POP3, dir, plain, tls string) {
	t.Helper()
	dir = tempDir(t)
	plain = freePort(t)
	p = &POP3{Addr: loopback(plain), STLS: secure, CAFile: filepath.Join(dir, "ca.pem"), CAs: certificate(t, dir)}
	if secure {
		tls = freePort(t)
		p.TLSAddr = loopback(tls)
	}
	p.Log = func() string { return "" }
	return p, dir, plain, tls
}

func loopback(port string) string { return "127.0.0.1:" + port }

// folder is where this package's install.sh unpacks what Debian does not let
// stand beside other servers.
func folder() string {
	if dir := os.Getenv("POPMIGRATE_SERVERS"); dir != "" {
		return dir
	}
	return "/opt/realservers"
}

// unpacked returns a file of an unpacked package, and skips the test where it
// is not there.
func unpacked(t testing.TB, parts ...string) string {
	t.Helper()
	name := filepath.Join(append([]string{folder()}, parts...)...)
	if _, err := os.Stat(name); err != nil {
		Skip(t, name+" is not there; internal/realservers/install.sh puts it there")
	}
	return name
}

// logFile makes Log read a file.
func logFile(name string) func() string {
	return func() string {
		content, _ := os.ReadFile(name)
		return string(content)
	}
}

// makeDir makes one directory that belongs to a user.
func makeDir(t testing.TB, name string, uid, gid int) {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(name, uid, gid); err != nil {
		t.Fatal(err)
	}
}

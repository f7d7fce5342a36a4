// Package realservers starts real mail servers on loopback for tests, from the
// system's packages and from what install.sh fetches: POP3 servers of many
// makes, Postfix, a Kerberos realm. Everything they write is in the test's
// temporary directory, and they end with the test.
//
// A test skips where a server is not installed, or where it cannot be started
// because the test does not run as root. With POPMIGRATE_REAL_SERVERS=required
// in the environment that is a failure instead.
package realservers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Required is the environment variable that turns skips into failures.
const Required = "POPMIGRATE_REAL_SERVERS"

// need skips the test, or fails it, unless the programs are installed.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			Skip(t, program+" is not installed")
		}
	}
	if os.Geteuid() != 0 {
		Skip(t, "real servers are started as root only")
	}
}

// needJava is need for a server that install.sh fetches by Maven. Where there
// is none, such a server cannot be required.
func needJava(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("mvn"); err != nil {
		t.Skip("there is no Maven here to fetch Java servers with")
	}
	need(t, "java")
}

// Skip skips the test because something is missing, or fails it where real
// servers are required.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(Required) == "required" {
		t.Fatalf("%s, and %s=required", why, Required)
	}
	t.Skipf("%s; with %s=required this is a failure", why, Required)
}

// tempDir is like t.TempDir, but short (sockets) and open to the servers' users.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "real-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// freePort returns a loopback port that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// server is a running server, seen from outside.
type server struct {
	t       testing.TB
	name    string
	command *exec.Cmd
	output  string // name of the file with what it wrote
	ended   chan struct{}
	guard   *guard
}

// start runs a server in the foreground until the test ends, and waits until
// network and address accept a connection. Should the test be killed, the
// server is ended too and dir removed; pidFile, where not "", names the leader
// of a second process group that has to be ended then.
func start(t testing.TB, dir, pidFile, network, address string, name string, args ...string) *server {
	t.Helper()
	// A file, not a pipe: a server's children may outlive it and would keep
	// the pipe, and whoever waits for its end, open.
	output, err := os.CreateTemp(dir, "output")
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	s := &server{t: t, name: name, command: exec.Command(name, args...), output: output.Name(),
		ended: make(chan struct{}), guard: newGuard(t, dir, pidFile)}
	s.command.Stdout, s.command.Stderr = output, output
	ownGroup(s.command)
	if err := s.command.Start(); err != nil {
		s.guard.dismiss()
		t.Fatal(err)
	}
	s.guard.watch(s.command.Process.Pid)
	go func() {
		s.command.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("%s wrote: %s", name, s.wrote())
		}
	})
	s.await(network, address)
	return s
}

// await returns when the server listens.
func (s *server) await(network, address string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			conn.Close()
			return
		}
		retry := time.NewTimer(20 * time.Millisecond)
		select {
		case <-s.ended:
			s.t.Fatalf("%s ended at once: %s", s.name, s.wrote())
		case <-ctx.Done():
			s.t.Fatalf("%s does not listen on %s: %v", s.name, address, err)
		case <-retry.C:
		}
	}
}

// stop ends the server with all its children; a second stop does nothing.
func (s *server) stop() {
	endGroup(s.command, s.ended)
	s.guard.dismiss()
}

func (s *server) wrote() string {
	content, _ := os.ReadFile(s.output)
	return string(content)
}

// certificate writes a CA and a server certificate for localhost and 127.0.0.1
// and returns the CA.
func certificate(t testing.TB, dir string) *x509.CertPool {
	t.Helper()
	caKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err3 := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leafDER, err4 := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	keyDER, err5 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}))
	write(t, filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}))
	write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return pool
}

func write(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// userID looks up a user of the system.
func userID(t testing.TB, name string) (uid, gid int) {
	t.Helper()
	account, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.Atoi(account.Uid)
	gid, err2 := strconv.Atoi(account.Gid)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return uid, gid
}

// Until waits for what another process is to do, which nobody can be notified
// of: it asks done again and again.
func Until(ctx context.Context, done func() bool) error {
	ask := time.NewTicker(20 * time.Millisecond)
	defer ask.Stop()
	for !done() {
		select {
		case <-ask.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

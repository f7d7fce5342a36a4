package realservers

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Realm is the realm of every KDC of this package, MasterPrincipal the one that
// KPOP servers and Dovecot let into every maildrop, and KerberosHost the host
// part of the service that they are.
const (
	Realm           = "REAL.TEST"
	MasterPrincipal = "migrate@" + Realm
	KerberosHost    = "localhost"
)

// KDC is a running MIT KDC with a realm of its own. It has the services pop and
// imap on KerberosHost, and migrate. Principals have the password "krb-" and the
// name, and have to prove it beforehand.
type KDC struct {
	Config string // path of a krb5.conf
	Keytab string // path, with the keys of pop/localhost

	t      testing.TB
	dir    string
	port   string
	server *server
}

// StartKDC runs a KDC until the test ends, with principals for the users.
// enctypes are those that keys are made of; "" means AES with SHA-1.
func StartKDC(t testing.TB, enctypes string, users ...string) *KDC {
	t.Helper()
	need(t, "krb5kdc", "kdb5_util", "kadmin.local", "kinit")
	if enctypes == "" {
		enctypes = "aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96"
	}
	k := &KDC{t: t, dir: tempDir(t), port: freePort(t)}
	k.Config, k.Keytab = k.path("krb5.conf"), k.path("pop.keytab")
	if err := os.Mkdir(k.path("rcache"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(k.path("rcache"), 0o777|os.ModeSticky); err != nil { // servers of several users write there
		t.Fatal(err)
	}
	fill := strings.NewReplacer("@DIR@", k.dir, "@PORT@", k.port, "@ENCTYPES@", enctypes,
		"@KEYS@", strings.Join(strings.Fields(enctypes), ":normal ")+":normal")
	write(t, k.Config, []byte(fill.Replace(krb5Config)))
	write(t, k.path("kdc.conf"), []byte(fill.Replace(kdcConfig)))
	k.command("kdb5_util", "create", "-s", "-r", Realm, "-P", "master")
	for _, service := range []string{"pop/" + KerberosHost, "imap/" + KerberosHost} {
		k.admin("addprinc -randkey " + service)
	}
	for _, user := range append(users, "migrate") {
		k.admin("addprinc -pw krb-" + user + " " + user)
	}
	k.admin("ktadd -norandkey -k " + k.Keytab + " pop/" + KerberosHost)
	k.Start()
	return k
}

const krb5Config = `
[libdefaults]
  default_realm = REAL.TEST
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  permitted_enctypes = @ENCTYPES@
[realms]
  REAL.TEST = {
    kdc = 127.0.0.1:@PORT@
    auth_to_local_names = {
      nobody = nobody
    }
  }
[domain_realm]
  localhost = REAL.TEST
`

const kdcConfig = `
[kdcdefaults]
  kdc_listen = 127.0.0.1:@PORT@
  kdc_tcp_listen = 127.0.0.1:@PORT@
[realms]
  REAL.TEST = {
    database_name = @DIR@/principal
    key_stash_file = @DIR@/stash
    acl_file = @DIR@/acl
    max_life = 10h
    supported_enctypes = @KEYS@
    default_principal_flags = +preauth
  }
[logging]
  kdc = FILE:@DIR@/kdc.log
`

func (k *KDC) path(name string) string { return filepath.Join(k.dir, name) }

// Environment returns the variables that lead MIT's programs to this KDC.
func (k *KDC) Environment() []string {
	return append(os.Environ(), "KRB5_CONFIG="+k.Config, "KRB5_KDC_PROFILE="+k.path("kdc.conf"),
		"KRB5RCACHEDIR="+k.path("rcache"), "KRB5RCACHENAME=dfl:")
}

func (k *KDC) command(name string, args ...string) {
	k.t.Helper()
	c := exec.Command(name, args...)
	c.Env = k.Environment()
	if output, err := c.CombinedOutput(); err != nil {
		k.t.Fatalf("%s %q: %v\n%s", name, args, err, output)
	}
}

// admin changes the KDC's database. kadmin.local says only in words that it
// could not.
func (k *KDC) admin(query string) {
	k.t.Helper()
	c := exec.Command("kadmin.local", "-r", Realm, "-q", query)
	c.Env = k.Environment()
	var problems bytes.Buffer
	c.Stderr = &problems
	err := c.Run()
	for _, line := range strings.Split(problems.String(), "\n") {
		if err != nil || strings.Contains(line, "while") {
			k.t.Fatalf("kadmin.local %q: %v\n%s", query, err, problems.String())
		}
	}
}

// Start runs the KDC again after Stop, at the same port.
func (k *KDC) Start() {
	k.t.Helper()
	k.server = start(k.t, k.dir, "", "tcp", "127.0.0.1:"+k.port, "env", "KRB5_CONFIG="+k.Config,
		"KRB5_KDC_PROFILE="+k.path("kdc.conf"), "krb5kdc", "-n", "-r", Realm, "-P", k.path("pid"))
}

// Stop ends the KDC.
func (k *KDC) Stop() { k.server.stop() }

// Export writes the keys of a principal into a keytab and returns its path.
func (k *KDC) Export(principal string) string {
	k.t.Helper()
	name := k.path(strings.ReplaceAll(principal, "/", "_") + ".keytab")
	k.admin("ktadd -norandkey -k " + name + " " + principal)
	return name
}

// Rekey gives a principal new keys.
func (k *KDC) Rekey(principal string) {
	k.t.Helper()
	k.admin("cpw -randkey " + principal)
}

// Change changes an attribute of a principal, in kadmin's words.
func (k *KDC) Change(attribute, principal string) {
	k.t.Helper()
	k.admin("modprinc " + attribute + " " + principal)
}

// Login gets a ticket for a principal by kinit, which lasts for the time, and
// returns the path of the credential cache.
func (k *KDC) Login(principal string, life time.Duration) string {
	k.t.Helper()
	name := k.path(principal + ".ccache")
	k.command("kinit", "-c", "FILE:"+name, "-l", fmt.Sprintf("%ds", int(life.Seconds())), "-k", "-t", k.Export(principal), principal)
	return name
}

// Log returns what the KDC logged.
func (k *KDC) Log() string {
	log, _ := os.ReadFile(k.path("kdc.log"))
	return string(log)
}

// StartDovecot runs Dovecot, with AUTH GSSAPI besides, until the test ends. A
// user's maildrop opens to the principal of that name and to MasterPrincipal.
func (k *KDC) StartDovecot(t testing.TB, users ...string) *Dovecot {
	t.Helper()
	return startDovecot(t, dovecotMore{
		fields: "k5principals=@USER@@" + Realm + "," + MasterPrincipal,
		config: strings.NewReplacer("@KEYTAB@", k.Keytab, "@CONFIG@", k.Config, "@RCACHE@", k.path("rcache")).Replace(dovecotGSSAPI),
	}, users)
}

const dovecotGSSAPI = `
auth_mechanisms = plain login apop gssapi
auth_krb5_keytab = @KEYTAB@
auth_gssapi_hostname = "$ALL"
import_environment = TZ KRB5_CONFIG=@CONFIG@ KRB5RCACHEDIR=@RCACHE@
service auth {
  user = root
}
`

//go:embed testdata/kpoppeer/kpoppeer.c
var kpopPeer []byte

// KPOP is a running KPOP server on MIT's Kerberos library.
type KPOP struct {
	Addr   string
	server *server
}

// KPOPOptions are what a KPOP server may have wrong.
type KPOPOptions struct {
	Keytab string        // path; "" means the KDC's for pop/localhost
	Clock  time.Duration // how far its clock is ahead
}

// StartKPOP runs a KPOP server in front of a POP3 server on loopback, where
// each user has the password "pw-" and the name, until the test ends. It is
// compiled from testdata.
func (k *KDC) StartKPOP(t testing.TB, backend string, options KPOPOptions) *KPOP {
	t.Helper()
	need(t, "gcc")
	if options.Keytab == "" {
		options.Keytab = k.Keytab
	}
	_, backendPort, err := net.SplitHostPort(backend)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	s := &KPOP{Addr: "127.0.0.1:" + port}
	s.server = start(t, k.dir, "", "tcp", s.Addr, "env", "KRB5_CONFIG="+k.Config, "KRB5RCACHEDIR="+k.path("rcache"),
		k.compilePeer(t), port, backendPort, "FILE:"+options.Keytab, fmt.Sprint(int(options.Clock.Seconds())), MasterPrincipal)
	return s
}

// Log returns what the server wrote: who came, and what it was told before the
// login.
func (s *KPOP) Log() string { return s.server.wrote() }

// compilePeer makes the program, once for a KDC.
func (k *KDC) compilePeer(t testing.TB) string {
	t.Helper()
	program := k.path("kpoppeer")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	headers := exec.Command("gcc", "-E", "-x", "c", "-")
	headers.Stdin = strings.NewReader("#include <krb5.h>\n")
	if headers.Run() != nil {
		Skip(t, "the headers of MIT Kerberos (libkrb5-dev) are not installed")
	}
	source := k.path("kpoppeer.c")
	write(t, source, kpopPeer)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if output, err := exec.CommandContext(ctx, "gcc", "-O1", "-Wall", "-Wextra", "-o", program, source, "-lkrb5", "-lcom_err").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, output)
	}
	return program
}

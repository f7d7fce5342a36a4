package kerberos_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"popmigrate/internal/realservers"
	"popmigrate/pop3"
	"popmigrate/pop3/kerberos"
	"popmigrate/pop3/pop3test"
)

// backend is the POP3 server behind KPOP servers.
func backend(t *testing.T, users ...string) *pop3test.Server {
	t.Helper()
	server, err := pop3test.Start(pop3test.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	for _, user := range users {
		server.AddMaildrop(user, "pw-"+user)
	}
	return server
}

// kpop opens a session by KPOP and ends it.
func kpop(t *testing.T, c *kerberos.Client, addr, user string) error {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	if err := c.KPOP(t.Context(), conn, "localhost"); err != nil {
		conn.Close()
		return err
	}
	client := pop3.NewClient(conn, nil)
	defer client.Close()
	if _, err := client.Greeting(t.Context()); err != nil {
		return err
	}
	if err := client.Login(t.Context(), user, "dummy"); err != nil {
		return err
	}
	_, err = client.Quit(t.Context())
	return err
}

// gssapi opens a session by GSSAPI in clear text and ends it.
func gssapi(t *testing.T, c *kerberos.Client, addr, user string) error {
	t.Helper()
	mechanism, err := c.GSSAPI(t.Context(), "localhost", user)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	client := pop3.NewClient(conn, nil)
	defer client.Close()
	if _, err := client.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Authenticate(t.Context(), mechanism); err != nil {
		return err
	}
	if _, err := client.Stat(t.Context()); err != nil {
		return err
	}
	_, err = client.Quit(t.Context())
	return err
}

func password(text string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return text, nil }
}

// Every way to get tickets, with every encryption type, in both exchanges.
func TestRealLogins(t *testing.T) {
	for _, enctypes := range []string{"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128"} {
		t.Run(enctypes, func(t *testing.T) {
			kdc := realservers.StartKDC(t, enctypes, "alice")
			popper := kdc.StartKPOP(t, backend(t, "alice").Addr(), realservers.KPOPOptions{})
			dovecot := kdc.StartDovecot(t, "alice")
			for name, config := range map[string]kerberos.Config{
				"keytab":   {Principal: "alice", Keytab: kdc.Export("alice")},
				"ccache":   {Cache: "FILE:" + kdc.Login("alice", time.Hour)},
				"password": {Principal: "alice@REAL.TEST", Password: password("krb-alice")},
			} {
				config.Krb5Conf = kdc.Config
				client := kerberos.New(config)
				if err := client.Check(); err != nil {
					t.Errorf("%s: check: %v", name, err)
				}
				if err := kpop(t, client, popper.Addr, "alice"); err != nil {
					t.Errorf("%s: KPOP: %v\n%s", name, err, popper.Log())
				}
				if err := gssapi(t, client, dovecot.Addr, "alice"); err != nil {
					t.Errorf("%s: GSSAPI: %v\n%s", name, err, dovecot.Log())
				}
			}
			if log := popper.Log(); strings.Contains(log, "pw-") || !strings.Contains(log, "< PASS dummy") {
				t.Errorf("KPOP server was told\n%s", log)
			}
		})
	}
}

// One principal opens the maildrops of others where the server lets it, and no
// other principal does.
func TestRealMasterPrincipal(t *testing.T) {
	kdc := realservers.StartKDC(t, "", "alice", "bob")
	popper := kdc.StartKPOP(t, backend(t, "alice", "bob").Addr(), realservers.KPOPOptions{})
	dovecot := kdc.StartDovecot(t, "alice", "bob")
	migrate := kerberos.New(kerberos.Config{Principal: "migrate", Keytab: kdc.Export("migrate"), Krb5Conf: kdc.Config})
	bob := kerberos.New(kerberos.Config{Principal: "bob", Keytab: kdc.Export("bob"), Krb5Conf: kdc.Config})
	for _, user := range []string{"alice", "bob"} {
		if err := errors.Join(kpop(t, migrate, popper.Addr, user), gssapi(t, migrate, dovecot.Addr, user)); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
	var refused *pop3.ReplyError
	if err := kpop(t, bob, popper.Addr, "alice"); !errors.As(err, &refused) {
		t.Errorf("KPOP, another's maildrop: %v", err)
	}
	if err := gssapi(t, bob, dovecot.Addr, "alice"); !errors.As(err, &refused) {
		t.Errorf("GSSAPI, another's maildrop: %v", err)
	}
}

// Hundreds of sessions at once want one ticket, and the KDC is asked for one.
func TestRealManySessions(t *testing.T) {
	kdc := realservers.StartKDC(t, "", "alice")
	popper := kdc.StartKPOP(t, backend(t, "alice").Addr(), realservers.KPOPOptions{})
	client := kerberos.New(kerberos.Config{Principal: "alice", Keytab: kdc.Export("alice"), Krb5Conf: kdc.Config})
	var all sync.WaitGroup
	problems := make(chan error, 300)
	for range 300 {
		all.Go(func() {
			conn, err := net.Dial("tcp", popper.Addr)
			if err == nil {
				conn.SetDeadline(time.Now().Add(time.Minute))
				err = client.KPOP(t.Context(), conn, "LOCALHOST.")
				conn.Close()
			}
			problems <- err
		})
	}
	all.Wait()
	for range 300 {
		if err := <-problems; err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(kdc.Log(), "TGS_REQ"); n != 1 {
		t.Errorf("the KDC was asked %d times for a ticket", n)
	}
	// Without a KDC the ticket goes on serving.
	kdc.Stop()
	if err := kpop(t, client, popper.Addr, "alice"); err != nil {
		t.Errorf("KDC down, ticket at hand: %v", err)
	}
}

// A ticket that ends is replaced: by a new login where there is a keytab.
func TestRealRenewal(t *testing.T) {
	kdc := realservers.StartKDC(t, "", "alice")
	popper := kdc.StartKPOP(t, backend(t, "alice").Addr(), realservers.KPOPOptions{})
	var late sync.Mutex
	var shift time.Duration
	now := func() time.Time {
		late.Lock()
		defer late.Unlock()
		return time.Now().Add(shift)
	}
	kdc.Change("-maxlife 2min", "alice")
	client := kerberos.New(kerberos.Config{Principal: "alice", Keytab: kdc.Export("alice"), Krb5Conf: kdc.Config, Now: now})
	for round, want := range []int{1, 1, 2} {
		if round == 2 {
			late.Lock()
			shift = 70 * time.Second // after which a ticket of two minutes is too old to begin with
			late.Unlock()
		}
		if err := kpop(t, client, popper.Addr, "alice"); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if n := strings.Count(kdc.Log(), "TGS_REQ"); n != want {
			t.Errorf("round %d: %d tickets", round, n)
		}
	}
}

// refusedFor is what an error has to be and to say.
type refusedFor struct {
	kind  kerberos.Kind
	words []string // in the error and its remedy
}

func (want refusedFor) check(t *testing.T, what string, err error) {
	t.Helper()
	var got *kerberos.Error
	if !errors.As(err, &got) {
		t.Errorf("%s: %v", what, err)
		return
	}
	text := got.Error() + "; " + got.Remedy
	t.Logf("%s: %s", what, text)
	if got.Kind != want.kind || got.Remedy == "" || strings.ContainsAny(text, "\n\x00") {
		t.Errorf("%s: kind %s: %s", what, got.Kind, text)
	}
	for _, word := range want.words {
		if !strings.Contains(text, word) {
			t.Errorf("%s: no %q in: %s", what, word, text)
		}
	}
}

// What can be wrong between client and KDC.
func TestRealKDCRefusals(t *testing.T) {
	kdc := realservers.StartKDC(t, "", "alice", "locked", "old")
	addr := kdc.StartKPOP(t, backend(t, "alice").Addr(), realservers.KPOPOptions{}).Addr
	alice, stale := kdc.Export("alice"), kdc.Export("old")
	kdc.Rekey("old")
	kdc.Change("-allow_tix", "locked")
	ccache := kdc.Login("alice", time.Hour)
	whole, err := os.ReadFile(ccache)
	if err != nil {
		t.Fatal(err)
	}
	cut := ccache + ".cut"
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	for name, c := range map[string]struct {
		config kerberos.Config
		want   refusedFor
	}{
		"unknown principal":    {kerberos.Config{Principal: "nobody", Password: password("x")}, refusedFor{"credential", []string{"does not know nobody@REAL.TEST"}}},
		"wrong password":       {kerberos.Config{Principal: "alice", Password: password("s3cret")}, refusedFor{"credential", []string{"wrong password for alice@REAL.TEST"}}},
		"locked":               {kerberos.Config{Principal: "locked", Password: password("krb-locked")}, refusedFor{"credential", []string{"locked"}}},
		"stale keytab":         {kerberos.Config{Principal: "old", Keytab: stale}, refusedFor{"credential", []string{"keytab's key of old@REAL.TEST"}}},
		"not in keytab":        {kerberos.Config{Principal: "bob", Keytab: alice}, refusedFor{"local", []string{"no key of bob@REAL.TEST", "alice@REAL.TEST"}}},
		"unknown service":      {kerberos.Config{Principal: "alice", Keytab: alice, ServiceHost: "elsewhere"}, refusedFor{"local", []string{"service pop/elsewhere@REAL.TEST", "service_host"}}},
		"clock behind KDC":     {kerberos.Config{Principal: "alice", Keytab: alice, Now: in(-12 * time.Minute)}, refusedFor{"local", []string{"12 minutes behind the KDC's"}}},
		"truncated cache":      {kerberos.Config{Cache: cut}, refusedFor{"local", []string{"truncated"}}},
		"missing cache":        {kerberos.Config{Cache: cut + ".none"}, refusedFor{"local", []string{"no such file", "kinit"}}},
		"expired cache":        {kerberos.Config{Cache: ccache, Now: in(2 * time.Hour)}, refusedFor{"local", []string{"expired at", "kinit"}}},
		"another's cache":      {kerberos.Config{Cache: ccache, Principal: "bob"}, refusedFor{"local", []string{"alice@REAL.TEST", "bob@REAL.TEST"}}},
		"cache of another way": {kerberos.Config{Cache: "KCM:0"}, refusedFor{"local", []string{"KCM", "FILE:"}}},
		"no realm in krb5.conf": {kerberos.Config{Principal: "alice@ELSEWHERE.TEST", Password: password("x")},
			refusedFor{"local", []string{"find KDC of ELSEWHERE.TEST", "dns_lookup_kdc"}}},
	} {
		c.config.Krb5Conf = kdc.Config
		c.want.check(t, name, kpop(t, kerberos.New(c.config), addr, "alice"))
	}
	logins := func() int { return strings.Count(kdc.Log(), "AS_REQ") }
	before := logins()
	wrong := kerberos.New(kerberos.Config{Principal: "alice", Password: password("s3cret"), Krb5Conf: kdc.Config})
	first := kpop(t, wrong, addr, "alice")
	asked := logins() - before
	if second := kpop(t, wrong, addr, "alice"); second == nil || second.Error() != first.Error() || logins()-before != asked {
		t.Errorf("a wrong password was tried again: %v, then %v", first, second)
	}
	kdc.Stop()
	refusedFor{"network", []string{"ask KDC of REAL.TEST", "127.0.0.1:"}}.check(t, "KDC down",
		kpop(t, kerberos.New(kerberos.Config{Principal: "alice", Keytab: alice, Krb5Conf: kdc.Config}), addr, "alice"))
}

// What can be wrong between client and server.
func TestRealServerRefusals(t *testing.T) {
	kdc := realservers.StartKDC(t, "", "alice")
	behind := backend(t, "alice").Addr()
	imap := kdc.Export("imap/localhost")
	right := kdc.StartKPOP(t, behind, realservers.KPOPOptions{}).Addr
	wrongKey := kdc.StartKPOP(t, behind, realservers.KPOPOptions{Keytab: imap}).Addr
	ahead := kdc.StartKPOP(t, behind, realservers.KPOPOptions{Clock: 12 * time.Minute}).Addr
	tomorrow := kdc.StartKPOP(t, behind, realservers.KPOPOptions{Clock: 24 * time.Hour}).Addr
	config := kerberos.Config{Principal: "alice", Keytab: kdc.Export("alice"), Krb5Conf: kdc.Config}
	client := kerberos.New(config)
	refusedFor{"credential", []string{"keytab", "version 1", "aes256"}}.check(t, "server without the key", kpop(t, client, wrongKey, "alice"))
	refusedFor{"local", []string{"12 minutes behind the server's"}}.check(t, "clocks apart", kpop(t, client, ahead, "alice"))
	refusedFor{"credential", []string{"expired"}}.check(t, "ticket expired on the server", kpop(t, client, tomorrow, "alice"))
	refusedFor{"server", []string{"another protocol", "gssapi"}}.check(t, "plain POP3 on the port", kpop(t, client, behind, "alice"))
	config.Service = "imap"
	refusedFor{"credential", []string{"imap/localhost@REAL.TEST"}}.check(t, "ticket for another service", kpop(t, kerberos.New(config), right, "alice"))
	config.Service = ""

	// The service's key is changed: tickets from before fail, and the next run's too until the server has it.
	kdc.Rekey("pop/localhost")
	refusedFor{"credential", []string{"version 2"}}.check(t, "server with a stale keytab", kpop(t, kerberos.New(config), right, "alice"))
	if err := kpop(t, client, right, "alice"); err != nil {
		t.Errorf("ticket from before the change: %v", err)
	}
}

// A principal that need not prove itself beforehand, and weak keys.
func TestRealOddities(t *testing.T) {
	kdc := realservers.StartKDC(t, "", "alice")
	kdc.Change("-requires_preauth", "alice")
	kdc.Change("-requires_preauth", "pop/localhost")
	popper := kdc.StartKPOP(t, backend(t, "alice").Addr(), realservers.KPOPOptions{})
	for _, config := range []kerberos.Config{
		{Principal: "alice", Password: password("krb-alice")},
		{Principal: "alice", Keytab: kdc.Export("alice")},
	} {
		config.Krb5Conf = kdc.Config
		if err := kpop(t, kerberos.New(config), popper.Addr, "alice"); err != nil {
			t.Error(err)
		}
	}
	refusedFor{"credential", []string{"wrong password"}}.check(t, "wrong password, no preauthentication",
		kpop(t, kerberos.New(kerberos.Config{Principal: "alice", Password: password("no"), Krb5Conf: kdc.Config}), popper.Addr, "alice"))
	seen := strings.Fields(popper.Log())
	if !slices.Contains(seen, "alice@REAL.TEST") {
		t.Errorf("the server saw %q", seen)
	}
}

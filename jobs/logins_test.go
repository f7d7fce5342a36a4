package jobs

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
)

// TestLogins logs in as job files say, to a server that knows every mechanism.
func TestLogins(t *testing.T) {
	server, err := pop3test.Start(pop3test.Config{Mechanisms: pop3test.Mechanisms(), ClientCertificates: true,
		Masters: map[string]string{"migrator": "s3cret"}, LockWait: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	drop := server.AddMaildrop("alice", "s3cret")
	certificate, err := server.ClientCertificate("alice")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	env := testEnv(t)
	env.ReadFile = func(path string) ([]byte, error) {
		switch path {
		case "server.pem":
			return server.CertPEM(), nil
		case "mover.pem":
			return cert, nil
		case "mover.key":
			return keyPEM, nil
		}
		return nil, fs.ErrNotExist
	}
	env.Getenv = func(string) string { return "s3cret" }
	const starttls = "tls = \"starttls\"\ntls_ca = \"server.pem\"\n"
	const clearText = "tls = \"none\"\nallow_cleartext = true\n"
	const password = `password = env("X")`
	for _, c := range []struct{ account, attributes, mechanism, says string }{
		{password, starttls, "SCRAM-SHA-256-PLUS", ""},
		{password, starttls + `auth = ["login", "scram-sha-1"]`, "LOGIN", ""},
		{password, clearText, "SCRAM-SHA-256", ""},
		{password, clearText + `auth = "apop"`, "APOP", ""},
		{password, starttls + "login = \"migrator\"\nidentity = \"${account.name}\"", "SCRAM-SHA-256-PLUS", ""},
		{"", starttls + "tls_cert = \"mover.pem\"\ntls_key = \"mover.key\"", "EXTERNAL", ""},
		{password, starttls + `utf8 = "on"`, "", "UTF8"},
	} {
		src := fmt.Sprintf("job \"t\" {\naccount \"alice\" {\n%s\n}\nsource \"pop3\" {\nserver = %q\n%s\n}\nsink \"mbox\" \"a\" { dir = \"a\" }\n}", c.account, server.Addr(), c.attributes)
		file, err := load("test.hcl", []byte(src), env.withDefaults(), nil)
		if err != nil {
			t.Errorf("%s: %v", c.attributes, err)
			continue
		}
		sessions := drop.Stats().Logins
		session, facts, err := file.Jobs[0].Job.Accounts[0].Connector.Connect(t.Context())
		file.close()
		if err != nil {
			if c.says == "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", c.attributes, err)
			}
			continue
		}
		session.Close()
		if facts.Mechanism != c.mechanism || drop.Stats().Logins != sessions+1 {
			t.Errorf("%s: %s, %d logins of alice", c.attributes, facts.Mechanism, drop.Stats().Logins-sessions)
		}
	}
	if !slices.ContainsFunc(server.Log(), func(l pop3test.Line) bool { return l.Text == "UTF8" }) {
		t.Error("UTF8 was never sent")
	}
}

package jobs

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"popmigrate/migrate"
	"popmigrate/pop3/pop3test"
)

// TestTrust logs in to a real TLS server with each way of trusting it.
func TestTrust(t *testing.T) {
	server, err := pop3test.Start(pop3test.Config{ImplicitTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.AddMaildrop("alice", "s3cret")
	leaf, err := tls.Dial("tcp", server.Addr(), server.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(leaf.ConnectionState().PeerCertificates[0].Raw)
	leaf.Close()
	env := testEnv(t)
	env.ReadFile = func(path string) ([]byte, error) {
		switch path {
		case "server.pem":
			return server.CertPEM(), nil
		case "other.pem":
			return authority(t), nil
		case "text.pem":
			return []byte("no certificate"), nil
		}
		return nil, fs.ErrNotExist
	}
	env.Getenv = func(string) string { return "s3cret" }
	for _, c := range []struct {
		attributes string
		class      migrate.Class
	}{
		{`tls_ca = "server.pem"`, migrate.ClassNone},
		{`tls_ca = "other.pem"`, migrate.ClassTLS},
		{`tls_pin = "` + hex.EncodeToString(sum[:]) + `"`, migrate.ClassNone},
		{`tls_pin = "` + hex.EncodeToString(make([]byte, 32)) + `"`, migrate.ClassTLS},
		{``, migrate.ClassTLS},
		{"tls_ca = \"server.pem\"\ntls_server_name = \"elsewhere\"", migrate.ClassTLS},
		{"tls_ca = \"server.pem\"\ntls_min = \"1.0\"", migrate.ClassNone},
		{`tls_ca = "text.pem"`, "refused"},
		{`tls_ca = "missing.pem"`, "refused"},
		{"tls_ca = \"server.pem\"\ntls_pin = \"" + hex.EncodeToString(sum[:]) + `"`, "refused"},
	} {
		src := fmt.Sprintf("job \"t\" {\naccount \"alice\" { password = env(\"X\") }\nsource \"pop3\" {\nserver = %q\n%s\n}\nsink \"mbox\" \"a\" { dir = \"a\" }\n}", server.Addr(), c.attributes)
		file, err := load("test.hcl", []byte(src), env.withDefaults(), nil)
		if err != nil {
			if c.class != "refused" {
				t.Errorf("%s: %v", c.attributes, err)
			}
			continue
		}
		session, _, err := file.Jobs[0].Job.Accounts[0].Connector.Connect(t.Context())
		class := migrate.ClassNone
		if err == nil {
			session.Close()
		} else if connect := (*migrate.ConnectError)(nil); errors.As(err, &connect) {
			class = connect.Class
		}
		if class != c.class {
			t.Errorf("%s: got %q (%v), want %q", c.attributes, class, err, c.class)
		}
	}
}

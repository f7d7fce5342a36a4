package jobs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/pop3"
)

const exampleFile = "../jobs.example.hcl"

// exampleEnv is a system that has the files that the example speaks of.
func exampleEnv(t *testing.T, path, src string) Env {
	env := testEnv(t)
	system := env.ReadFile
	env.ReadFile = func(name string) ([]byte, error) {
		switch name {
		case path:
			return []byte(src), nil
		case filepath.Join(filepath.Dir(path), "accounts.csv"):
			return []byte("name,user,password_env,target,source,Second address\n" +
				"bob@example.net,bob,BOB,bob@example.org,,b@example.com\n" +
				"carol@example.net,carol,,carol@example.org,legacy,c@example.com\n"), nil
		case filepath.Join(filepath.Dir(path), "my-profiles.hcl"):
			return nil, nil
		}
		return system(name)
	}
	files := env.Stat
	env.Stat = func(name string) (fs.FileInfo, error) {
		switch filepath.Base(name) {
		case "google-key.json", "tokens.json":
			return fileInfo{filepath.Base(name), 0o600}, nil
		}
		return files(name)
	}
	return env
}

func TestExample(t *testing.T) {
	file, err := Load(exampleFile, Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	if len(file.Jobs) != 1 || len(file.Jobs[0].Job.Accounts) != 4 {
		t.Fatalf("loaded %s", describe(t, file))
	}
	if warnings := file.Jobs[0].Warnings; len(warnings) > 0 {
		t.Errorf("warnings %q", warnings)
	}
}

// TestExampleReference loads the example with its commented lines switched on,
// as a user would: every attribute of the schema has to occur in it.
func TestExampleReference(t *testing.T) {
	src, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^//`).ReplaceAllString(string(src), "")
	// The account block has no row, so the sink that shows row[…] cannot stay.
	alone := strings.Replace(text, `row["Second address"]`, `"${account.name}"`, 1)
	if alone == text {
		t.Error("the example shows no row[…]")
	}
	// Kerberos reads its files itself, and the keytab here is alice's.
	alone = strings.Replace(alone, "migrate@CAMPUS.EXAMPLE", "alice@REAL.TEST", 1)
	alone = strings.ReplaceAll(alone, `"krb5.conf"`, `"jobs/testdata/invalid/krb5.conf"`)
	alone = strings.Replace(alone, `"migrate.keytab"`, `"pop3/kerberos/testdata/alice.keytab"`, 1)
	file, err := load(exampleFile, []byte(alone), exampleEnv(t, exampleFile, alone).withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	if len(file.Jobs) != 2 || len(file.Jobs[1].Job.Accounts) != 4 {
		t.Fatalf("loaded %s", describe(t, file))
	}
	acme := file.Jobs[1]
	defaults, err := load(exampleFile, []byte(minimalJob), testEnv(t).withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := acme.Job.Limits, defaults.Jobs[0].Job.Limits; got != want {
		t.Errorf("the example's limits are not the defaults: %+v, want %+v", got, want)
	}
	if got, want := acme.sources[0].timeouts, (pop3.Timeouts{}).WithDefaults(); got != want {
		t.Errorf("the example's timeouts are not the defaults: %+v, want %+v", got, want)
	}
	for _, name := range exampleAttributes() {
		if !regexp.MustCompile(`(?m)^ +` + name + ` *[={]`).MatchString(text) {
			t.Errorf("the example does not show %s", name)
		}
	}
	for i, line := range strings.Split(string(src), "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("line %d is longer than 100 characters", i+1)
		}
	}
}

const minimalJob = `job "m" {
  account "x" { password = env("X") }
  source "pop3" { server = "pop.example.net" }
  sink "mbox" "archive" { dir = "archive" }
}`

// exampleAttributes are the attributes that the example has to show.
func exampleAttributes() []string {
	var names []string
	for _, schema := range []*hcl.BodySchema{jobSchema, accountsSchema, accountSchema, checkpointSchema, limitsSchema,
		pop3Schema, kpopSchema, kerberosSchema, oauth2Schema, timeoutsSchema, mboxSchema, maildirSchema, deliverSchema} {
		for _, attr := range schema.Attributes {
			names = append(names, attr.Name)
		}
	}
	return names
}

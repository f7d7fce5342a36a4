package jobs

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"popmigrate/migrate"
	"popmigrate/pop3"
	"popmigrate/sinks"
)

func TestLoadUnreadable(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.hcl"), Env{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSelectAndFilter(t *testing.T) {
	file, err := Load("testdata/valid/full.hcl", testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	if jobs, err := file.Select(""); err != nil || len(jobs) != 1 {
		t.Errorf("all: %v, %v", jobs, err)
	}
	if _, err := file.Select("other"); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("unknown: %v", err)
	}
	jobs, err := file.Select("full")
	if err != nil {
		t.Fatal(err)
	}
	job := jobs[0]
	if _, err := job.Filter("[a"); err == nil {
		t.Error("a broken pattern was taken")
	}
	if n, err := job.Filter("*@*"); n != 5 || err != nil {
		t.Errorf("*@*: %d, %v", n, err)
	}
	job.FilterNames(map[string]bool{"con@aux": true, "zoe@example.net": true, "bob": true})
	if len(job.Job.Accounts) != 2 || len(job.entries) != 2 || job.entries[1].row.name != job.Job.Accounts[1].Name {
		t.Errorf("left %d accounts, %d entries", len(job.Job.Accounts), len(job.entries))
	}
	if n, err := job.Filter("nobody"); n != 0 || err != nil {
		t.Errorf("nobody: %d, %v", n, err)
	}
}

func TestDescribeShowsSomeAccounts(t *testing.T) {
	file, err := Load("testdata/valid/full.hcl", testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	var b strings.Builder
	if err := file.Jobs[0].Describe(&b, 2); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "accounts: 6") || !strings.Contains(b.String(), "and 4 more\n") || strings.Contains(b.String(), "con@aux") {
		t.Errorf("got\n%s", b.String())
	}
}

func TestSource(t *testing.T) {
	file, err := Load("testdata/valid/full.hcl", testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	src, err := os.ReadFile("testdata/valid/full.hcl")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(src)
	job := file.Jobs[0].Job
	if job.Digest != hex.EncodeToString(sum[:]) || job.Delete != migrate.DeleteAccepted {
		t.Errorf("digest %s, delete %v", job.Digest, job.Delete)
	}
	alice := job.Accounts[0].Connector.(*migrate.POP3Source)
	if alice.Server != "pop.example.net:995" || alice.TLS != migrate.TLSImplicit || !slices.Equal(alice.Policy.Mechanisms, []string{"PLAIN"}) ||
		alice.Login.User != "alice%example.net" || alice.Pipelining != pop3.PipelineOn {
		t.Errorf("alice: %+v", alice)
	}
	if c := alice.TLSConfig; c.ServerName != "mail.example.net" || c.MinVersion != tls.VersionTLS10 || c.RootCAs == nil || c.InsecureSkipVerify || c.ClientSessionCache == nil {
		t.Errorf("alice's TLS: %+v", c)
	}
	carol := job.Accounts[2].Connector.(*migrate.POP3Source)
	if carol.Server != "10.0.0.5:110" || carol.TLS != migrate.TLSNone || !slices.Equal(carol.Policy.Mechanisms, []string{"APOP"}) {
		t.Errorf("carol: %+v", carol)
	}
	zoe := job.Accounts[5]
	if source := zoe.Connector.(*migrate.POP3Source); source.TLS != migrate.TLSStart || zoe.Server != "pop9.example.net:1995" || !zoe.Hold || zoe.Line != 0 {
		t.Errorf("zoe: %+v", zoe)
	}
	for _, account := range job.Accounts {
		var kinds []string
		for _, spec := range account.Sinks {
			kinds = append(kinds, spec.Kind)
			if spec.Delivers != (spec.OpenRead == nil) || spec.Delivers != (len(spec.Recipients) == 1) || spec.Open == nil {
				t.Errorf("%s: sink %+v", account.Name, spec)
			}
		}
		if got := strings.Join(kinds, " "); got != "mbox maildir smtp lmtp" {
			t.Errorf("%s: sinks %s", account.Name, got)
		}
	}
}

func TestReadableSecretFileIsAWarning(t *testing.T) {
	src := strings.Replace(minimalJob, `env("X")`, `file("readable.secret")`, 1)
	file, err := load("test.hcl", []byte(src), testEnv(t).withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if w := file.Jobs[0].Warnings; len(w) != 1 || !strings.Contains(w[0], "chmod 600 readable.secret") {
		t.Errorf("warnings %q", w)
	}
}

// TestNoSecretsNeeded: status loads a job whose secrets are elsewhere.
func TestNoSecretsNeeded(t *testing.T) {
	env := testEnv(t)
	env.NoSecrets = true
	for _, attribute := range []string{`env("UNSET")`, `file("missing")`, `"literal"`} {
		src := strings.Replace(minimalJob, `env("X")`, attribute, 1)
		if _, err := load("missing/test.hcl", []byte(src), env.withDefaults(), nil); err != nil {
			t.Errorf("%s: %v", attribute, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/valid/*.hcl", "testdata/invalid/*.hcl"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		file, err := load("testdata/valid/fuzz.hcl", []byte(src), testEnv(t).withDefaults(), nil)
		if err != nil {
			checkProblems(t, err)
			return
		}
		defer file.close()
		for _, job := range file.Jobs {
			for i, account := range job.Job.Accounts {
				if len(account.Sinks) != len(job.sinks) || account.Sinks[0].Open == nil || job.entries[i].row.name != account.Name {
					t.Errorf("account %+v", account)
				}
			}
		}
		describe(t, file)
	})
}

// TestReadableByOthers uses the real file system.
func TestReadableByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my job.hcl")
	if err := os.WriteFile(path, []byte(strings.Replace(minimalJob, `env("X")`, `"s3cret"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Load(path, Env{})
	if err != nil {
		t.Fatalf("mode 0600: %v", err)
	}
	file.close()
	if runtime.GOOS == "windows" {
		return // where the mode says nothing
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path, Env{})
		if err == nil || !strings.Contains(err.Error(), "chmod 600 '"+path+"'") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

// TestAbsoluteAndRelativePathsCollide: one directory, named in two ways.
func TestAbsoluteAndRelativePathsCollide(t *testing.T) {
	here, err := filepath.Abs("archive")
	if err != nil {
		t.Fatal(err)
	}
	src := strings.Replace(minimalJob, "\n}", "\nsink \"mbox\" \"b\" { dir = \""+filepath.ToSlash(here)+"\" }\n}", 1)
	_, err = load("test.hcl", []byte(src), testEnv(t).withDefaults(), nil)
	if err == nil || !strings.Contains(err.Error(), "Two sinks in one directory") {
		t.Errorf("got %v", err)
	}
}

// TestSinksOpen opens what the constructors promise.
func TestSinksOpen(t *testing.T) {
	dir := t.TempDir()
	src := `job "o" {
  source "demo" {}
  sink "mbox" "box" { dir = "box" }
  sink "maildir" "dir" { dir = "dir/${account.user}" }
  sink "lmtp" "hand" {
    server    = "unix:none"
    recipient = account.name
  }
}`
	file, err := load(filepath.Join(dir, "test.hcl"), []byte(src), testEnv(t).withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	for _, account := range file.Jobs[0].Job.Accounts {
		for _, spec := range account.Sinks {
			sink, err := spec.Open(t.Context(), sinks.Opening{
				Maildrop: account.Name, ArchiveID: "id", Generation: 1,
				Copies: func(func(sinks.Copy) bool) {}, Torn: filepath.Join(dir, "torn"),
			})
			if err != nil {
				t.Fatalf("%s %s: %v", account.Name, spec.Name, err)
			}
			if err := sink.Close(); err != nil {
				t.Errorf("%s %s: %v", account.Name, spec.Name, err)
			}
			if spec.OpenRead == nil {
				continue
			}
			reader, err := spec.OpenRead(t.Context())
			if err != nil {
				t.Fatalf("%s %s: %v", account.Name, spec.Name, err)
			}
			reader.Close()
		}
	}
	for _, want := range []string{"box/alice@demo.example/popmigrate.id", "dir/legal"} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(want))); err != nil {
			t.Error(err)
		}
	}
}

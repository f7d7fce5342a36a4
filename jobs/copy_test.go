package jobs

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"popmigrate/migrate"
)

// normal is what HCL makes of a string.
func normal(s string) string { return norm.NFC.String(s) }

func TestFromURL(t *testing.T) {
	dir := t.TempDir()
	asked := 0
	password := func(context.Context) (string, error) { asked++; return secretText + "-typed", nil }
	job, text, err := FromURL(`pop://al"i${ce}@h.example`, dir, password)
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	if job.Job.Delete != migrate.DeleteNever || len(job.Job.Accounts) != 1 {
		t.Fatalf("got %+v", job.Job)
	}
	account := job.Job.Accounts[0]
	source := account.Connector.(*migrate.POP3Source)
	if source.Login.User != `al"i${ce}` || source.Server != "h.example:110" || source.TLS != migrate.TLSStart {
		t.Errorf("got %+v", source)
	}
	for range 2 {
		if got, err := source.Login.Password(t.Context()); got != secretText+"-typed" || err != nil {
			t.Errorf("password %q, %v", got, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for the password", asked)
	}
	if filepath.Dir(job.StateDir) != dir {
		t.Errorf("state in %s", job.StateDir)
	}

	// What is left behind means the same.
	path := filepath.Join(dir, CopyFile)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := Load(path, testEnv(t))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	defer file.close()
	var got, want bytes.Buffer
	if err := file.Jobs[0].Describe(&got, -1); err != nil {
		t.Fatal(err)
	}
	if err := job.Describe(&want, -1); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() || file.Jobs[0].StateDir != job.StateDir {
		t.Errorf("got\n%s\nwant\n%s", &got, &want)
	}
	noSecret(t, "text", string(text))
	if !strings.Contains(string(text), CopyPassword) {
		t.Errorf("the text does not say where the password comes from:\n%s", text)
	}
}

func TestFromURLOptions(t *testing.T) {
	pin := strings.Repeat("ab", 32)
	for _, c := range []struct {
		url  string
		opts []CopyOption
		want string // in Describe, or in the error after "!"
	}{
		{"pops://alice@h", nil, "h:995\n    tls                implicit"},
		{"pop://alice@h", []CopyOption{WithTLS("implicit")}, "h:995\n    tls                implicit"},
		{"pop://alice@h:1110", []CopyOption{WithTLS("none"), WithCleartext()}, "h:1110\n    tls                none"},
		{"pop://alice@h", []CopyOption{WithTLS("none")}, "!Clear text"},
		{"pop://alice@h", []CopyOption{WithTLS("ssl")}, "!Unknown word"},
		{"pop://alice@h", []CopyOption{WithAuthorities("ca.pem")}, "trusting ca.pem"},
		{"pop://alice@h", []CopyOption{WithPin(pin)}, "trusting the pinned certificate abab"},
		{"pop://alice;AUTH=+APOP@h", nil, "auth               apop"},
		{"pop://h", nil, "!names no user"},
		{"pop://alice:s3cret@h", nil, "!a password in a URL"},
	} {
		job, _, err := FromURL(c.url, "dir", nil, append(c.opts, WithEnv(testEnv(t)))...)
		if want, refused := strings.CutPrefix(c.want, "!"); refused {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", c.url, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		var b strings.Builder
		if err := job.Describe(&b, -1); err != nil || !strings.Contains(b.String(), c.want) {
			t.Errorf("%s: got %v\n%s\nwant %q", c.url, err, b.String(), c.want)
		}
		job.Close()
	}
}

package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"popmigrate/migrate"
)

// password returns the password function of a job's only account.
func password(t *testing.T, attribute string, env Env) func(context.Context) (string, error) {
	t.Helper()
	src := strings.Replace(minimalJob, `env("X")`, attribute, 1)
	file, err := load("test.hcl", []byte(src), env.withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(file.close)
	return file.Jobs[0].Job.Accounts[0].Connector.(*migrate.POP3Source).Login.Password
}

func TestSecrets(t *testing.T) {
	env := testEnv(t)
	env.NoSecrets = true // test.hcl does not exist, so its mode is not known
	files := map[string]string{
		"lf.secret": " a b \n", "crlf.secret": "ab\r\n", "two.secret": "ab\n\n", "none.secret": "ab",
		"empty.secret": "\n", "nul.secret": "a\x00b", "cr.secret": "ab\r",
	}
	env.ReadFile = func(path string) ([]byte, error) { return []byte(files[path]), nil }
	for _, c := range []struct{ attribute, want, refusal string }{
		{`"literal $${x}"`, "literal ${x}", ""},
		{`env("X")`, secretText + "-X", ""},
		{`env("UNSET")`, "", `read secret env("UNSET"): it is empty`},
		{`file("lf.secret")`, " a b ", ""},
		{`file("crlf.secret")`, "ab", ""},
		{`file("none.secret")`, "ab", ""},
		{`file("two.secret")`, "", `read secret file("two.secret"): it contains a line end or NUL`},
		{`file("cr.secret")`, "", "line end"},
		{`file("nul.secret")`, "", "line end"},
		{`file("empty.secret")`, "", "empty"},
		{`command("pass", "show", "x y")`, secretText + "-pass", ""},
	} {
		got, err := password(t, c.attribute, env)(t.Context())
		if c.refusal != "" {
			if err == nil || !strings.Contains(err.Error(), c.refusal) || got != "" {
				t.Errorf("%s: got %q, %v, want %q", c.attribute, got, err, c.refusal)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.attribute, got, err, c.want)
		}
	}
}

func TestSecretIsEvaluatedOnceAndLate(t *testing.T) {
	env := testEnv(t)
	runs := 0
	var argv []string
	env.Command = func(ctx context.Context, words []string) ([]byte, error) {
		runs++
		argv = words
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errors.New("locked")
	}
	get := password(t, `command("pass", "show", "a b; rm")`, env)
	if runs != 0 {
		t.Fatal("evaluated at load")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 { // select chooses at random
		if _, err := get(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("with a cancelled context: %v", err)
		}
	}
	runs = 0
	for range 2 {
		if _, err := get(t.Context()); err == nil || !strings.Contains(err.Error(), `command("pass", "show", "a b; rm"): locked`) {
			t.Errorf("got %v", err)
		}
	}
	if runs != 1 || len(argv) != 3 || argv[2] != "a b; rm" {
		t.Errorf("ran %d times, last %q", runs, argv)
	}
}

func TestRealCommand(t *testing.T) {
	get := password(t, `command("go", "env", "GOOS")`, Env{NoSecrets: true})
	if got, err := get(t.Context()); err != nil || got == "" || strings.ContainsAny(got, "\r\n") {
		t.Errorf("got %q, %v", got, err)
	}
	get = password(t, `command("go", "no-such-verb", "`+secretText+`")`, Env{NoSecrets: true})
	if _, err := get(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status") {
		t.Errorf("got %v", err)
	}
}

// TestNoValueInAnyField prints everything that a job is made of.
func TestNoValueInAnyField(t *testing.T) {
	file, err := Load("testdata/valid/full.hcl", testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	job := file.Jobs[0]
	for i, e := range job.entries {
		if _, err := e.password.get(t.Context()); err != nil { // now the value is cached
			t.Errorf("%s: %v", e.row.name, err)
		}
		source := job.Job.Accounts[i].Connector.(*migrate.POP3Source)
		for _, v := range []any{*e, *e.row, *e.password, *e.source, *source, job.Job.Accounts[i]} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
				noSecret(t, verb, fmt.Sprintf(verb, v))
			}
		}
	}
	for _, sink := range job.sinks {
		noSecret(t, "sink", fmt.Sprintf("%+v", *sink))
	}
}

func TestMasked(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`password = "s3cret"`, `password = "******"`},
		{`password = env("X")`, `password = env("X")`},
		{`password = env("X") # s3cret`, `password = env("X") ********`},
		{"password =\n \"s3cret\"\nuser = \"u\"", "password =\n \"******\"\nuser = \"u\""},
		{"password = <<E\ns3cret\nE\nuser = \"u\"", "password = ***\n******\n*\nuser = \"u\""},
		{`client_secret = "s3cret"`, `client_secret = "******"`},
		{`passwort = "s3cret"`, `passwort = "******"`},
		{`server = "pop://a:s3cret@h"`, `server = "pop:**********@h"`},
		{`user = "alice"`, `user = "alice"`},
		{`pasword = "s3cret"`, `pasword = "******"`}, // no attribute at all
	} {
		got := string(masked([]byte(c.in), "x.hcl"))
		if len(got) != len(c.in) {
			t.Errorf("%s: the length changed: %s", c.in, got)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
	for _, in := range []string{`password "s3cret`, `"password" = "s3cret"`, `password = "${"s3cret"}"`, `password = env("X") == "" ? "s3cret" : "y"`,
		`pasword: s3cret`, `password = lower("s3cret"`, `password = "a\"s3cret"`} {
		noSecret(t, in, string(masked([]byte(in), "x.hcl")))
	}
}

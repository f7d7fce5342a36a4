package jobs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"popmigrate/internal/profiles"
	"popmigrate/migrate"
	"popmigrate/pop3/auth/oauth"
)

// tokenServer answers with a token that tells what was asked.
func tokenServer(t *testing.T) (url string, asked func() []string) {
	var mu sync.Mutex
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, r.PostForm.Get("grant_type")+" "+r.PostForm.Get("refresh_token"))
		answer := map[string]any{"access_token": fmt.Sprintf("t%d-%s", len(requests), r.PostForm.Get("refresh_token")), "expires_in": 3600}
		if r.PostForm.Get("refresh_token") == "" && r.PostForm.Get("device_code") == "" && r.PostForm.Get("grant_type") == "" {
			answer = map[string]any{"device_code": "d", "user_code": "CODE", "verification_uri": "https://example.net/device", "interval": 1, "expires_in": 60}
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return requests
	}
}

// oauthJob loads a job with this oauth2 block and these accounts.
func oauthJob(t *testing.T, env Env, block, accounts string) (*Job, error) {
	t.Helper()
	env.NoSecrets = true // test.hcl does not exist, so its mode is not known
	src := "job \"t\" {\n" + accounts + "\nsource \"pop3\" {\nserver = \"pop.example.net\"\noauth2 {\n" + block + "\n}\n}\nsink \"mbox\" \"a\" { dir = \"a\" }\n}"
	file, err := load("test.hcl", []byte(src), env.withDefaults(), nil)
	if err != nil {
		return nil, err
	}
	t.Cleanup(file.close)
	return file.Jobs[0], nil
}

// wantTokens asks for the token of each account as a login does.
func wantTokens(t *testing.T, job *Job, want ...string) {
	t.Helper()
	for i, account := range job.Job.Accounts {
		login := account.Connector.(*migrate.POP3Source).Login
		if login.Password != nil {
			t.Errorf("%s: has a password too", account.Name)
		}
		got, err := login.Token.Token(t.Context(), login.User, "")
		if err != nil || got != want[i] {
			t.Errorf("%s: got %q, %v, want %q", account.Name, got, err, want[i])
		}
	}
}

func TestOAuth2RefreshTokens(t *testing.T) {
	url, asked := tokenServer(t)
	job, err := oauthJob(t, testEnv(t), `
    grant      = "refresh_token"
    client_id  = "c"
    token_url  = "`+url+`/{tenant}"
    tenant     = "main"`, `
  account "a" { refresh_token = "ra" }
  account "b" { refresh_token = env("B") }`)
	if err != nil {
		t.Fatal(err)
	}
	wantTokens(t, job, "t1-ra", "t2-s3cret-B")
	wantTokens(t, job, "t1-ra", "t2-s3cret-B")
	if n := len(asked()); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestOAuth2ClientCredentials(t *testing.T) {
	url, asked := tokenServer(t)
	job, err := oauthJob(t, testEnv(t), `
    grant         = "client_credentials"
    client_id     = "c"
    client_secret = env("SECRET")
    token_url     = "`+url+`"`, `
  account "a" {}
  account "b" {}`)
	if err != nil {
		t.Fatal(err)
	}
	wantTokens(t, job, "t1-", "t1-")
	if got := asked(); len(got) != 1 || got[0] != "client_credentials " {
		t.Errorf("asked %q", got)
	}
}

func TestOAuth2DeviceCode(t *testing.T) {
	url, _ := tokenServer(t)
	env := testEnv(t)
	var prompts []oauth.Prompt
	env.Prompt = func(p oauth.Prompt) { prompts = append(prompts, p) }
	job, err := oauthJob(t, env, `
    grant      = "device_code"
    client_id  = "c"
    token_url  = "`+url+`"
    device_url = "`+url+`"
    user       = "${account.name}@example.net"`, `account "a" {}`)
	if err != nil {
		t.Fatal(err)
	}
	wantTokens(t, job, "t2-")
	if len(prompts) != 1 || prompts[0].User != "a@example.net" || prompts[0].UserCode != "CODE" {
		t.Errorf("prompts %+v", prompts)
	}
}

func TestOAuth2Command(t *testing.T) {
	env := testEnv(t)
	system := env.ReadFile
	dir := t.TempDir()
	env.ReadFile = func(path string) ([]byte, error) {
		if path == "list.csv" {
			return []byte("user,dir\na," + dir + "\nb," + filepath.Join(dir, "none") + "\n"), nil
		}
		return system(path)
	}
	job, err := oauthJob(t, env, `
    grant   = "command"
    command = ["go", "env", "-C", "${row["dir"]}", "GOOS"]`, `accounts { csv = "list.csv" }`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := job.Job.Accounts[0].Connector.(*migrate.POP3Source).Login.Token.Token(t.Context(), "", ""); err != nil || got == "" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := job.Job.Accounts[1].Connector.(*migrate.POP3Source).Login.Token.Token(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "exit status") {
		t.Errorf("got %v", err)
	}
}

func TestOAuth2OneUserTwoTokens(t *testing.T) {
	const block = `
    grant     = "refresh_token"
    client_id = "c"
    token_url = "https://login.example.net/token"
    user      = "shared@example.net"`
	_, err := oauthJob(t, testEnv(t), block, "account \"a\" { refresh_token = \"x\" }\naccount \"b\" { refresh_token = \"y\" }")
	if err == nil || !strings.Contains(err.Error(), "Two tokens of one user") {
		t.Errorf("got %v", err)
	}
}

func TestPresetPolicy(t *testing.T) {
	file, err := Load("testdata/valid/oauth.hcl", testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	want := map[string]string{"m365": "XOAUTH2", "workspace": "XOAUTH2 OAUTHBEARER", "gmail": "PLAIN USER", "yahoo": "", "gmx": ""}
	for _, src := range file.Jobs[0].sources {
		if mechanisms, ok := want[src.name]; ok && strings.Join(src.policy().Mechanisms, " ") != mechanisms {
			t.Errorf("%s: %v, want %s", src.name, src.policy().Mechanisms, mechanisms)
		}
	}
}

func TestServerSuggestsPreset(t *testing.T) {
	file, err := load("test.hcl", []byte(strings.Replace(minimalJob, "pop.example.net", "pop.gmx.net", 1)), testEnv(t).withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	if warnings := file.Jobs[0].Warnings; len(warnings) != 2 || !strings.Contains(warnings[0], `preset = "gmx"`) || !strings.Contains(warnings[1], "accept deletions") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestOwnProfilesAreWrong(t *testing.T) {
	env := testEnv(t)
	for content, want := range map[string]string{
		"profile \"x\" {\n  tunnel = 1\n}": "mine.hcl:",
		`profile "X" {}`:                   "Missing title",
		"profile \"X\" {\n title = \"x\"\n source = \"x\"\n as_of = \"2026\"\n certain = \"sure\"\n}": "test.hcl:2,12: Wrong profile: mine.hcl: profile \"X\"",
		"-": "Unreadable profiles",
	} {
		env.ReadFile = func(path string) ([]byte, error) {
			if content == "-" {
				return nil, os.ErrNotExist
			}
			return []byte(content), nil
		}
		src := strings.Replace(minimalJob, "{\n", "{\nprofiles = \"mine.hcl\"\n", 1)
		if _, err := load("test.hcl", []byte(src), env.withDefaults(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %s", content, err, want)
		}
	}
}

// TestEveryPresetLoads makes a job of each profile that comes with the program.
func TestEveryPresetLoads(t *testing.T) {
	for _, p := range profiles.Default().All() {
		block := fmt.Sprintf("preset = %q\nallow_retr_hides = true", p.Name)
		if p.Connect == nil || p.Connect.Server == "" {
			block += "\nserver = \"pop.example.net\""
		}
		if p.Name == "microsoft" {
			block += "\noauth2 {\ngrant = \"device_code\"\ntenant = \"consumers\"\nclient_id = \"c\"\n}"
		}
		src := strings.Replace(minimalJob, `server = "pop.example.net"`, "\n"+block+"\n", 1)
		if p.Name == "microsoft" {
			src = strings.Replace(src, `password = env("X")`, "", 1)
		}
		_, err := load("test.hcl", []byte(src), testEnv(t).withDefaults(), nil)
		if (err != nil) != (noPOP(p) != "") {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

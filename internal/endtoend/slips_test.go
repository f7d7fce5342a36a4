//go:build linux

package endtoend

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"popmigrate/jobs"
)

// literalSecrets are the passwords that stand in the job files and account
// lists below, each as a file writes it.
var literalSecrets = map[string]string{
	"account": "Vq7 acct+pass%21word Kz",
	"source":  "Wm3/sourcé=väl9Tx",
	"sink":    "Yb5-sink-Pf8-delivers",
	"bob":     "Rn2 heredoc secret Lc6",
	"csv":     "Hd4;csv,cell 'x' Js1",
	"url":     "Gt8url.pass~Qe5",
}

const literalJob = `# all the places in which a password can stand
job "acme" {
  accounts {
    csv = "accounts.csv"
  }
  account "alice@example.net" {
    user     = "alice"
    target   = "alice@new.example"
    password = "Vq7 acct+pass%21word Kz" # its own
  }
  account "bob" {
    target   = "bob@new.example"
    password = "Rn2 heredoc secret Lc6"
  }
  source "pop3" {
    server   = "pop.example.net"
    login    = "${account.user}"
    password = "Wm3/sourcé=väl9Tx"
  }
  sink "smtp" "new" {
    server    = "mx.example.org:25"
    recipient = account.target
    user = "u"
    password = "Yb5-sink-Pf8-delivers"
  }
  delete = "never"
}
`

const literalList = "name,user,password,target,note\r\n" +
	"carol,carol@example.net,\"Hd4;csv,cell 'x' Js1\",c@new.example,\r\n" +
	"dave,dave@example.net,\"Hd4;csv,cell 'x' Js1\",d@new.example,n\r\n"

// loadAll loads a job file and list from memory and returns everything that a
// person would be shown: every rendering of the diagnostics, the description
// and the warnings.
func loadAll(t *testing.T, job, list string) string {
	t.Helper()
	files := fstest.MapFS{"job.hcl": {Data: []byte(job), Mode: 0o600}, "accounts.csv": {Data: []byte(list), Mode: 0o600}}
	file, err := jobs.Load("job.hcl", jobs.Env{
		Getenv:   func(string) string { return "" },
		ReadFile: files.ReadFile,
		Stat:     func(path string) (fs.FileInfo, error) { return files.Stat(path) },
	})
	var shown bytes.Buffer
	if err != nil {
		var diagnostics *jobs.Diagnostics
		if !errors.As(err, &diagnostics) {
			t.Fatal(err)
		}
		shown.WriteString(err.Error() + "\n")
		for _, width := range []uint{0, 40, 100} {
			if err := diagnostics.Text(&shown, width, width == 100); err != nil {
				t.Fatal(err)
			}
		}
		return shown.String()
	}
	for _, job := range file.Jobs {
		if err := job.Describe(&shown, -1); err != nil {
			t.Fatal(err)
		}
		shown.WriteString(strings.Join(job.Warnings, "\n"))
		job.Close()
	}
	return shown.String()
}

// leaked returns the names of the secrets of which a text holds a piece.
func leaked(text string) (names []string) {
	for name, secret := range literalSecrets {
		for _, piece := range pieces(secret) {
			if strings.Contains(text, piece) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// TestSecretsInBrokenJobFiles breaks a job file and an account list at every
// octet in every way that a slip of the hand would, and looks for the
// passwords in what is said about it.
func TestSecretsInBrokenJobFiles(t *testing.T) {
	if shown := loadAll(t, literalJob, literalList); !strings.Contains(shown, "carol") {
		t.Fatalf("the unbroken job is refused:\n%s", shown)
	}
	cases, refused := 0, 0
	leaks := map[string]int{}
	look := func(what, job, list string) {
		shown := loadAll(t, job, list)
		cases++
		if strings.Contains(shown, "Error: ") {
			refused++
		}
		for _, found := range leaked(shown) {
			if leaks[found]++; leaks[found] <= 3 {
				t.Errorf("%s: %s\n%s", what, found, shown)
			}
		}
	}
	step := 3
	if testing.Short() {
		step = 23
	}
	slips := []string{"\"", "'", "{", "}", "\n", " ", "=", "$", "(", ")", "#", "<<", "\\", "${", "x", ",", ";", "\x00", "\xff"}
	for i := 0; i <= len(literalJob); i += step {
		for _, slip := range slips {
			look("job with "+slip, literalJob[:i]+slip+literalJob[i:], literalList)
		}
		if i < len(literalJob) {
			look("job less an octet", literalJob[:i]+literalJob[i+1:], literalList)
		}
		look("job cut", literalJob[:i], literalList)
		if i == 0 || literalJob[i-1] == '\n' {
			look("job begun late", literalJob[i:], literalList)
		}
	}
	for i := 0; i <= len(literalList); i += step {
		for _, slip := range slips {
			look("list with "+slip, literalJob, literalList[:i]+slip+literalList[i:])
		}
		if i < len(literalList) {
			look("list less an octet", literalJob, literalList[:i]+literalList[i+1:])
		}
		look("list cut", literalJob, literalList[:i])
		look("list begun late", literalJob, literalList[i:])
	}
	t.Logf("%d broken jobs, of which %d refused; leaks by secret: %v", cases, refused, leaks)
	if refused < cases/3 {
		t.Errorf("only %d of %d were refused: the slips are too mild", refused, cases)
	}
}

// TestSecretsInWrongPlaces puts passwords where they do not belong.
func TestSecretsInWrongPlaces(t *testing.T) {
	const account = "Vq7 acct+pass%21word Kz"
	attribute := func(line string) string {
		return strings.Replace(literalJob, `password = "`+account+`" # its own`, line, 1)
	}
	source := func(server string) string {
		return strings.Replace(literalJob, `"pop.example.net"`, server, 1)
	}
	jobFiles := map[string]string{}
	for _, name := range []string{"pasword", "Password", "PASSWORD", "passwd", "pass", "pw", "pwd", "passwort", "kennwort", "secret",
		"passphrase", "credential", "credentials", "token", "api_key", "contraseña", "senha", "wachtwoord"} {
		jobFiles["attribute "+name] = attribute(name + ` = "` + account + `"`)
	}
	for what, line := range map[string]string{
		"a heredoc":       "password = <<EOT\n" + account + "\nEOT",
		"a long list":     "password = [\n\"" + account + "\",\n]",
		"no equals sign":  `password "` + account + `"`,
		"a colon":         `password: "` + account + `"`,
		"quoted name":     `"password" = "` + account + `"`,
		"single quotes":   `password = '` + account + `'`,
		"no quotes":       `password = ` + account,
		"in a list":       `password = ["` + account + `"]`,
		"in an object":    `password = { value = "` + account + `" }`,
		"in a block":      "password {\n value = \"" + account + "\"\n}",
		"two lines":       "password =\n \"" + account + "\"",
		"name on its own": "password\n = \"" + account + "\"",
		"a template":      `password = "${account.user}` + account + `"`,
		"a function":      `password = base64("` + account + `")`,
		"in env":          `password = env("` + account + `")`,
		"a condition":     `password = true ? "` + account + `" : ""`,
		"joined":          `password = "` + account + `" + "x"`,
		"twice":           `password = "` + account + "\"\npassword = \"" + account + `"`,
		"a comment":       `user = 3 # password ` + account,
		"behind another":  `user = "a" password = "` + account + `"`,
	} {
		jobFiles[what] = attribute(line)
	}
	for _, server := range []string{`"pop://alice:Gt8url.pass~Qe5@pop.example.net"`, `"pops://Gt8url.pass~Qe5@pop.example.net"`,
		`"alice:Gt8url.pass~Qe5@pop.example.net"`, `"pop://alice:Gt8url.pass~Qe5@"`, `"http://alice:Gt8url.pass~Qe5@h/"`,
		`"pop://a/b:Gt8url.pass~Qe5@h"`, `"pop://alice;AUTH=PLAIN:Gt8url.pass~Qe5@h"`, `"pop:alice:Gt8url.pass~Qe5@h"`} {
		jobFiles["server "+server] = source(server)
		jobFiles["SMTP server "+server] = strings.Replace(literalJob, `"mx.example.org:25"`, server, 1)
	}
	for what, job := range jobFiles {
		for _, found := range leaked(loadAll(t, job, literalList)) {
			t.Errorf("%s: %s\n%s", what, found, loadAll(t, job, literalList))
		}
	}
	const cell = `"Hd4;csv,cell 'x' Js1"`
	for what, list := range map[string]string{
		"no header":          "carol," + cell + ",x\n",
		"no header, twice":   "carol," + cell + "," + cell + "\n",
		"like a column":      "name,user,password\na,b," + cell + "," + cell + "\n",
		"too few":            "name,user,password,target\na," + cell + "\n",
		"unbalanced quote":   "name,user,password\na,b,\"Hd4;csv,cell 'x' Js1\n",
		"bare quote":         "name,user,password\na,b,Hd4;csv\"cell 'x' Js1\n",
		"unknown column":     "name,user,Kennwort,Passwort alt\na,b," + cell + "," + cell + "\n",
		"pw":                 "name,user,PW,target\na,b," + cell + ",t\n",
		"contraseña":         "name,user,Contraseña,target\na,b," + cell + ",t\n",
		"in password_env":    "name,user,password_env\na,b," + cell + "\n",
		"in hold":            "name,user,hold\na,b," + cell + "\n",
		"in source":          "name,user,source\na,b," + cell + "\n",
		"in server":          "name,user,server\na,b," + cell + "\n",
		"control characters": "name,user,password,target\na,b," + cell + ",\x01\n",
		"UTF-16":             "\xff\xfe" + strings.ReplaceAll("name,user,password\na,b,Hd4;csv,cell 'x' Js1\n", "", "\x00"),
	} {
		for _, found := range leaked(loadAll(t, literalJob, list)) {
			t.Errorf("%s: %s\n%s", what, found, loadAll(t, literalJob, list))
		}
	}
}

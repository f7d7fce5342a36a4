//go:build linux

package endtoend

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
	"popmigrate/sinks/smtptest"
)

// The canaries: what no output may show. By the maildrop whose password it is.
var canaries = map[string]string{
	"literal":  `L1t"er\al +%41 ${x} 'pläin' qWxJ7vT0Yk`,
	"env":      "EnV-" + strings.Repeat("0a9Zb8Yc7X", 20) + "-dw6Ev5Fu4T",
	"file":     " F1le;with blanks/zQ8sLr3mNd5 ",
	"command":  "C0mmand&<out>=mH6gBt2VpK9",
	"cell":     `C3ll,"quoted";jR5nXw8DsZ1`,
	"cellenv":  "c3llEnv@host:yU7kPf4GaM2",
	"cellfile": "c3llF1le€¥ñ-hT9cQe6WbS3",
	"smtp":     "SmTp!pass-oV2xIy5LrA8+/==",
}

const vaultJob = `
job "vault" {
  accounts {
    csv = "accounts.csv"
  }
  account "literal" {
    password = @LITERAL@
  }
  account "env" {
    password = env("VAULT_ENV")
  }
  account "file" {
    password = file("secret.txt")
  }
  account "command" {
    password = command("sh", "secret.sh")
  }
  source "pop3" {
    server = "@SERVER@"
    auth   = "@AUTH@"
    @TLS@
  }
  sink "mbox" "archive" { dir = "archive" }
  sink "smtp" "new" {
    server    = "@SMTP@"
    recipient = "x@example.org"
    tls       = "none"
    user      = "mover"
    password  = env("VAULT_SMTP")
  }
  limits {
    attempts   = 1
    backoff    = "10ms"
    host_pause = "10ms"
  }
  delete = "verified"
}
`

// vault is a job whose every account takes its password from somewhere else.
type vault struct {
	*job
	server *pop3test.Server
	smtp   *smtptest.Server
	search *search

	mu     sync.Mutex
	answer func(smtptest.Step) string
}

// secretFiles hold secrets because the user put them there.
var secretFiles = []string{"job.hcl", "accounts.csv", "secret.txt", "cell.txt", "command.txt"}

func newVault(t *testing.T) *vault {
	t.Helper()
	server, err := pop3test.Start(pop3test.Config{NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	v := &vault{server: server, search: newSearch(canaries)}
	v.smtp = smtptest.Start(t, smtptest.Options{User: "mover", Password: canaries["smtp"], Discard: true,
		Answer: func(step smtptest.Step) string {
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.answer == nil {
				return ""
			}
			return v.answer(step)
		}})
	v.job = newJob(t, "")
	v.set("@AUTH@", "auto")
	v.write("accounts.csv", fmt.Sprintf("name,user,password,password_env,password_file\ncell,cell,\"%s\",,\ncellenv,cellenv,,VAULT_CELL,\ncellfile,cellfile,,,cell.txt\n",
		strings.ReplaceAll(canaries["cell"], `"`, `""`)))
	v.write("secret.txt", canaries["file"])
	v.write("cell.txt", canaries["cellfile"]+"\n")
	v.write("command.txt", canaries["command"])
	// What others see of the processes that are started for a secret.
	v.write("secret.sh", "tr '\\0' ' ' </proc/$$/cmdline >seen.txt; tr '\\0' ' ' </proc/$PPID/cmdline >>seen.txt; exec cat command.txt\n")
	v.heal()
	return v
}

// set writes the job file; the words are replaced in pairs.
func (v *vault) set(words ...string) {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", "$${", "%{", "%%{")
	words = append(words, "@LITERAL@", `"`+escape.Replace(canaries["literal"])+`"`, "@SERVER@", v.server.Addr(),
		"@TLS@", "tls = \"none\"\n    allow_cleartext = true", "@SMTP@", v.smtp.Address, "@AUTH@", "auto")
	v.write("job.hcl", strings.NewReplacer(words...).Replace(vaultJob))
}

// heal gives the server its right passwords and new mail, and no faults.
func (v *vault) heal() {
	v.server.SetRules()
	v.answering(nil)
	for user, password := range canaries {
		drop := v.server.Maildrop(user)
		if drop == nil {
			drop = v.server.AddMaildrop(user, password)
		}
		drop.SetPassword(password)
		drop.SetRules()
		for range 3 {
			drop.Deliver(pop3test.Message{Content: []byte(wire(letter(int(time.Now().UnixNano()), 300)))})
		}
	}
}

func (v *vault) answering(f func(smtptest.Step) string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = f
}

// echo makes the server repeat the password that it was sent, in every form
// that comes to mind, and in its capabilities after each login.
func (v *vault) echo(occasion, before string) {
	for user, password := range canaries {
		drop := v.server.Maildrop(user)
		response := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
		said := fmt.Sprintf("%s PASS %s | AUTH PLAIN %s | %q | %s | %s", before, password, response, password,
			base64.StdEncoding.EncodeToString([]byte(password)), response[:len(response)/2])
		drop.SetRules(pop3test.Rule{Command: occasion, Do: pop3test.Instead(said)},
			pop3test.Rule{Command: "CAPA", Since: 1, Do: pop3test.Instead("+OK\r\nX-YOUR-PASSWORD " + password + "\r\nUIDL\r\n.")})
	}
}

func (v *vault) command(words ...string) *exec.Cmd {
	c := v.job.command(words...)
	c.Env = append(os.Environ(), "VAULT_ENV="+canaries["env"], "VAULT_CELL="+canaries["cellenv"], "VAULT_SMTP="+canaries["smtp"], "GOTRACEBACK=all")
	return c
}

// prints runs a command to its end and searches what it prints and every file
// that is there then. It returns the output.
func (v *vault) prints(exit int, c *exec.Cmd) string {
	v.t.Helper()
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	_ = c.Run()
	if got := c.ProcessState.ExitCode(); got != exit {
		v.t.Errorf("%s: exit %d, want %d\n%s", strings.Join(c.Args[1:], " "), got, exit, output.String())
	}
	v.inspect(strings.Join(c.Args[1:], " "), output.Bytes())
	return output.String()
}

// inspect searches an output and all files.
func (v *vault) inspect(what string, output []byte) {
	v.t.Helper()
	if found := v.search.in(output); len(found) > 0 {
		v.t.Errorf("%s prints a secret: %.300q\n%.3000s", what, found, output)
	}
	v.search.files(v.t, v.dir, func(path string) bool { return slices.Contains(secretFiles, filepath.Base(path)) })
}

// Every way a login, a session or a delivery may end, with a server that
// repeats secrets wherever it can.
func TestSecretsStaySecret(t *testing.T) {
	notShort(t)
	for _, auth := range []string{"plain", "user", "apop"} {
		t.Run(auth, func(t *testing.T) {
			v := newVault(t)
			v.set("@AUTH@", auth)
			v.prints(0, v.command("check"))
			v.prints(0, v.command("run", "--dry-run"))
			for _, test := range []struct {
				name string
				exit int
				set  func()
			}{
				{"refused", 7, func() { v.echo(pop3test.OnLogin, "-ERR [AUTH] no,") }},
				{"lost after the login", 7, func() { v.server.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.Cut(0)}) }},
				{"reset after the login", 7, func() { v.server.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.Reset(5)}) }},
				{"nonsense after the login", 7, func() { v.echo(pop3test.OnLogin, "WHAT?") }},
				{"listing refused", 7, func() { v.echo("LIST", "-ERR no,") }},
				{"message refused", 7, func() { v.echo("RETR", "-ERR no,") }},
				{"mark refused", 0, func() { v.echo("DELE", "-ERR no,") }},
				{"quit refused", 4, func() { v.echo("QUIT", "-ERR no,") }},
				{"quit", 0, func() { v.echo("QUIT", "+OK bye,") }},
				{"SMTP login refused", 3, func() { v.answering(smtpEcho("AUTH", "535 5.7.8 no")) }},
				{"SMTP recipient refused", 3, func() { v.answering(smtpEcho("RCPT", "550 5.1.1 no")) }},
				{"SMTP text refused", 3, func() { v.answering(smtpEcho(".", "451 4.3.0 no")) }},
				{"SMTP line lost", 3, func() {
					v.answering(func(s smtptest.Step) string { return map[string]string{"AUTH": smtptest.Drop}[s.Verb] })
				}},
				{"all well", 0, func() {}},
			} {
				if auth != "plain" && test.name != "refused" && test.name != "all well" {
					continue // what follows the login is the same
				}
				v.heal()
				test.set()
				v.prints(test.exit, v.command("run", "--verbose"))
				v.prints(test.exit, v.command("run", "--json"))
			}
			v.prints(0, v.command("status"))
			v.prints(0, v.command("status", "--json"))
			v.prints(0, v.command("verify"))
			v.prints(0, v.command("run", "--failed"))
			if seen, err := os.ReadFile(filepath.Join(v.dir, "seen.txt")); err != nil || len(seen) == 0 {
				t.Errorf("the command for a secret was never run: %v", err)
			}
		})
	}
}

func smtpEcho(verb, reply string) func(smtptest.Step) string {
	password := canaries["smtp"]
	response := base64.StdEncoding.EncodeToString([]byte("\x00mover\x00" + password))
	return func(s smtptest.Step) string {
		if s.Verb != verb {
			return ""
		}
		return fmt.Sprintf("%s: %s | %s | %s | %q", reply, password, response, base64.StdEncoding.EncodeToString([]byte(password)), password)
	}
}

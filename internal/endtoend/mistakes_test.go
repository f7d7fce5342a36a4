//go:build linux

package endtoend

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"popmigrate/pop3/pop3test"
)

// TLS that fails in each way, with and without a server that is there.
func TestSecretsStaySecretWithoutTLS(t *testing.T) {
	notShort(t)
	v := newVault(t)
	v.write("ca.pem", string(v.server.CertPEM()))
	for _, words := range []string{`tls = "implicit"`, `tls = "starttls"`, `tls = "implicit"` + "\n tls_ca = \"ca.pem\""} {
		v.set("@TLS@", words)
		v.prints(7, v.command("run", "--verbose"))
		v.prints(7, v.command("run", "--json"))
	}
	v.set("@TLS@", "tls = \"starttls\"\n tls_ca = \"ca.pem\"")
	v.prints(0, v.command("run", "--verbose"))
	v.server.Close()
	v.prints(7, v.command("run", "--verbose"))
}

// Job files and account lists that are wrong where a secret stands. The
// diagnostics show lines of the job file.
func TestSecretsStaySecretInDiagnostics(t *testing.T) {
	notShort(t)
	v := newVault(t)
	secret := "hcl-K4rB9zXw2-mQ7vL0pT8s"
	v.search = newSearch(map[string]string{"mistake": secret})
	job := func(account, source, list string) {
		v.write("job.hcl", fmt.Sprintf(`job "one" {
  %s
  source "pop3" {
    server = "127.0.0.1:1"
    %s
  }
  sink "mbox" "archive" { dir = "archive" }
  limits { attempts = 1 }
}
`, account, source))
		v.write("accounts.csv", list)
	}
	const accounts = `accounts { csv = "accounts.csv" }`
	for name, f := range map[string]func(){
		"no quotes":           func() { job("account \"a\" {\n password = "+secret+"\n}", "", "") },
		"no end":              func() { job("account \"a\" {\n password = \""+secret+"\n}", "", "") },
		"two values":          func() { job("account \"a\" {\n password = \""+secret+"\" \"x\"\n}", "", "") },
		"interpolation":       func() { job("account \"a\" {\n password = \""+secret+"${x}\"\n}", "", "") },
		"in env":              func() { job("account \"a\" {\n password = env(\""+secret+"\")\n}", "", "") },
		"in env, twice":       func() { job("account \"a\" {\n password = env(\""+secret+"\", \""+secret+"\")\n}", "", "") },
		"unknown function":    func() { job("account \"a\" {\n password = vault(\""+secret+"\")\n}", "", "") },
		"misspelt":            func() { job("account \"a\" {\n pasword = \""+secret+"\"\n}", "", "") },
		"other word":          func() { job("account \"a\" {\n passwd = \""+secret+"\"\n}", "", "") },
		"object":              func() { job("account \"a\" {\n password = { x = \""+secret+"\" }\n}", "", "") },
		"list":                func() { job("account \"a\" {\n password = [\""+secret+"\"]\n}", "", "") },
		"heredoc":             func() { job("account \"a\" {\n password = <<END\n"+secret+"\nEND\n}", "", "") },
		"line end in it":      func() { job("account \"a\" {\n password = \""+secret+"\\n\"\n}", "", "") },
		"block":               func() { job("account \"a\" {\n password { x = \""+secret+"\" }\n}", "", "") },
		"error on the line":   func() { job("account \"a\" { password = \""+secret+"\" nonsense }", "", "") },
		"URL as server":       func() { job("account \"a\" {\n password = \"x\"\n}", "server = \"pop://a:"+secret+"@host\"", "") },
		"URL with @":          func() { job("account \"a\" {\n password = \"x\"\n server = \"pop://a:x@"+secret+"@host\"\n}", "", "") },
		"URL encoded":         func() { job("account \"a\" {\n password = \"x\"\n server = \"pop://a:"+secret+"%zz@host\"\n}", "", "") },
		"column count":        func() { job(accounts, "", "name,user,password\na,b,"+secret+",d\n") },
		"quote in the middle": func() { job(accounts, "", "name,user,password\na,b,"+secret+"\"x\"\n") },
		"quote without end":   func() { job(accounts, "", "name,user,password\na,b,\""+secret+"\n") },
		"no header":           func() { job(accounts, "", "a,b,"+secret+"\n") },
		"same user twice":     func() { job(accounts, "", "name,user,password\na,b,"+secret+"\na,b,"+secret+"\n") },
		"unknown column":      func() { job(accounts, "", "name,user,pasword\na,b,"+secret+"\n") },
		"other column":        func() { job(accounts, "", "name,user,Kennwort,password\na,b,"+secret+",x\n") },
		"control characters":  func() { job(accounts, "", "name,user,password\na,b,"+secret+"\x00\n") },
		"in password_env":     func() { job(accounts, "", "name,user,password_env\na,b,"+secret+"\n") },
		"two passwords":       func() { job(accounts, "", "name,user,password,password_env\na,b,"+secret+",X\n") },
		"URL in server":       func() { job(accounts, "", "name,user,password,server\na,b,x,pop://b:"+secret+"@host\n") },
		"semicolons":          func() { job(accounts, "", "name;user;password\na;b;"+secret+";\n") },
		"UTF-16":              func() { job(accounts, "", "\xff\xfen\x00a\x00"+secret) },
	} {
		t.Run(name, func(t *testing.T) {
			v.t, v.job.t = t, t
			f()
			for _, words := range [][]string{{"check"}, {"run"}, {"run", "--json"}, {"status"}} {
				c := v.command(words...)
				out, _ := c.CombinedOutput()
				v.inspect(strings.Join(words, " "), out)
			}
		})
	}
}

// Command lines that hold a password in the wrong place.
func TestSecretsStaySecretOnTheCommandLine(t *testing.T) {
	notShort(t)
	v := newVault(t)
	secret := "url-K4rB9zXw2-mQ7vL0pT8s"
	v.search = newSearch(map[string]string{"URL": secret})
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{
		{"copy", "pop://alice:" + secret + "@host", "mail"},
		{"copy", "pop://alice:" + secret + "@host"},
		{"copy", "pop://alice:a/b" + secret + "@host", "mail"},
		{"copy", "pop://alice:a:b" + secret + "@host", "mail"},
		{"copy", "pop://alice:a@b" + secret + "@host", "mail"},
		{"copy", "pop://alice:%zz" + secret + "@host", "mail"},
		{"copy", "pop://" + secret + ":@host", "mail", "--nonsense"},
		{"copy", "pop://alice;AUTH=PLAIN:" + secret + "@host", "mail"},
		{"copy", "alice:" + secret + "@host", "mail"},
		{"copy", "pop:alice:" + secret + "@host", "mail"},
		{"copy", "pop://alice@host", "mail", "--password-env", secret},
		{"copy", "pop://alice@host", "mail", "--password", secret},
		{"copy", "pop://alice@host", "mail", "--password=" + secret},
		{"run", "pop://alice:" + secret + "@host"},
		{"check", "job.hcl", "pop://alice:a/b" + secret + "@host"},
		{"pop://alice:" + secret + "@host"},
		{"--password=" + secret},
	} {
		c := exec.Command(name, words...)
		c.Dir = v.dir
		out, err := c.CombinedOutput()
		if err == nil {
			t.Errorf("%q succeeded", words)
		}
		v.inspect(words[0], out)
	}
}

// copy takes the password from its environment and from standard input.
func TestSecretsStaySecretInCopy(t *testing.T) {
	notShort(t)
	v := newVault(t)
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for _, right := range []bool{true, false} {
		if !right {
			v.echo(pop3test.OnLogin, "-ERR [AUTH] no,")
		}
		for i, c := range []*exec.Cmd{
			exec.Command(name, "copy", "pop://env@"+v.server.Addr(), "one", "--tls", "none", "--allow-cleartext"),
			exec.Command(name, "copy", "pop://env@"+v.server.Addr(), "two", "--tls", "none", "--allow-cleartext", "--json", "--password-env", "OTHER"),
			exec.Command(name, "copy", "pop://env@"+v.server.Addr(), "three", "--tls", "none", "--allow-cleartext"),
		} {
			c.Dir = v.dir
			c.Env = append(os.Environ(), []string{"POPMIGRATE_PASSWORD=" + canaries["env"], "OTHER=" + canaries["env"], "NONE="}[i])
			c.Stdin = strings.NewReader(canaries["env"] + "\n")
			v.prints(map[bool]int{true: 0, false: 7}[right], c)
		}
	}
}

// A run that is killed, and one that is made to dump its state, in the middle
// of a message.
func TestSecretsStaySecretWhenKilled(t *testing.T) {
	notShort(t)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGSEGV} {
		v := newVault(t)
		c := v.command("run", "--verbose")
		var output bytes.Buffer
		c.Stdout, c.Stderr = &output, &output
		v.server.SetRules(pop3test.Rule{Command: "RETR", Message: 2, Do: pop3test.All(
			pop3test.Call(func() { _ = c.Process.Signal(signal) }), pop3test.Stall(10))})
		if err := c.Run(); err == nil {
			t.Errorf("%v did not end the run", signal)
		}
		v.inspect(signal.String(), output.Bytes())
		v.prints(0, func() *exec.Cmd { v.heal(); return v.command("run", "--verbose") }())
	}
}

// Nobody sees a secret in the list of processes: not in the command line of
// the program, and neither there nor in the environment of what it starts,
// but for what the user put into the environment himself.
func TestSecretsStayOutOfTheProcessList(t *testing.T) {
	notShort(t)
	v := newVault(t)
	v.write("secret.sh", "cat /proc/$$/environ >environ.txt; tr '\\0' ' ' </proc/$$/cmdline >seen.txt; tr '\\0' ' ' </proc/$PPID/cmdline >>seen.txt; exec cat command.txt\n")
	c := v.command("run", "--quiet")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	environ, err := os.ReadFile(filepath.Join(v.dir, "environ.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range v.search.in(environ) {
		switch name, _, _ := strings.Cut(found, ","); name {
		case "env", "cellenv", "smtp": // set by the user
		default:
			t.Errorf("in the environment of a command: %s", found)
		}
	}
	os.Remove(filepath.Join(v.dir, "environ.txt"))
	v.inspect("run", nil)
}

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"popmigrate/checkpoint"
	"popmigrate/pop3/pop3test"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"popmigrate": main})
}

// secret stands in every password of the scripts and must never be printed or
// written anywhere.
const secret = "s3cret"

// TestScripts runs the program as users do. Each script has a server of its
// own at $POP (TLS from the first octet, trusted with ca.pem) with the
// maildrops alice and bob, whose passwords are s3cret-alice and s3cret-bob.
// Job files find its address through expand.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exitsWith,
			"expand":   expand,
			"pop":      pop,
			"flip":     flip,
			"lock":     lock,
			"tamper":   tamper,
			"nosecret": noSecret,
			"private":  private,
		},
	})
}

type serverKey struct{}

func setup(env *testscript.Env) error {
	server, err := pop3test.Start(pop3test.Config{ImplicitTLS: true})
	if err != nil {
		return err
	}
	env.Defer(func() { _ = server.Close() })
	for _, user := range []string{"alice", "bob"} {
		deliver(server.AddMaildrop(user, secret+"-"+user), 3)
	}
	env.Values[serverKey{}] = server
	env.Setenv("POP", server.Addr())
	env.Setenv("ALICE_PASSWORD", secret+"-alice")
	env.Setenv("BOB_PASSWORD", secret+"-bob")
	return os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), server.CertPEM(), 0o600)
}

// deliver adds n messages to a maildrop.
func deliver(drop *pop3test.Maildrop, n int) {
	for range n {
		i := len(drop.UniqueIDs())
		drop.Deliver(pop3test.Message{UniqueID: fmt.Sprintf("%s-%d", drop.User, i),
			Content: fmt.Appendf(nil, "Subject: message %d of %s\r\n\r\n%s\r\n", i, drop.User, strings.Repeat("text ", i))})
	}
}

// exitsWith is exits CODE PROGRAM ARG… runs a program that must end with this code, and
// looks for secrets in what it prints.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	for _, output := range []string{"stdout", "stderr"} {
		if strings.Contains(ts.ReadFile(output), secret) {
			ts.Fatalf("%s shows a password", output)
		}
	}
	if neg || code != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// expand FILE… replaces $POP in files.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := strings.ReplaceAll(ts.ReadFile(name), "$POP", ts.Getenv("POP"))
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// pop changes what the server has or does:
//
//	pop deliver USER N
//	pop remove USER UNIQUE-ID
//	pop password USER PASSWORD
//	pop refuse USER UNIQUE-ID     RETR of it is answered with -ERR
//	pop heal USER
//	pop holds USER N              fails unless the maildrop has N messages
//	pop listed USER               fails unless it was listed and nothing of it fetched or deleted
func pop(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value(serverKey{}).(*pop3test.Server)
	drop := server.Maildrop(args[1])
	switch args[0] {
	case "deliver":
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		deliver(drop, n)
	case "remove":
		drop.Remove(args[2])
	case "password":
		drop.SetPassword(args[2])
	case "refuse":
		drop.SetRules(pop3test.Rule{Command: "RETR", UniqueID: args[2], Do: pop3test.Instead("-ERR cannot \x1b[31mread\x07 this one")})
	case "heal":
		drop.SetRules()
	case "holds":
		if got := strconv.Itoa(len(drop.UniqueIDs())); got != args[2] {
			ts.Fatalf("maildrop %s holds %s messages, want %s", args[1], got, args[2])
		}
	case "listed":
		commands := strings.Join(server.Commands(args[1]), "\n") + "\n"
		if !strings.Contains(commands, "UIDL\n") || strings.Contains(commands, "RETR") || strings.Contains(commands, "DELE") {
			ts.Fatalf("maildrop %s was sent:\n%s", args[1], commands)
		}
	default:
		ts.Fatalf("pop %s: unknown", args[0])
	}
}

// flip PATTERN changes an octet in the middle of the first file that matches.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	paths, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(paths) == 0 {
		ts.Fatalf("no file matches %s", args[0])
	}
	path := paths[0]
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)/2] ^= 0x40
	ts.Check(os.WriteFile(path, data, 0o600))
}

// lock DIR takes the ledger's lock in a state directory until the script ends.
func lock(ts *testscript.TestScript, _ bool, args []string) {
	ledger, err := checkpoint.OpenSQLite(context.Background(), ts.MkAbs(args[0]), nil)
	ts.Check(err)
	ts.Defer(func() { _ = ledger.Close() })
}

// tamper DIR changes an entry of the custody record in a state directory.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	ledger, err := sql.Open("sqlite", filepath.Join(ts.MkAbs(args[0]), "ledger.db"))
	ts.Check(err)
	defer ledger.Close()
	_, err = ledger.Exec("UPDATE custody SET body = x'7b7d' WHERE seq = 2")
	ts.Check(err)
}

// noSecret DIR fails if a file in or below it holds a password.
func noSecret(ts *testscript.TestScript, _ bool, args []string) {
	files := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), secret) {
			err = fmt.Errorf("%s holds a password", path)
		}
		return err
	}))
	if files == 0 {
		ts.Fatalf("%s has no files", args[0])
	}
}

// private DIR fails if others may read anything in or below it.
func private(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = fmt.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}))
}

package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the program that prints tokens.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "print-token" {
		printToken(os.Args[2], os.Args[3:])
		return
	}
	os.Exit(m.Run())
}

func printToken(how string, rest []string) {
	switch how {
	case "print":
		fmt.Printf("token-of-%s-%s\r\n", os.Getenv("POPMIGRATE_USER"), strings.Join(rest, "|"))
	case "fail":
		fmt.Println("hush-token-0123456789")
		fmt.Fprint(os.Stderr, "\x1b[31mcannot use hush-token-0123456789\r\n", strings.Repeat("no ", 1<<20))
		os.Exit(3)
	case "hang":
		fmt.Fprintln(os.Stderr, "waiting for a person")
		<-time.After(time.Hour) // an empty select would be found out as a deadlock
	case "flood":
		for range 1 << 12 {
			fmt.Print(strings.Repeat("x", 1<<10))
		}
	case "stdin":
		data, _ := io.ReadAll(os.Stdin)
		fmt.Printf("read-%d", len(data))
	case "agent": // leaves a program behind that holds the pipes
		left := exec.Command(os.Args[0], "print-token", "linger")
		left.Stdout, left.Stderr = os.Stdout, os.Stderr
		if err := left.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("token-before-the-agent")
	case "linger":
		<-time.After(20 * time.Second)
	case "nothing":
	}
}

func program(t *testing.T, timeout time.Duration, args ...string) *Source {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Grant: Command, ProgramTimeout: timeout, Program: func(string) []string {
		return append([]string{self, "print-token"}, args...)
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCommand(t *testing.T) {
	wantToken(t, program(t, 0, "print", "$(id)", "a;b"), "alice", "", "token-of-alice-$(id)|a;b")
	wantToken(t, program(t, 0, "stdin"), "alice", "", "read-0")
	wantError(t, program(t, 0, "print"), "alice", "token-of-alice-", false, 0, "by command: the same token came again")
	wantError(t, program(t, 0, "nothing"), "alice", "", false, 0, "by command: gave no token")
	wantError(t, program(t, 0, "flood"), "alice", "", false, 0, "more than a token")
	wantError(t, program(t, 0, "fail"), "alice", "", true, shortestPause, "exit status 3", "(secret)")
	wantError(t, program(t, 300*time.Millisecond, "hang"), "alice", "", true, shortestPause, "did not end within 300ms")
	s, _ := New(Config{Grant: Command, Program: func(string) []string { return []string{"/no/such/program"} }})
	wantError(t, s, "alice", "", false, 0, "/no/such/program")
	s, _ = New(Config{Grant: Command, Program: func(string) []string { return nil }})
	wantError(t, s, "alice", "", false, 0, "no program is named")
}

func TestCommandLeavesAnAgent(t *testing.T) {
	began := time.Now()
	wantToken(t, program(t, 0, "agent"), "alice", "", "token-before-the-agent")
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("waited %s for what the program left behind", took)
	}
}

func TestCommandInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	time.AfterFunc(200*time.Millisecond, func() { cancel(stop) })
	if _, err := program(t, time.Minute, "hang").Token(ctx, "alice", ""); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

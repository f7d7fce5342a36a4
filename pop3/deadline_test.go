package pop3_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
)

// waits differ, so that it shows which of them ended a call.
var waits = pop3.Timeouts{
	TLS: 16 * time.Second, Greeting: 11 * time.Second, Command: 12 * time.Second,
	Login: 13 * time.Second, Data: 14 * time.Second, Top: 10 * time.Second, Quit: 15 * time.Second,
}

// phases are the places at which a server can fall silent: the script leads
// there, and the call then waits.
var phases = []struct {
	name, prelude, script, call string
	wait                        time.Duration
}{
	{"greeting", "greeting", "stall", "greeting", waits.Greeting},
	{"greeting begun", "greeting", "S~ \"+O\"\nstall", "greeting", waits.Greeting},
	{"CAPA", "authorization", "C: CAPA\nstall", "capa", waits.Command},
	{"CAPA list", "authorization", "C: CAPA\nS: +OK\nstall", "capa", waits.Command},
	{"STLS", "authorization", "C: STLS\nstall", "stls", waits.Command},
	{"USER", "authorization", "C: USER alice\nstall", "login alice sesame", waits.Command},
	{"PASS", "authorization", "C: USER alice\nS: +OK\nC: PASS sesame\nstall", "login alice sesame", waits.Login},
	{"AUTH", "authorization", "C: AUTH LOGIN\nstall", "auth-login a b", waits.Login},
	{"AUTH plus", "authorization", "C: AUTH LOGIN\nS~ \"+\"\nstall", "auth-login a b", waits.Login},
	{"AUTH end", "authorization", "C: AUTH LOGIN\nS: +\nC: YQ==\nS: +\nC: Yg==\nstall", "auth-login a b", waits.Login},
	{"STAT", "transaction", "C: STAT\nstall", "stat", waits.Login},
	{"LIST", "transaction", "C: LIST\nS: +OK\nS: 1 1\nstall", "list", waits.Login},
	{"UIDL", "transaction", "C: UIDL\nS: +OK\nS~ \"1\"\nstall", "uidl", waits.Login},
	{"listings", "transaction", "C: UIDL\nS: +OK\nS: .\nC: LIST\nstall", "listings", waits.Login},
	{"RETR", "transaction", "C: RETR 1\nstall", "retr 1", waits.Command},
	{"RETR data", "transaction", "C: RETR 1\nS: +OK\nS: half\nstall", "retr 1", waits.Data},
	{"RETR without its end", "transaction", "C: RETR 1\nS: +OK\nS~ \"abc.\\r\\n\"\nstall", "retr 1", waits.Data},
	{"RETR behind a message", "transaction", "C: RETR 1\nS: +OK\nS: .\nC: RETR 2\nstall", "retr 1 2", waits.Command},
	{"TOP", "transaction", "C: TOP 1 0\nS: +OK\nS~ \"\\n.\\r\\n\"\nstall", "top 0 1", waits.Top},
	{"DELE", "transaction", "C: DELE 1\nstall", "dele 1", waits.Command},
	{"NOOP", "transaction", "C: NOOP\nstall", "noop", waits.Command},
	{"RSET", "transaction", "C: RSET\nS~ \"+OK\"\nstall", "rset", waits.Command},
	{"QUIT", "transaction", "C: QUIT\nstall", "quit", waits.Quit},
}

// at returns a client that stands where a phase begins.
func at(t *testing.T, prelude, script string) (*pop3.Client, *pop3test.Peer) {
	peer := pop3test.Play(preludes[prelude].script + script)
	client := pop3.NewClient(peer, &pop3.Options{Timeouts: waits, Pipelining: pop3.PipelineOff})
	for _, call := range preludes[prelude].calls {
		say(t, client, call)
	}
	return client, peer
}

// TestTimeouts lets a server fall silent in each phase. In a bubble of
// synctest time is exact, and a goroutine left behind fails the test.
func TestTimeouts(t *testing.T) {
	for _, phase := range phases {
		t.Run(phase.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, peer := at(t, phase.prelude, phase.script)
				start := time.Now()
				said := say(t, client, phase.call)
				if took := time.Since(start); took != phase.wait {
					t.Errorf("took %v, want %v", took, phase.wait)
				}
				if !strings.Contains(said, "nothing from the server for "+phase.wait.String()) {
					t.Errorf("said %s", said)
				}
				if !errors.Is(client.Broken(), os.ErrDeadlineExceeded) {
					t.Errorf("broken: %v", client.Broken())
				}
				if err := errors.Join(client.Close(), peer.Err()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestCancelledInEachPhase ends the context while the client waits.
func TestCancelledInEachPhase(t *testing.T) {
	for _, phase := range phases {
		t.Run(phase.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := at(t, phase.prelude, phase.script)
				reason := errors.New("told to stop")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(3*time.Second, func() { cancel(reason) })
				verb, args := parseCall(t, phase.call)
				start := time.Now()
				verbs[verb](client, ctx, args)
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("took %v", took)
				}
				if !errors.Is(client.Broken(), reason) {
					t.Errorf("broken: %v", client.Broken())
				}
				if _, err := client.Quit(context.Background()); client.Broken() == nil || err == nil {
					t.Errorf("QUIT: %v", err)
				}
				client.Close()
			})
		})
	}
}

// A context that is done sends nothing.
func TestCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client, peer := begin(t, "", lockstep)
	if err := client.Noop(ctx); !errors.Is(err, context.Canceled) || client.Broken() == nil {
		t.Errorf("%v, broken %v", err, client.Broken())
	}
	if err := peer.Err(); err != nil {
		t.Error(err)
	}
}

// A context concerns its own call only, also if it ends between two.
func TestContextOfFormerCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, peer := begin(t, "C: NOOP\nS: +OK\nC: NOOP\nS: +OK\nC: NOOP\nS: +OK", lockstep)
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			if err := client.Noop(ctx); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		synctest.Wait()
		if err := errors.Join(client.Noop(t.Context()), peer.Err()); err != nil {
			t.Error(err)
		}
	})
}

// sliceContext cannot be compared.
type sliceContext struct {
	context.Context
	_ []int
}

// A context of any type will do.
func TestUncomparableContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := begin(t, "C: NOOP\nstall", lockstep)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := client.Noop(sliceContext{Context: ctx}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A server that does not read does not hold the client either.
func TestCancelledWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		client := pop3.NewClient(near, &pop3.Options{Timeouts: waits})
		defer client.Close()
		go io.WriteString(far, "+OK ready\r\n")
		if _, err := client.Greeting(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := client.Capabilities(t.Context())
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != waits.Command {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Close ends a call that waits, from another goroutine.
func TestCloseEndsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		client := pop3.NewClient(near, nil)
		time.AfterFunc(time.Second, func() { client.Close() })
		if _, err := client.Greeting(t.Context()); err == nil || client.Broken() == nil {
			t.Errorf("%v, broken %v", err, client.Broken())
		}
		if err := client.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
}

// Data counts between two arrivals, not for the whole message, of which
// enough arrives.
func TestSlowMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		client := pop3.NewClient(near, &pop3.Options{Timeouts: waits})
		server := make(chan error, 1)
		go func() {
			defer far.Close()
			server <- slowly(far, waits.Data-time.Second)
		}()
		client.Greeting(t.Context())
		if err := client.Login(t.Context(), "alice", "sesame"); err != nil {
			t.Fatal(err)
		}
		want := strconv.Quote(strings.Repeat(strings.Repeat("x", 2046)+"\r\n", 20))
		if said := say(t, client, "retr 1"); said != "1 announced -1: "+want {
			t.Errorf("%.100s", said)
		}
		client.Close()
		if err := <-server; err != nil {
			t.Error(err)
		}
	})
}

// slowly serves a login and then a message in pieces of 2 KiB.
func slowly(conn net.Conn, pause time.Duration) error {
	if err := serveLogin(conn); err != nil {
		return err
	}
	for range 20 {
		<-time.After(pause)
		if _, err := io.WriteString(conn, strings.Repeat("x", 2046)+"\r\n"); err != nil {
			return err
		}
	}
	_, err := io.WriteString(conn, ".\r\n")
	return err
}

// serveLogin is a server up to the status line behind the login.
func serveLogin(conn net.Conn) error {
	buffer := make([]byte, 1000)
	for range 3 {
		if _, err := io.WriteString(conn, "+OK\r\n"); err != nil {
			return err
		}
		if _, err := conn.Read(buffer); err != nil {
			return err
		}
	}
	_, err := io.WriteString(conn, "+OK\r\n")
	return err
}

// Each reply has its own time: a server may take most of it for every DELE.
func TestManySlowReplies(t *testing.T) {
	for _, options := range []*pop3.Options{{Pipelining: pop3.PipelineOff, Timeouts: waits}, {Pipelining: pop3.PipelineOn, Timeouts: waits}} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			client := pop3.NewClient(near, options)
			go func() {
				defer far.Close()
				if serveLogin(far) != nil { // which heard the first DELE and answered
					return
				}
				go io.Copy(io.Discard, far)
				for range 29 {
					<-time.After(waits.Command - time.Second)
					if _, err := io.WriteString(far, "+OK\r\n"); err != nil {
						return
					}
				}
			}()
			client.Greeting(t.Context())
			if err := client.Login(t.Context(), "alice", "sesame"); err != nil {
				t.Fatal(err)
			}
			marked := 0
			for _, err := range client.Dele(t.Context(), each(slices.Collect(numbersTo(30))...)) {
				if err != nil {
					t.Fatalf("after %d: %v", marked, err)
				}
				marked++
			}
			client.Close()
		})
	}
}

func numbersTo(most pop3.Number) iter.Seq[pop3.Number] {
	return func(yield func(pop3.Number) bool) {
		for n := pop3.Number(1); n <= most && yield(n); n++ {
		}
	}
}

// After the reply to QUIT the client waits five seconds for the end of the
// stream and no longer, whatever the server goes on to say.
func TestQuitWaitsForTheEnd(t *testing.T) {
	for name, pause := range map[string]time.Duration{"silent": time.Hour, "drip": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				client := pop3.NewClient(near, nil)
				go func() {
					defer far.Close()
					io.WriteString(far, "+OK\r\n")
					far.Read(make([]byte, 100))
					io.WriteString(far, "+OK bye\r\n")
					for {
						<-time.After(pause)
						if _, err := far.Write([]byte{'x'}); err != nil {
							return
						}
					}
				}()
				client.Greeting(t.Context())
				start := time.Now()
				said, err := client.Quit(t.Context())
				if took := time.Since(start); took != 5*time.Second || err != nil || !strings.HasPrefix(said, "bye") {
					t.Errorf("after %v: %q, %v", took, said, err)
				}
				<-time.After(pause) // the server's goroutine sees the end
			})
		})
	}
}

// The defaults are those that the comments name.
func TestDefaultTimeouts(t *testing.T) {
	want := pop3.Timeouts{
		Dial: 30 * time.Second, TLS: 30 * time.Second, Greeting: 2 * time.Minute, Command: 2 * time.Minute,
		Login: 10 * time.Minute, Data: 5 * time.Minute, Top: time.Minute, Quit: 10 * time.Minute,
	}
	if got := (pop3.Timeouts{}).WithDefaults(); got != want {
		t.Errorf("%+v", got)
	}
	own := pop3.Timeouts{1, 2, 3, 4, 5, 6, 7, 8}
	if got := own.WithDefaults(); got != own {
		t.Errorf("%+v", got)
	}
}

//go:build linux

package endtoend

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"popmigrate/internal/realservers"
)

// rounds returns how often the program is to be stopped in a test: few, or as
// often as POPMIGRATE_KILLS says.
func rounds(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("POPMIGRATE_KILLS")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("POPMIGRATE_KILLS: %v", err)
	}
	return n
}

const stormJob = `
job "test" {
  account "alice" {
    password = "pw-alice"
  }
  source "pop3" {
    server = "@SERVER@"
    tls    = "none"
    allow_cleartext = true
  }
  sink "mbox" "archive" { dir = "archive" }
  sink "maildir" "copy" { dir = "Maildir" }
  @MORE@
  limits {
    attempts = 2
    backoff  = "50ms"
  }
  delete = "verified"
}
`

const stormLMTP = `
  sink "lmtp" "new" {
    server    = "unix:@LMTP@"
    recipient = "bob"
    mail_from = "return-path"
  }
`

// storm is a maildrop that mail keeps arriving in while the program that moves
// it is stopped in every way, again and again.
type storm struct {
	t      *testing.T
	d      *realservers.Dovecot
	job    *job
	random *rand.Rand

	kills  int // by SIGKILL: nothing could be finished
	breaks int // by a second SIGINT: what was under way was broken off
	phases map[string]int
	seen   ledgerView

	mu        sync.Mutex
	delivered tally
	letters   int
	problem   error // of delivering
}

func newStorm(t *testing.T, job string, words ...string) *storm {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	d := realservers.StartDovecot(t, "alice", "bob")
	words = append([]string{"@SERVER@", d.Addr, "@LMTP@", d.LMTP}, words...)
	// Twice, for a replaced word may hold another one.
	text := strings.NewReplacer(words...).Replace(strings.NewReplacer(words...).Replace(job))
	return &storm{t: t, d: d, random: rand.New(rand.NewPCG(seed, 1)), phases: map[string]int{},
		delivered: tally{}, job: newJob(t, text)}
}

// deliver puts one more message into alice's maildrop.
func (s *storm) deliver(octets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.letters
	content := letter(i, octets)
	if i%10 == 0 {
		content = append(content, "From here on\n>From there\n.\n..\n\n\xe4\xf6\n\n"...)
	}
	if err := s.d.Deliver("alice", fmt.Sprintf("17%08d.l%07d.test", i, i), content); err != nil {
		s.problem = err
		return
	}
	s.letters++
	s.delivered[wire(content)]++
}

// rain delivers mail in gusts until ctx ends or enough came; it closes done.
func (s *storm) rain(ctx context.Context, most int, done chan<- struct{}) {
	defer close(done)
	random := rand.New(rand.NewPCG(uint64(most), 2))
	gust := time.NewTicker(25 * time.Millisecond)
	defer gust.Stop()
	for range most {
		for range random.IntN(10) {
			s.deliver(300 + random.IntN(12_000))
		}
		select {
		case <-gust.C:
		case <-ctx.Done():
			return
		}
	}
}

// ways are how a run is stopped; each is taken as often as it stands here.
var ways = []string{"SIGKILL", "SIGKILL", "SIGKILL", "SIGKILL", "SIGSTOP", "SIGTERM", "SIGINT twice", "SIGTERM, SIGKILL"}

// round starts the program, stops it after a while, and looks where it was.
// meanwhile, where not nil, happens while it runs.
func (s *storm) round(meanwhile func()) {
	s.t.Helper()
	way := ways[s.random.IntN(len(ways))]
	c := s.job.command("run", "--quiet")
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	if meanwhile != nil {
		meanwhile()
	}
	least, most := 20, 600
	if s.random.IntN(3) == 0 { // so many get this far on a slow machine, too
		s.awaitDeleting(ended)
		least, most = 0, 150
	}
	if s.within(ended, least, most) {
		s.judge(c, &output, 0, 3, 4, 7)
		return
	}
	signal := func(signal syscall.Signal) { _ = c.Process.Signal(signal) } // it may have ended by now
	codes := []int{-1, 0, 3, 4, 7, 130}                                    // -1 for SIGTERM and SIGINT, too: nobody may have listened for them yet
	switch way {
	case "SIGKILL":
		signal(syscall.SIGKILL)
	case "SIGSTOP":
		signal(syscall.SIGSTOP)
		s.within(nil, 50, 400)
		signal(syscall.SIGCONT)
		s.within(nil, 1, 50)
		signal(syscall.SIGKILL)
	case "SIGTERM":
		signal(syscall.SIGTERM)
	case "SIGINT twice":
		signal(syscall.SIGINT)
		s.within(nil, 1, 30)
		signal(syscall.SIGINT)
		s.breaks++
	case "SIGTERM, SIGKILL":
		signal(syscall.SIGTERM)
		s.within(nil, 1, 100)
		signal(syscall.SIGKILL)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		signal(syscall.SIGQUIT)
		<-ended
		s.t.Fatalf("not ended a minute after %s:\n%s", way, output.String())
	}
	s.judge(c, &output, codes...)
	if c.ProcessState.ExitCode() == -1 {
		s.kills++
		s.phases[s.look()]++
	}
}

// awaitDeleting waits until the newest run says that it deletes, or has ended.
func (s *storm) awaitDeleting(ended chan error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	runs := filepath.Join(s.job.dir, "test.popmigrate", "runs")
	_ = realservers.Until(ctx, func() bool { // a run that never deletes is killed all the same
		select {
		case err := <-ended:
			ended <- err
			return true
		default:
		}
		entries, _ := os.ReadDir(runs)
		if len(entries) == 0 {
			return false
		}
		log, _ := os.ReadFile(filepath.Join(runs, entries[len(entries)-1].Name(), "run.log"))
		return bytes.Contains(log, []byte(": deleting"))
	})
}

// within waits between least and most milliseconds; it tells whether ended
// came first.
func (s *storm) within(ended <-chan error, least, most int) bool {
	moment := time.NewTimer(time.Duration(least+s.random.IntN(most-least)) * time.Millisecond)
	defer moment.Stop()
	select {
	case <-ended:
		return true
	case <-moment.C:
		return false
	}
}

// judge fails the test unless a run ended with one of the codes; -1 means a signal.
func (s *storm) judge(c *exec.Cmd, output *bytes.Buffer, codes ...int) {
	s.t.Helper()
	if got := c.ProcessState.ExitCode(); !slices.Contains(codes, got) {
		s.t.Fatalf("a run ended with %v\n%s", c.ProcessState, output.String())
	}
}

// settle runs the program until the server is empty, without disturbance.
func (s *storm) settle() {
	s.t.Helper()
	for run := 1; ; run++ {
		last, exit, output := s.job.attempt()
		if exit != 0 || !last.balanced() || run > 4 {
			s.t.Fatalf("final run %d: exit %d, %+v\n%s", run, exit, last, output)
		}
		if last.Listed == 0 {
			return
		}
	}
}

// check compares what was delivered with what arrived.
func (s *storm) check() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem != nil {
		s.t.Fatal(s.problem)
	}
	s.delivered.compare(s.t, "archive", fromArchive(s.t, filepath.Join(s.job.dir, "archive", "alice")))
	s.delivered.compare(s.t, "maildir", fromMaildir(s.t, filepath.Join(s.job.dir, "Maildir")))
	if left := s.d.Left("alice"); len(left) != 0 {
		s.t.Errorf("%d messages left on the server", len(left))
	}
	if out, err := s.job.command("verify").CombinedOutput(); err != nil {
		s.t.Errorf("verify: %v\n%s", err, out)
	}
}

// checkLMTP wants every message at bob's at least once, and no more extra
// copies than runs were cut short.
func (s *storm) checkLMTP() {
	s.t.Helper()
	got, extra := tally{}, 0
	for _, content := range s.d.Left("bob") {
		_, message := stripped(s.t, content)
		if got[message] > 0 {
			extra++
		} else {
			got[message]++
		}
	}
	s.delivered.compare(s.t, "delivered by LMTP", got)
	if extra > s.kills+s.breaks {
		s.t.Errorf("%d extra copies by LMTP after %d kills and %d breaks", extra, s.kills, s.breaks)
	}
	s.t.Logf("LMTP: %d extra copies", extra)
}

// report prints where the kills landed.
func (s *storm) report() {
	s.t.Helper()
	var b strings.Builder
	for _, phase := range slices.Sorted(maps.Keys(s.phases)) {
		fmt.Fprintf(&b, "%5d  %s\n", s.phases[phase], phase)
	}
	torn, _ := filepath.Glob(filepath.Join(s.job.dir, "test.popmigrate", "torn", "*"))
	temporary, _ := filepath.Glob(filepath.Join(s.job.dir, "Maildir", "tmp", "*"))
	s.t.Logf("%d messages, %d kills, %d broken off; %d torn tails moved aside, %d files left in tmp/; killed in\n%s",
		s.letters, s.kills, s.breaks, len(torn), len(temporary), b.String())
}

// weather runs n rounds while mail arrives, then lets everything settle.
func (s *storm) weather(n int, meanwhile func()) {
	s.t.Helper()
	for range 300 {
		s.deliver(2000)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go s.rain(ctx, 12*n, done)
	defer func() { cancel(); <-done }()
	for range n {
		s.round(meanwhile)
	}
	cancel()
	<-done
	s.settle()
	s.report()
	s.check()
}

// Stopped in every way at random moments while mail arrives and is deleted:
// every message once in each archive, octet for octet.
func TestStoppedWhileMailArrives(t *testing.T) {
	notShort(t)
	s := newStorm(t, stormJob, "@MORE@", "")
	s.weather(rounds(t, 15), nil)
}

// The same with a sink that cannot be read back.
func TestStoppedWhileMailIsDelivered(t *testing.T) {
	notShort(t)
	s := newStorm(t, stormJob, "@MORE@", stormLMTP)
	s.weather(rounds(t, 15), nil)
	s.checkLMTP()
}

// The same while the server, too, is ended and started again now and then.
func TestStoppedWhileTheServerRestarts(t *testing.T) {
	notShort(t)
	s := newStorm(t, stormJob, "@MORE@", "")
	s.weather(rounds(t, 12), func() {
		if s.random.IntN(4) == 0 {
			s.within(nil, 10, 300)
			s.d.Restart()
		}
	})
}

// Killed while ledger and archives are being made: the next run is not taken
// for somebody else's.
func TestStoppedAtTheBeginning(t *testing.T) {
	notShort(t)
	s := newStorm(t, stormJob, "@MORE@", "")
	for range rounds(t, 15) {
		first := s.job
		s.job = newJob(t, strings.NewReplacer("@SERVER@", s.d.Addr, "@MORE@", "").Replace(stormJob))
		s.seen, s.delivered = ledgerView{}, tally{}
		for range 5 {
			s.deliver(1000)
		}
		for range 1 + s.random.IntN(3) {
			c := s.job.command("run", "--quiet")
			var output bytes.Buffer
			c.Stdout, c.Stderr = &output, &output
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			if !s.within(ended, 5, 150) {
				_ = c.Process.Signal(syscall.SIGKILL)
				<-ended
			}
			s.judge(c, &output, -1, 0, 3, 4)
			if c.ProcessState.ExitCode() == -1 {
				s.kills++
				s.phases[s.look()]++
			}
		}
		s.settle()
		s.check()
		os.RemoveAll(first.dir)
	}
	s.report()
}

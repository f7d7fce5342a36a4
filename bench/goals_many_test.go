//go:build linux

package bench

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"popmigrate/pop3/pop3test"
)

// population starts a server in this process with so many maildrops.
func population(t *testing.T, maildrops, messages, octets int) (server *pop3test.Server, users []string, total int64) {
	t.Helper()
	server, err := pop3test.Start(pop3test.Config{NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	some := make([]pop3test.Message, messages)
	for i := range some {
		some[i].Content = letter(i, octets)
	}
	for i := range maildrops {
		user := fmt.Sprintf("user%05d", i)
		server.AddMaildrop(user, "pw-"+user, some...)
		users = append(users, user)
		for _, m := range some {
			total += int64(len(m.Content))
		}
	}
	return server, users, total
}

// Goal 5: many maildrops at once.
func TestGoalsManyMaildrops(t *testing.T) {
	wantGoals(t)
	const maildrops, messages = 2000, 20
	server, users, octets := population(t, maildrops, messages, 5000)
	w := race(t, "2,000 maildrops × 20 × 5 KB over 500 sessions", maildrops*messages, octets, min(*rounds, 3), contender{name: "popmigrate, mbox.zst", once: func() cost {
		j := job{source: clear(server.Addr()), accounts: users, sink: strings.Replace(mboxZstd, `"archive" }`, `"archive/${account.user}" }`, 1),
			limits: "sessions = 500\n sessions_per_host = 500\n login_spacing = \"0s\""}
		return run(t, j.write(t), fmt.Sprintf(`"stored":%d,"known":0`, maildrops*messages))
	}})
	m := w.of("popmigrate, mbox.zst")
	goal(t, "5: 300 MiB / peak memory, 500 sessions", float64(300<<20)/float64(m.memory()), 1)
	goal(t, "5: processors busy with popmigrate and the server (2 = all)", m.cpu().Seconds()/m.wall().Seconds(), 1)
}

// Goal 5, the other half: 5,000 sessions that are open and wait. A host is
// given one session more for each that went well, so as many maildrops of which
// each is empty come first.
func TestGoalsOpenSessions(t *testing.T) {
	wantGoals(t)
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	most := min(5000, int(files.Cur)/6-100) // six open files for a session
	memory := map[int]int64{}
	for _, n := range []int{500, most} {
		server, users, octets := population(t, n, 1, 5000)
		accounts := make([]string, n, 2*n)
		for i := range accounts {
			accounts[i] = fmt.Sprintf("empty%05d", i)
			server.AddMaildrop(accounts[i], "pw-"+accounts[i])
		}
		accounts = append(accounts, users...)
		all, open := make(chan struct{}), atomic.Int64{}
		server.SetRules(pop3test.Rule{Command: "RETR", Do: pop3test.All(pop3test.Call(func() {
			if open.Add(1) == int64(n) {
				close(all)
			}
		}), pop3test.Until(all))})
		w := race(t, fmt.Sprintf("%d sessions open at once", n), n, octets, 1, contender{name: "popmigrate, mbox", once: func() cost {
			j := job{source: clear(server.Addr()), accounts: accounts, sink: mboxPlain,
				limits: fmt.Sprintf("sessions = %d\n sessions_per_host = %d\n login_spacing = \"0s\"", n, n)}
			return run(t, j.write(t), fmt.Sprintf(`"stored":%d,"known":0`, n))
		}})
		memory[n] = w.of("popmigrate, mbox").memory()
	}
	each := float64(memory[most]-memory[500]) / float64(most-500)
	goal(t, fmt.Sprintf("5: 1 GiB / peak memory, 5,000 sessions (from 500 and %d)", most), float64(1<<30)/(float64(memory[500])+4500*each), 1)
	goal(t, fmt.Sprintf("5: 48 KiB / memory of an idle session (%.1f KiB)", each/1024), 48*1024/each, 1)
}

// Goal 6: a maildrop of a million messages.
func TestGoalsMillion(t *testing.T) {
	wantGoals(t)
	const n = 1_000_000
	server, err := pop3test.Start(pop3test.Config{NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	messages := make([]pop3test.Message, n)
	for i := range messages {
		messages[i] = pop3test.Message{Content: fmt.Appendf(nil, "Message-ID: <%d@example.org>\r\nSubject: %d\r\n\r\nshort\r\n", i, i), UniqueID: fmt.Sprintf("%08x%08x", i, i*7919)}
	}
	server.AddMaildrop("alice", "pw-alice", messages...)
	j := job{source: clear(server.Addr()), accounts: []string{"alice"}, sink: mboxZstd}
	file := j.write(t)
	first := race(t, "1,000,000 short messages, first run", n, n*60, 1, contender{name: "popmigrate, mbox.zst", once: func() cost {
		return run(t, file, fmt.Sprintf(`"stored":%d,"known":0`, n))
	}})
	again := race(t, "1,000,000 short messages, all stored already", n, n*60, min(*rounds, 3), contender{name: "popmigrate, mbox.zst", once: func() cost {
		return run(t, file, fmt.Sprintf(`"stored":0,"known":%d`, n))
	}})
	m := again.of("popmigrate, mbox.zst")
	goal(t, "6: 3 s / the resume scan", 3/m.wall().Seconds(), 1)
	goal(t, "6: 400 MiB / peak memory of the resume scan", float64(400<<20)/float64(m.memory()), 1)
	goal(t, "6: 400 MiB / peak memory of the first run", float64(400<<20)/float64(first.of("popmigrate, mbox.zst").memory()), 1)
	os.RemoveAll(file)
}

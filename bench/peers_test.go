//go:build linux

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// peer is another client that does what a goal compares with: one maildrop
// into a maildir or an mbox, nothing deleted.
type peer struct {
	name    string
	program string
	prepare func(t testing.TB, dir, host, port string) []string // writes what it needs; returns the command
}

// nobody is who getmail runs as: it refuses to be root.
const nobody = "nobody"

var peers = []peer{
	{"mpop, maildir", "mpop", mpop("maildir")},
	{"mpop, mbox", "mpop", mpop("mbox")},
	{"fetchmail, MDA that discards", "fetchmail", fetchmail},
	{"getmail, maildir", "getmail", getmail("Maildir")},
	{"getmail, mbox", "getmail", getmail("Mboxrd")},
}

func mpop(kind string) func(t testing.TB, dir, host, port string) []string {
	return func(t testing.TB, dir, host, port string) []string {
		delivery := "delivery mbox " + filepath.Join(dir, "mbox")
		if kind == "maildir" {
			delivery = "delivery maildir " + filepath.Join(dir, "Maildir")
			maildirs(t, filepath.Join(dir, "Maildir"))
		}
		put(t, filepath.Join(dir, "mpoprc"), fmt.Sprintf("account default\nhost %s\nport %s\nuser alice\npassword pw-alice\nauth user\ntls off\nkeep on\nuidls_file %s\n%s\n",
			host, port, filepath.Join(dir, "uidls"), delivery))
		return []string{"mpop", "-C", filepath.Join(dir, "mpoprc"), "-q"}
	}
}

func fetchmail(t testing.TB, dir, host, port string) []string {
	put(t, filepath.Join(dir, "fetchmailrc"), fmt.Sprintf("poll %s service %s protocol POP3 auth password uidl user alice password pw-alice keep sslproto '' mda '/bin/cat >/dev/null'\n", host, port))
	return []string{"fetchmail", "-f", filepath.Join(dir, "fetchmailrc"), "-i", filepath.Join(dir, "fetchids"), "--nodetach", "--nosyslog", "-s", "-a"}
}

func getmail(kind string) func(t testing.TB, dir, host, port string) []string {
	return func(t testing.TB, dir, host, port string) []string {
		where := filepath.Join(dir, "mbox")
		if kind == "Maildir" {
			where = filepath.Join(dir, "Maildir") + "/"
			maildirs(t, where)
		} else {
			put(t, where, "")
		}
		put(t, filepath.Join(dir, "getmailrc"), fmt.Sprintf("[retriever]\ntype = SimplePOP3Retriever\nserver = %s\nport = %s\nusername = alice\npassword = pw-alice\n[destination]\ntype = %s\npath = %s\n[options]\nread_all = true\ndelete = false\ndelivered_to = false\nreceived = false\n",
			host, port, kind, where))
		if out, err := exec.Command("chown", "-R", nobody, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return []string{"setpriv", "--reuid", nobody, "--regid", "nogroup", "--clear-groups", "getmail", "--getmaildir", dir, "--rcfile", filepath.Join(dir, "getmailrc"), "--quiet"}
	}
}

func maildirs(t testing.TB, dir string) {
	t.Helper()
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func put(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs the peer to a good end. One that failed has another go: now and
// then getmail waits in vain for a child of its own.
func (p *peer) run(t testing.TB, addr string) cost {
	t.Helper()
	spent, err := p.try(t, addr)
	if err != nil {
		t.Log(err)
		spent, err = p.try(t, addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return spent
}

// try runs the peer once in a directory of its own.
func (p *peer) try(t testing.TB, addr string) (cost, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench-peer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(addr, ":")
	words := p.prepare(t, dir, host, port)
	command := exec.Command(words[0], words[1:]...)
	command.Dir, command.Env = dir, append(os.Environ(), "HOME="+dir)
	output, spent, err := timed(command)
	if err != nil {
		err = fmt.Errorf("%s: %w\n%.2000s", p.name, err, output)
	}
	return spent, err
}

// installed tells whether the peer's program is there.
func (p *peer) installed() bool {
	_, err := exec.LookPath(p.program)
	return err == nil
}

package realservers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// places are files and directories that a program is to see in place of the
// system's: the key is the system's path, the value what stands there instead.
// Servers with built-in paths need it.
type places map[string]string

// around returns the command that runs another one in a mount namespace of its
// own, in which the places are changed. Nobody else sees them changed.
func (p places) around(t testing.TB, command ...string) []string {
	t.Helper()
	need(t, "unshare", "mount")
	var script strings.Builder
	targets := make([]string, 0, len(p))
	for target := range p {
		targets = append(targets, target)
	}
	sort.Strings(targets)
	for _, target := range targets {
		fmt.Fprintf(&script, "mount --bind '%s' '%s' || exit 71\n", p[target], target)
	}
	script.WriteString(`exec "$@"`)
	return append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script.String(), "sh"}, command...)
}

// needNamespaces skips the test where the system forbids mount namespaces.
func needNamespaces(t testing.TB) {
	t.Helper()
	need(t, "unshare")
	if out, err := exec.Command("unshare", "--mount", "--propagation", "private", "true").CombinedOutput(); err != nil {
		Skip(t, fmt.Sprintf("no mount namespace can be made here (%v %s)", err, out))
	}
}

// accounts are copies of the system's user databases with the test's users
// added, for servers that know no other users than the system's.
type accounts struct {
	home  string // of all users: a directory for each
	ids   map[string]int
	group int
	at    places
}

// systemUsers writes accounts for the users and for a daemon of a package that
// was unpacked only.
func systemUsers(t testing.TB, dir, daemon string, users ...string) *accounts {
	t.Helper()
	need(t, "openssl")
	a := &accounts{home: filepath.Join(dir, "home"), ids: map[string]int{}, group: mailUID, at: places{}}
	read := func(name string) *strings.Builder {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		b.Write(content)
		return &b
	}
	passwd, shadow, group := read("/etc/passwd"), read("/etc/shadow"), read("/etc/group")
	fmt.Fprintf(group, "realservers:x:%d:\n", a.group)
	if daemon != "" {
		fmt.Fprintf(passwd, "%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", daemon, mailUID-1, a.group)
		fmt.Fprintf(shadow, "%s:*:20000:0:99999:7:::\n", daemon)
	}
	for i, user := range users {
		id, home := mailUID+1+i, filepath.Join(a.home, user)
		a.ids[user] = id
		makeDir(t, home, id, a.group)
		hash, err := exec.Command("openssl", "passwd", "-6", Password(user)).Output()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(passwd, "%s:x:%d:%d::%s:/bin/sh\n", user, id, a.group, home)
		fmt.Fprintf(shadow, "%s:%s:20000:0:99999:7:::\n", user, strings.TrimSpace(string(hash)))
	}
	for name, text := range map[string]*strings.Builder{"passwd": passwd, "shadow": shadow, "group": group} {
		copied := filepath.Join(dir, "etc", name)
		write(t, copied, []byte(text.String()))
		a.at["/etc/"+name] = copied
	}
	if err := os.Chmod(filepath.Join(dir, "etc", "shadow"), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// service lets a server that uses PAM ask for the users' passwords.
func (a *accounts) service(t testing.TB, dir, name string) {
	t.Helper()
	copied := filepath.Join(dir, "pam.d")
	if out, err := exec.Command("cp", "-r", "/etc/pam.d", copied).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	write(t, filepath.Join(copied, name), []byte("auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n"))
	a.at["/etc/pam.d"] = copied
}

// spool puts an empty directory in place of /var/mail and returns it with what
// fills an mbox in it.
func (a *accounts) spool(t testing.TB, dir string) (fill func(t testing.TB, user string, messages ...[]byte)) {
	t.Helper()
	_, gid := userID(t, "mail")
	mail := filepath.Join(dir, "mail")
	makeDir(t, mail, 0, gid)
	if err := os.Chmod(mail, 0o777|os.ModeSetgid|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	a.at["/var/mail"] = mail
	return func(t testing.TB, user string, messages ...[]byte) {
		t.Helper()
		fillMbox(t, filepath.Join(mail, user), a.ids[user], gid, messages...)
	}
}

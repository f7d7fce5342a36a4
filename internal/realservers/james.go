package realservers

import (
	"bufio"
	"bytes"
	"embed"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

//go:embed james/conf
var jamesConf embed.FS

// StartJames runs Apache James with its mail in memory. Its unique-ids are
// small numbers that count up.
func StartJames(t testing.TB, users ...string) *POP3 {
	t.Helper()
	needJava(t)
	jars := filepath.Dir(unpacked(t, "james", "lib", "james-server-memory-app-3.8.1.jar"))
	p, dir, plain, secure := newPOP3(t, true)
	imap, admin := freePort(t), freePort(t)
	configureJames(t, dir, strings.NewReplacer("@PLAIN@", plain, "@TLS@", secure, "@IMAP@", imap, "@ADMIN@", admin))
	server := startIn(t, dir, loopback(admin), []string{"java", "-Xmx256m", "-cp", filepath.Join(jars, "*"),
		"-Dworking.directory=" + dir + "/", "org.apache.james.MemoryJamesServerMain"})
	for _, address := range []string{p.Addr, p.TLSAddr, loopback(imap)} {
		server.await("tcp", address)
	}
	p.Log = server.wrote
	for _, user := range users {
		addJamesUser(t, loopback(admin), user)
	}
	p.Fill = func(t testing.TB, user string, messages ...[]byte) {
		t.Helper()
		if err := appendByIMAP(loopback(imap), user, messages); err != nil {
			t.Fatalf("fill %s: %v", user, err)
		}
	}
	return p
}

// configureJames writes its configuration below dir.
func configureJames(t testing.TB, dir string, values *strings.Replacer) {
	t.Helper()
	conf := filepath.Join(dir, "conf")
	makeDir(t, conf, 0, 0)
	entries, err := jamesConf.ReadDir("james/conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := jamesConf.ReadFile("james/conf/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(conf, entry.Name()), []byte(values.Replace(string(text))))
	}
	for _, name := range []string{"cert.pem", "key.pem"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(conf, name), text)
	}
}

// addJamesUser makes an account by the administration's HTTP interface.
func addJamesUser(t testing.TB, address, user string) {
	t.Helper()
	body := strings.NewReader(fmt.Sprintf(`{"password":%q}`, Password(user)))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+address+"/users/"+user, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("make user %s: %s: %s", user, response.Status, text)
	}
}

// appendByIMAP puts messages, with LF line ends, into a user's INBOX as they
// are but for CRLF line ends, which IMAP wants (RFC 9051 section 6.3.12).
func appendByIMAP(address, user string, messages [][]byte) error {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	replies := bufio.NewReader(conn)
	until := func(prefix string) error {
		for {
			line, err := replies.ReadString('\n')
			switch {
			case err != nil:
				return err
			case strings.HasPrefix(line, prefix):
				return nil
			case !strings.HasPrefix(line, "* "):
				return fmt.Errorf("server said %q, want %q", line, prefix)
			}
		}
	}
	fmt.Fprintf(conn, "a LOGIN %s %s\r\n", user, Password(user))
	if err := until("a OK"); err != nil {
		return err
	}
	for _, content := range messages {
		content = bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n"))
		fmt.Fprintf(conn, "b APPEND INBOX {%d}\r\n", len(content))
		if err := until("+"); err != nil {
			return err
		}
		if _, err := conn.Write(append(content, "\r\n"...)); err != nil {
			return err
		}
		if err := until("b OK"); err != nil {
			return err
		}
	}
	return nil
}

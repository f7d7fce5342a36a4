package realservers

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// StartNginx runs nginx's mail proxy in front of a server.
func StartNginx(t testing.TB, behind *POP3) *POP3 {
	t.Helper()
	need(t, "nginx")
	if _, err := os.Stat("/usr/lib/nginx/modules/ngx_mail_module.so"); err != nil {
		Skip(t, "libnginx-mod-mail is not installed")
	}
	p, dir, plain, secure := newPOP3(t, true)
	judge := httptest.NewServer(&nginxJudge{behind: behind.Addr})
	t.Cleanup(judge.Close)
	config := filepath.Join(dir, "nginx.conf")
	write(t, config, []byte(strings.NewReplacer("@DIR@", dir, "@PLAIN@", plain, "@TLS@", secure, "@JUDGE@", judge.Listener.Addr().String()).Replace(nginxConfig)))
	server := startIn(t, dir, p.Addr, []string{"nginx", "-e", filepath.Join(dir, "error.log"), "-p", dir + "/", "-c", config})
	server.await("tcp", p.TLSAddr)
	p.Log, p.Fill = logFile(filepath.Join(dir, "error.log")), behind.Fill
	return p
}

const nginxConfig = `load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
worker_processes 1;
user www-data;
pid @DIR@/pid;
error_log @DIR@/error.log info;
events { worker_connections 1024; }
mail {
  server_name localhost;
  auth_http @JUDGE@/auth;
  pop3_auth plain apop cram-md5;
  pop3_capabilities TOP USER UIDL;
  proxy on;
  proxy_pass_error_message on;
  ssl_certificate @DIR@/cert.pem;
  ssl_certificate_key @DIR@/key.pem;
  server { listen 127.0.0.1:@PLAIN@; protocol pop3; starttls on; }
  server { listen 127.0.0.1:@TLS@ ssl; protocol pop3; }
}
`

// nginxJudge is the HTTP server that nginx asks about each login.
type nginxJudge struct{ behind string }

func (j *nginxJudge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, _ := url.PathUnescape(r.Header.Get("Auth-User"))
	given, _ := url.PathUnescape(r.Header.Get("Auth-Pass"))
	secret, salt := Password(user), r.Header.Get("Auth-Salt")
	good := false
	switch r.Header.Get("Auth-Method") {
	case "plain":
		good = given == secret
	case "apop":
		sum := md5.Sum([]byte(salt + secret))
		good = strings.EqualFold(given, hex.EncodeToString(sum[:]))
	case "cram-md5":
		mac := hmac.New(md5.New, []byte(secret))
		mac.Write([]byte(salt))
		good = strings.EqualFold(given, hex.EncodeToString(mac.Sum(nil)))
	}
	head := w.Header()
	if !good {
		head.Set("Auth-Status", "Invalid login or password")
		return
	}
	host, port, _ := net.SplitHostPort(j.behind)
	for name, value := range map[string]string{"Auth-Status": "OK", "Auth-Server": host, "Auth-Port": port, "Auth-User": user, "Auth-Pass": secret} {
		head.Set(name, value)
	}
}

// StartPerdition runs the proxy perdition in front of a server.
func StartPerdition(t testing.TB, behind *POP3) *POP3 {
	t.Helper()
	need(t, "perdition")
	p, dir, plain, secure := newPOP3(t, true)
	_, port, _ := net.SplitHostPort(behind.Addr)
	config := filepath.Join(dir, "perdition.conf")
	write(t, config, nil)
	for _, c := range []struct{ protocol, port, mode string }{{"POP3", plain, "tls_listen"}, {"POP3S", secure, "ssl_listen"}} {
		server := startIn(t, dir, loopback(c.port), []string{"perdition", "--no_daemon", "--config_file", config,
			"--pid_file", filepath.Join(dir, fmt.Sprintf("%s.pid", c.protocol)), "--protocol", c.protocol,
			"--bind_address", "127.0.0.1", "--listen_port", c.port, "--outgoing_server", "127.0.0.1", "--outgoing_port", port,
			"--ssl_mode", c.mode, "--ssl_cert_file", filepath.Join(dir, "cert.pem"), "--ssl_key_file", filepath.Join(dir, "key.pem"),
			"--ssl_no_cert_verify", "--map_library", "", "--no_lookup", "--username", "nobody", "--group", "nogroup"})
		p.Log = server.wrote
	}
	p.Fill = behind.Fill
	return p
}

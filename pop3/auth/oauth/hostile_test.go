package oauth

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status    int
		kind      string
		body      string
		retryable bool
		want      string
	}{
		"invalid_client":     {401, "application/json", `{"error":"invalid_client","error_description":"AADSTS7000215: no"}`, false, `invalid_client "AADSTS7000215: no"`},
		"error behind 200":   {200, "application/json", `{"error":"invalid_grant"}`, false, "invalid_grant"},
		"server error":       {500, "text/html", "<html>hush-client-secret-0123456789", true, "(HTTP status 500)"},
		"bad gateway":        {502, "application/json", `{"error":"invalid_client"}`, true, "invalid_client"},
		"unavailable":        {400, "application/json", `{"error":"temporarily_unavailable"}`, true, "temporarily_unavailable"},
		"page":               {200, "text/html", "<html><body>Welcome to the hotel", false, "no answer to a request for a token"},
		"not found":          {404, "text/html", "<html>", false, "check the endpoint's URL (HTTP status 404)"},
		"empty":              {200, "application/json", "", false, "no answer to a request for a token"},
		"no token":           {200, "application/json", `{"token_type":"Bearer"}`, false, "no answer to a request for a token"},
		"redirect":           {302, "text/html", "", false, "not followed"},
		"line end in token":  {200, "application/json", `{"access_token":"a\r\nQUIT"}`, false, "characters that no token has"},
		"token without end":  {200, "application/json", `{"access_token":"` + strings.Repeat("a", maxToken+1) + `"}`, false, "too long"},
		"wrong life":         {200, "application/json", `{"access_token":"a","expires_in":"soon"}`, false, "no answer to a request for a token"},
		"form":               {400, "application/x-www-form-urlencoded", "error=invalid_scope&error_description=no+such", false, `invalid_scope "no such"`},
		"terminal sequences": {400, "application/json", `{"error":"\u001b]0;x\u0007invalid","error_description":"a\u202eb\r\nc"}`, false, `]0;x invalid "a b c"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint(t, func(_ int, _ url.Values, w http.ResponseWriter) {
					w.Header().Set("Content-Type", c.kind)
					w.Header().Set("Location", "http://localhost/elsewhere")
					w.WriteHeader(c.status)
					io.WriteString(w, c.body)
				})
				after := time.Duration(0)
				if c.retryable {
					after = shortestPause
				}
				for _, grant := range []Grant{ClientCredentials, RefreshToken} {
					wantError(t, e.source(t, grant, nil), "alice", "", c.retryable, after, "localhost", c.want)
				}
				if e.count() != 2 {
					t.Errorf("asked %d times", e.count())
				}
			})
		})
	}
}

func TestEndlessBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(_ int, _ url.Values, w http.ResponseWriter) {
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		})
		wantError(t, e.source(t, ClientCredentials, nil), "alice", "", true, shortestPause, "longer than 65536 octets")
	})
}

func TestSlowDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(_ int, _ url.Values, w http.ResponseWriter) {
			for {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			}
		})
		began := time.Now()
		for _, grant := range []Grant{ClientCredentials, ServiceAccount, DeviceCode} {
			s := e.source(t, grant, func(c *Config) { c.Key = testKey(t, "") })
			wantError(t, s, "alice", "", true, shortestPause, "no complete answer within 30s")
		}
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	for _, grant := range []Grant{ClientCredentials, ServiceAccount} {
		s, err := New(Config{Grant: grant, TokenURL: "http://" + address + "/token?x=hush", ClientID: "c", ClientSecret: text(clientSecret), Key: testKey(t, "")})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, s, "alice", "", true, shortestPause, "get token from "+address+": ")
	}
}

func TestCertificate(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { give(w, "t", 3600) }))
	defer server.Close()
	server.Config.ErrorLog = nil
	config := Config{Grant: ClientCredentials, TokenURL: server.URL, ClientID: "c", ClientSecret: text(clientSecret)}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, s, "alice", "", false, 0, "certificate")
	config.Transport = server.Client().Transport
	if s, err = New(config); err != nil {
		t.Fatal(err)
	}
	wantToken(t, s, "alice", "", "t")
}

func TestCheckURL(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"https://login.example.net/token": true, "http://localhost:8080/t": true, "http://127.9.9.9/": true, "http://[::1]:1/": true,
		"http://login.example.net/token": false, "http://localhost.example.net/": false, "http://127.0.0.1.example.net/": false,
		"https://a:hush@example.net/": false, "login.example.net": false, "": false, "https:token": false, "ftp://localhost/": false,
		"https:///token": false, "\x00": false,
	} {
		err := CheckURL(endpoint)
		if (err == nil) != ok {
			t.Errorf("%q: %v", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	for want, config := range map[string]Config{
		"the token URL is missing\ngrant refresh_token: the client id is missing": {Grant: RefreshToken, Refresh: func(context.Context, string) (string, error) { return "", nil }},
		"the refresh token": {Grant: RefreshToken, TokenURL: "https://x/", ClientID: "c"},
		"the client secret": {Grant: ClientCredentials, TokenURL: "https://x/", ClientID: "c"},
		"the device URL":    {Grant: DeviceCode, TokenURL: "https://x/", ClientID: "c"},
		"the prompt":        {Grant: DeviceCode, TokenURL: "https://x/", ClientID: "c", DeviceURL: "https://x/"},
		"the key":           {Grant: ServiceAccount},
		"the program":       {Grant: Command},
		"unknown":           {Grant: "password"},
		"https is required": {Grant: DeviceCode, TokenURL: "https://x/", ClientID: "c", DeviceURL: "http://x/", Prompt: func(Prompt) {}},
	} {
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain text": "plain text", " a\t\r\nb ": "a b", "\xff\xfe": "?", strings.Repeat("x", 400): strings.Repeat("x", 300) + "…",
		strings.Repeat("é", 300): strings.Repeat("é", 300), "": "",
	} {
		if got := clean(in, maxText); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

package oauth

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rotating gives a new refresh token with each answer and takes each but once.
type rotating struct {
	mu    sync.Mutex
	valid map[string]bool
}

func (r *rotating) answer(n int, form url.Values, w http.ResponseWriter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	token := form.Get("refresh_token")
	if !r.valid[token] {
		refuse(w, 400, "invalid_grant", "")
		return
	}
	delete(r.valid, token)
	next := fmt.Sprintf("hush-rotated-%d", n)
	r.valid[next] = true
	give(w, fmt.Sprintf("t%d", n), 3600, "refresh_token", next)
}

func TestRotationInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rotating{valid: map[string]bool{firstRefresh + "alice": true}}
		e := newEndpoint(t, r.answer)
		s := e.source(t, RefreshToken, nil)
		for i, rejected := range []string{"", "t1", "t2"} {
			wantToken(t, s, "alice", rejected, fmt.Sprintf("t%d", i+1))
		}
	})
}

func TestRotationInFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	synctest.Test(t, func(t *testing.T) {
		r := &rotating{valid: map[string]bool{firstRefresh + "alice": true, firstRefresh + "bob": true}}
		e := newEndpoint(t, r.answer)
		withFile := func(c *Config) { c.TokenFile = path }
		s := e.source(t, RefreshToken, withFile)
		wantToken(t, s, "alice", "", "t1")
		wantToken(t, s, "bob", "", "t2")
		s = e.source(t, RefreshToken, withFile) // the next run
		wantToken(t, s, "alice", "", "t3")
		info, err := os.Stat(path)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		// The user allowed it anew: what the file has is worthless now.
		r.mu.Lock()
		r.valid = map[string]bool{firstRefresh + "alice": true}
		r.mu.Unlock()
		s = e.source(t, RefreshToken, withFile)
		wantToken(t, s, "alice", "", "t5")
		s = e.source(t, RefreshToken, withFile)
		wantToken(t, s, "alice", "", "t6")
	})
}

func TestTokenFileThatCannotBeTrusted(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cases := map[string]string{
		write("text", "hush", 0o600):           "not a token file",
		write("later", `{"version":2}`, 0o600): "not a token file",
		dir:                                    "not a regular file",
		filepath.Join(dir, "none", "tokens"):   "write token file",
		write("empty", `{"version":1}`, 0o600): "",
		write("wrong", `{"version":1,"refresh_tokens":[]}`, 0o600): "not a token file",
	}
	if runtime.GOOS != "windows" {
		cases[write("open", `{"version":1}`, 0o644)] = "chmod 600"
	}
	synctest.Test(t, func(t *testing.T) {
		for path, want := range cases {
			r := &rotating{valid: map[string]bool{firstRefresh + "alice": true}}
			s := newEndpoint(t, r.answer).source(t, RefreshToken, func(c *Config) { c.TokenFile = path })
			if want == "" {
				wantToken(t, s, "alice", "", "t1")
				continue
			}
			wantError(t, s, "alice", "", false, 0, "token file", want)
		}
	})
}

// devices is a device endpoint beside a token endpoint.
func devices(interval, expires int, poll func(n int, w http.ResponseWriter)) func(int, url.Values, http.ResponseWriter) {
	polls := 0
	return func(_ int, form url.Values, w http.ResponseWriter) {
		switch {
		case form.Get("refresh_token") != "":
			give(w, "refreshed", 3600)
		case form.Get("device_code") != "":
			polls++
			poll(polls, w)
		default:
			json.NewEncoder(w).Encode(map[string]any{"device_code": "hush-device-code-1234", "user_code": "ABCD\r\n-EFGH",
				"verification_uri": "https://example.net/device", "expires_in": expires, "interval": interval})
		}
	}
}

func TestDeviceCode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	synctest.Test(t, func(t *testing.T) {
		answers := []string{"authorization_pending", "slow_down", "503", "authorization_pending", ""}
		e := newEndpoint(t, devices(5, 900, func(n int, w http.ResponseWriter) {
			switch answer := answers[n-1]; answer {
			case "":
				give(w, "allowed", 3600, "refresh_token", "hush-refresh")
			case "503":
				w.WriteHeader(503)
			default:
				refuse(w, 400, answer, "")
			}
		}))
		var prompts []Prompt
		change := func(c *Config) {
			c.TokenFile = path
			c.Prompt = func(p Prompt) { prompts = append(prompts, p) }
		}
		s := e.source(t, DeviceCode, change)
		began := time.Now()
		wantToken(t, s, "alice", "", "allowed")
		if took := time.Since(began); took < 25*time.Second || took > time.Minute {
			t.Errorf("took %s", took)
		}
		if len(prompts) != 1 || prompts[0].UserCode != "ABCD -EFGH" || prompts[0].URL != "https://example.net/device" || prompts[0].User != "alice" {
			t.Errorf("prompts %+v", prompts)
		}
		wantToken(t, e.source(t, DeviceCode, change), "alice", "", "refreshed") // the next run asks nobody
		if len(prompts) != 1 {
			t.Errorf("prompts %+v", prompts)
		}
	})
}

func TestDeviceCodeNobodyComes(t *testing.T) {
	for interval, expires := range map[int]int{-1: 60, 0: 0, -1 << 40: 1 << 30} {
		synctest.Test(t, func(t *testing.T) {
			pending := func(_ int, w http.ResponseWriter) { refuse(w, 400, "authorization_pending", "") }
			e := newEndpoint(t, devices(interval, expires, pending))
			began := time.Now()
			wantError(t, e.source(t, DeviceCode, nil), "alice", "", false, 0, "localhost", "nobody allowed the login in time")
			if took := time.Since(began); took > allowWithin {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestDeviceCodeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		denied := func(_ int, w http.ResponseWriter) { refuse(w, 400, "access_denied", "hush-device-code-1234") }
		e := newEndpoint(t, devices(1<<40, 900, denied))
		began := time.Now()
		wantError(t, e.source(t, DeviceCode, nil), "alice", "", false, 0, "access_denied")
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("an interval of centuries was believed: took %s", took)
		}
	})
}

func TestOnePromptAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := 0
		e := newEndpoint(t, devices(5, 900, func(n int, w http.ResponseWriter) {
			open--
			give(w, fmt.Sprintf("t%d", n), 3600)
		}))
		s := e.source(t, DeviceCode, func(c *Config) {
			c.Prompt = func(Prompt) {
				if open++; open > 1 {
					t.Error("two prompts at once")
				}
			}
		})
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() { s.Token(t.Context(), fmt.Sprint("user", i), "") })
		}
		wg.Wait()
	})
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// testKey returns a key file; tokenURL "" means the tests' endpoint.
func testKey(t *testing.T, tokenURL string) func(context.Context) ([]byte, error) {
	if tokenURL == "" {
		tokenURL = "http://localhost/token"
	}
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "migrate@project.example", "private_key_id": "k1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokenURL,
	})
	return func(context.Context) ([]byte, error) { return data, err }
}

// openAssertion verifies a signed assertion (RFC 7515 section 5.2) and reads its parts.
func openAssertion(assertion string, header, claims any) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return fmt.Errorf("%d parts", len(parts))
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return err
		}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return errors.Join(
		rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, sum[:], decoded[2]),
		json.Unmarshal(decoded[0], header),
		json.Unmarshal(decoded[1], claims))
}

func TestServiceAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(_ int, form url.Values, w http.ResponseWriter) {
			var header struct{ Alg, Kid string }
			var claims struct{ Iss, Scope, Aud, Sub string }
			err := openAssertion(form.Get("assertion"), &header, &claims)
			if header.Alg != "RS256" || header.Kid != "k1" {
				t.Errorf("header %+v", header)
			}
			if err != nil || claims.Iss != "migrate@project.example" || claims.Scope != "mail offline" || claims.Aud != "http://localhost/token" {
				t.Errorf("claims %+v, %v", claims, err)
			}
			if grant := form.Get("grant_type"); grant != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
				t.Errorf("grant %q", grant)
			}
			give(w, "for-"+claims.Sub, 3600)
		})
		s := e.source(t, ServiceAccount, func(c *Config) { c.Key, c.TokenURL = testKey(t, ""), "" })
		wantToken(t, s, "alice@example.net", "", "for-alice@example.net")
		wantToken(t, s, "bob@example.net", "", "for-bob@example.net")
		wantToken(t, s, "alice@example.net", "", "for-alice@example.net")
		if e.count() != 2 {
			t.Errorf("asked %d times", e.count())
		}
		e.answer = func(_ int, _ url.Values, w http.ResponseWriter) {
			refuse(w, 401, "unauthorized_client", "Client is unauthorized")
		}
		wantError(t, s, "carol@example.net", "", false, 0, `localhost: unauthorized_client "Client is unauthorized"`, "domain-wide delegation")
	})
}

func TestServiceAccountKeys(t *testing.T) {
	for want, key := range map[string]func(context.Context) ([]byte, error){
		"not the JSON key":  text2("hush"),
		"JSON key of a":     text2(`{"type":"authorized_user","client_email":"a","private_key":"b"}`),
		"must be RSA":       text2(`{"type":"service_account","client_email":"a","private_key":"hush","token_uri":"https://localhost/"}`),
		"https is required": testKey(t, "http://oauth2.example.net/token"),
		"an endpoint is":    text2(`{"type":"service_account","client_email":"a","private_key":"hush"}`),
		"unreadable":        func(context.Context) ([]byte, error) { return nil, errors.New("unreadable") },
	} {
		s, err := New(Config{Grant: ServiceAccount, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, s, "alice", "", false, 0, "get token by key: ", want)
	}
}

func text2(value string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(value), nil }
}

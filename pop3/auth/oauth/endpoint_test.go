package oauth

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"popmigrate/pop3/auth"
)

var _ auth.TokenSource = (*Source)(nil)

const (
	clientSecret = "hush-client-secret-0123456789"
	firstRefresh = "hush-refresh-token-0123456789"
)

// endpoint is a token endpoint inside the test. Its connections are pipes, so
// that it runs under a synctest clock.
type endpoint struct {
	mu       sync.Mutex
	requests []url.Values
	headers  []http.Header
	answer   func(n int, form url.Values, w http.ResponseWriter) // n counts from 1
	conns    chan net.Conn
	server   *http.Server
	serving  sync.WaitGroup
	closed   sync.Once
}

func newEndpoint(t *testing.T, answer func(n int, form url.Values, w http.ResponseWriter)) *endpoint {
	e := &endpoint{answer: answer, conns: make(chan net.Conn)}
	e.server = &http.Server{Handler: e}
	done := make(chan struct{})
	go func() { defer close(done); e.server.Serve(e) }()
	t.Cleanup(func() { e.server.Close(); <-done; e.serving.Wait() })
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.serving.Add(1)
	defer e.serving.Done()
	r.ParseForm()
	e.mu.Lock()
	e.requests = append(e.requests, r.PostForm)
	e.headers = append(e.headers, r.Header)
	n, answer := len(e.requests), e.answer
	e.mu.Unlock()
	answer(n, r.PostForm, w)
}

// Accept makes the endpoint its own listener.
func (e *endpoint) Accept() (net.Conn, error) {
	conn, ok := <-e.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (e *endpoint) Close() error {
	e.closed.Do(func() { close(e.conns) })
	return nil
}

func (e *endpoint) Addr() net.Addr { return &net.TCPAddr{} }

// transport reaches the endpoint under any name.
func (e *endpoint) transport(t *testing.T) http.RoundTripper {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case e.conns <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.requests)
}

func (e *endpoint) form(n int) url.Values {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests[n-1]
}

// source returns a source for the endpoint; change completes the config.
func (e *endpoint) source(t *testing.T, grant Grant, change func(*Config)) *Source {
	t.Helper()
	config := Config{
		Grant: grant, TokenURL: "http://localhost/token", DeviceURL: "http://localhost/device", ClientID: "client",
		ClientSecret: text(clientSecret), Scopes: []string{"mail", "offline"}, Transport: e.transport(t),
		Refresh: func(_ context.Context, user string) (string, error) { return firstRefresh + user, nil },
		Prompt:  func(Prompt) {},
	}
	if change != nil {
		change(&config)
	}
	source, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func text(value string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return value, nil }
}

// give answers with a token.
func give(w http.ResponseWriter, token string, seconds int, more ...string) {
	body := map[string]any{"access_token": token, "token_type": "Bearer"}
	if seconds != 0 {
		body["expires_in"] = seconds
	}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(body)
}

// refuse answers with an OAuth2 error.
func refuse(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
}

func wantToken(t *testing.T, s *Source, user, rejected, want string) {
	t.Helper()
	if got, err := s.Token(t.Context(), user, rejected); err != nil || got != want {
		t.Errorf("%s after %q: got %q, %v, want %q", user, rejected, got, err, want)
	}
}

// wantError checks a failure and that it holds no secret.
func wantError(t *testing.T, s *Source, user, rejected string, retryable bool, after time.Duration, words ...string) *Error {
	t.Helper()
	got, err := s.Token(t.Context(), user, rejected)
	failure, ok := err.(*Error)
	if !ok || got != "" {
		t.Fatalf("got %q, %v, want an *Error", got, err)
	}
	if failure.Temporary() != retryable || failure.RetryAfter() != after {
		t.Errorf("retryable %t after %s, want %t after %s: %v", failure.Retryable, failure.After, retryable, after, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q lacks %q", err, word)
		}
	}
	if shown := err.Error(); strings.Contains(shown, "hush") || strings.ContainsAny(shown, "\r\n\x1b\x00") || len(shown) > 1500 {
		t.Errorf("shows too much: %q", shown)
	}
	return failure
}

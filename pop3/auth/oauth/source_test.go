package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// numbered gives tokens t1, t2… that live for an hour.
func numbered(n int, _ url.Values, w http.ResponseWriter) { give(w, fmt.Sprintf("t%d", n), 3600) }

func TestRenewedBeforeExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, numbered)
		s := e.source(t, RefreshToken, nil)
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{0, "t1"}, {54 * time.Minute, "t1"}, {time.Minute, "t2"}, {54 * time.Minute, "t2"}, {10 * time.Hour, "t3"}} {
			time.Sleep(step.wait) // the bubble's clock
			wantToken(t, s, "alice", "", step.want)
		}
		form := e.form(1)
		for name, want := range map[string]string{
			"grant_type": "refresh_token", "refresh_token": firstRefresh + "alice", "client_id": "client", "client_secret": clientSecret,
		} {
			if form.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, form.Get(name), want)
			}
		}
	})
}

func TestLifeNotStated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(n int, _ url.Values, w http.ResponseWriter) { give(w, fmt.Sprintf("t%d", n), 0) })
		s := e.source(t, ClientCredentials, nil)
		wantToken(t, s, "alice", "", "t1")
		time.Sleep(3 * time.Minute)
		wantToken(t, s, "alice", "", "t1")
		time.Sleep(time.Minute)
		wantToken(t, s, "alice", "", "t2")
	})
}

func TestEndpointFailsWhileTheTokenIsStillGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(n int, form url.Values, w http.ResponseWriter) {
			if n == 1 {
				numbered(n, form, w)
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		s := e.source(t, RefreshToken, nil)
		wantToken(t, s, "alice", "", "t1")
		time.Sleep(56 * time.Minute)
		wantToken(t, s, "alice", "", "t1")
		wantError(t, s, "alice", "t1", true, shortestPause, "localhost", "503")
		time.Sleep(5 * time.Minute)
		wantError(t, s, "alice", "", true, shortestPause, "localhost", "503")
	})
}

func TestManySessionsAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(n int, form url.Values, w http.ResponseWriter) {
			time.Sleep(time.Second)
			numbered(n, form, w)
		})
		s := e.source(t, ClientCredentials, nil)
		all := func(rejected, want string) {
			var wg sync.WaitGroup
			for i := range 500 {
				wg.Go(func() { wantToken(t, s, fmt.Sprint("user", i), rejected, want) })
			}
			wg.Wait()
		}
		all("", "t1")
		all("t1", "t2") // expired early: each session says so, one asks
		if e.count() != 2 {
			t.Errorf("asked %d times", e.count())
		}
		if scope := e.form(1).Get("scope"); scope != "mail offline" {
			t.Errorf("scope is %q", scope)
		}
	})
}

func TestPerUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(_ int, form url.Values, w http.ResponseWriter) {
			give(w, "for-"+strings.TrimPrefix(form.Get("refresh_token"), firstRefresh), 3600)
		})
		s := e.source(t, RefreshToken, nil)
		var wg sync.WaitGroup
		for i := range 200 {
			user := fmt.Sprint("user", i%20)
			wg.Go(func() { wantToken(t, s, user, "", "for-"+user) })
		}
		wg.Wait()
		if e.count() != 20 {
			t.Errorf("asked %d times", e.count())
		}
	})
}

func TestRejectedIsNeverGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := []string{"a", "b", "a", "b", "c"}
		e := newEndpoint(t, func(n int, _ url.Values, w http.ResponseWriter) { give(w, tokens[n-1], 3600) })
		s := e.source(t, ClientCredentials, nil)
		wantToken(t, s, "alice", "", "a")
		wantToken(t, s, "alice", "a", "b")
		wantError(t, s, "alice", "b", false, 0, "localhost", "the same token came again") // a
		wantToken(t, s, "bob", "", "a")                                                   // who has nothing against it
		wantError(t, s, "alice", "", false, 0, "the same token came again")               // b
		wantToken(t, s, "alice", "", "c")
	})
}

func TestHeldUpSessionCanLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		e := newEndpoint(t, func(n int, form url.Values, w http.ResponseWriter) { <-release; numbered(n, form, w) })
		s := e.source(t, ClientCredentials, nil)
		first := make(chan string)
		go func() { token, _ := s.Token(t.Context(), "alice", ""); first <- token }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Token(ctx, "bob", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting: %v", err)
		}
		close(release)
		if token := <-first; token != "t1" {
			t.Errorf("the first got %q", token)
		}
		alone := e.source(t, RefreshToken, nil)
		e.answer = func(int, url.Values, http.ResponseWriter) { <-ctx.Done(); <-t.Context().Done() }
		ctx2, cancel2 := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel2() }()
		if _, err := alone.Token(ctx2, "bob", ""); !errors.Is(err, context.Canceled) {
			t.Errorf("asking: %v", err)
		}
		e.mu.Lock()
		e.answer = numbered
		e.mu.Unlock()
		if token, err := alone.Token(t.Context(), "bob", ""); err != nil || token == "" {
			t.Errorf("an interrupted request is remembered as a failure: %v", err)
		}
	})
}

func TestTooManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(n int, form url.Values, w http.ResponseWriter) {
			if n == 1 {
				w.Header().Set("Retry-After", "90")
				refuse(w, http.StatusTooManyRequests, "slow", "")
				return
			}
			numbered(n, form, w)
		})
		s := e.source(t, RefreshToken, nil)
		wantError(t, s, "alice", "", true, 90*time.Second, "slow")
		time.Sleep(30 * time.Second)
		wantError(t, s, "alice", "", true, time.Minute, "slow")
		wantError(t, s, "bob", "", true, time.Minute, "slow") // it means the client
		if e.count() != 1 {
			t.Errorf("asked %d times", e.count())
		}
		time.Sleep(time.Minute)
		wantToken(t, s, "bob", "", "t2")
		wantToken(t, s, "alice", "", "t3")
	})
}

func TestRetryAfterForms(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "": 0, "soon": 0, "-3": 0, "99999999": longestPause, "99999999999999999999": 0,
		"Thu, 01 Jan 1970 00:00:00 GMT": 0, "Fri, 01 Jan 2100 00:00:00 GMT": longestPause,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestPermanentFailureIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, func(_ int, form url.Values, w http.ResponseWriter) {
			refuse(w, http.StatusBadRequest, "invalid_grant", "Token "+form.Get("refresh_token")+" of "+form.Get("client_secret")+"\r\n\x1b[31mrevoked"+strings.Repeat("!", 9999))
		})
		s := e.source(t, RefreshToken, nil)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { wantError(t, s, "alice", "", false, 0, "localhost", "invalid_grant", "revoked", "token_file") })
		}
		wg.Wait()
		time.Sleep(24 * time.Hour)
		wantError(t, s, "alice", "", false, 0, "invalid_grant")
		if e.count() != 1 {
			t.Errorf("asked %d times", e.count())
		}
	})
}

func TestBasicAuth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, numbered)
		s := e.source(t, ClientCredentials, func(c *Config) { c.BasicAuth = true })
		wantToken(t, s, "alice", "", "t1")
		if !strings.HasPrefix(e.headers[0].Get("Authorization"), "Basic ") || e.form(1).Has("client_secret") {
			t.Errorf("header %q, form %v", e.headers[0], e.form(1))
		}
	})
}

func TestSecretThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, numbered)
		s := e.source(t, ClientCredentials, func(c *Config) {
			c.ClientSecret = func(context.Context) (string, error) { return "", errors.New(`read secret env("X"): it is empty`) }
		})
		wantError(t, s, "alice", "", false, 0, `by its secrets: read secret env("X")`)
	})
}

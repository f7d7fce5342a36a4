package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	renewBefore   = 5 * time.Minute // a token this near to its end is renewed, or in its last quarter
	assumedLife   = 5 * time.Minute // of a token whose end is not stated
	shortestPause = 5 * time.Second // after a failure that may pass; longer where the endpoint says so
	longestPause  = time.Hour
)

// Source hands out access tokens. It implements auth.TokenSource and is safe
// for concurrent use.
type Source struct {
	config Config
	file   *tokenFile
	device chan struct{} // one user is prompted at a time

	mu      sync.Mutex
	tickets map[string]*ticket // by user; by "" where one token serves all
	until   time.Time          // the endpoint wants to be left alone
	told    *Error             // how it said so
}

// ticket is what is known of one user's token. Whoever holds its turn may ask
// for a new one; the others wait and then find it.
type ticket struct {
	turn     chan struct{}
	token    string
	renewAt  time.Time
	endsAt   time.Time
	refused  map[refusal]struct{}
	failure  *Error
	retryAt  time.Time // zero with a failure: never in this run
	rotation string    // the refresh token that the provider issued last
}

// refusal is that a mail server did not take a token for a user. It says
// nothing of other users: their maildrops may be open to the same token.
type refusal [sha256.Size]byte

func newSource(config Config) *Source {
	return &Source{
		config:  config,
		file:    &tokenFile{fs: config.FS, path: config.TokenFile},
		device:  make(chan struct{}, 1),
		tickets: map[string]*ticket{},
	}
}

// Token returns an access token for the user that is valid for a while. A
// token that a server has just refused is named in rejected; this user never
// gets it again. Errors are the context's or *Error.
func (s *Source) Token(ctx context.Context, user, rejected string) (string, error) {
	t := s.ticket(user)
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if rejected != "" {
		t.refused[refusalOf(user, rejected)] = struct{}{}
	}
	now := time.Now()
	if now.Before(t.renewAt) && !t.refuses(user) {
		return t.token, nil
	}
	failure := s.notYet(t, now)
	if failure == nil {
		token, err := s.get(ctx, t, user)
		if err == nil {
			err = t.take(token)
		}
		if err != nil && ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err != nil {
			failure = s.failed(t, err)
		}
	}
	switch now = time.Now(); {
	case failure != nil && (!now.Before(t.endsAt) || t.refuses(user)):
		return "", failure
	case t.refuses(user):
		return "", s.located(&Error{Err: errors.New("the same token came again that the mail server has refused")})
	}
	return t.token, nil // perhaps one that was to be renewed early, but could not be
}

// ticket returns the ticket for a user.
func (s *Source) ticket(user string) *ticket {
	if s.config.Grant == ClientCredentials {
		user = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tickets[user]
	if t == nil {
		t = &ticket{turn: make(chan struct{}, 1), refused: map[refusal]struct{}{}}
		s.tickets[user] = t
	}
	return t
}

// get asks for a new token.
func (s *Source) get(ctx context.Context, t *ticket, user string) (*oauth2.Token, error) {
	switch s.config.Grant {
	case RefreshToken:
		return s.refresh(ctx, t, user)
	case ClientCredentials:
		return s.clientCredentials(ctx)
	case DeviceCode:
		return s.deviceCode(ctx, t, user)
	case ServiceAccount:
		return s.serviceAccount(ctx, user)
	default:
		return s.program(ctx, user)
	}
}

// refuses tells whether the current token is one that the user's mail server
// has refused.
func (t *ticket) refuses(user string) bool {
	_, refused := t.refused[refusalOf(user, t.token)]
	return refused
}

func refusalOf(user, token string) refusal {
	return sha256.Sum256([]byte(user + "\x00" + token))
}

// take makes a new token the current one.
func (t *ticket) take(token *oauth2.Token) error {
	if err := checkToken(token.AccessToken); err != nil {
		return err
	}
	now := time.Now()
	life := assumedLife
	if !token.Expiry.IsZero() {
		life = token.Expiry.Sub(now)
	}
	t.token, t.failure = token.AccessToken, nil
	t.endsAt = now.Add(life)
	t.renewAt = t.endsAt.Add(-min(renewBefore, life/4))
	return nil
}

// checkToken refuses what cannot be a bearer token (RFC 6750 section 2.1 and,
// more widely, RFC 6749 appendix A.12).
func checkToken(token string) error {
	if token == "" {
		return &Error{Err: errors.New("gave no token")}
	}
	if len(token) > maxToken {
		return &Error{Err: errors.New("gave a token that is too long to be one")}
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return &Error{Err: errors.New("gave a token with characters that no token has")}
		}
	}
	return nil
}

// notYet returns the failure because of which nothing is asked now.
func (s *Source) notYet(t *ticket, now time.Time) *Error {
	if t.failure != nil && (t.retryAt.IsZero() || now.Before(t.retryAt)) {
		return t.failure.waiting(t.retryAt, now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told != nil && now.Before(s.until) {
		return s.told.waiting(s.until, now)
	}
	return nil
}

// failed remembers a failure, so that hundreds of sessions do not repeat it.
func (s *Source) failed(t *ticket, err error) *Error {
	failure := s.located(asError(err))
	now := time.Now()
	t.failure, t.retryAt = failure, time.Time{}
	if !failure.Retryable {
		return failure
	}
	stated := failure.After
	failure.After = min(max(stated, shortestPause), longestPause)
	t.retryAt = now.Add(failure.After)
	if stated > 0 { // it meant the client, not the user
		s.mu.Lock()
		defer s.mu.Unlock()
		s.until, s.told = t.retryAt, failure
	}
	return failure
}

// located says where a failure comes from that does not say it itself.
func (s *Source) located(failure *Error) *Error {
	switch {
	case failure.Host != "" || failure.Op != "":
	case s.config.Grant == Command:
		failure.Op = "command"
	default:
		failure.Host = hostOf(s.config.TokenURL)
	}
	return failure
}

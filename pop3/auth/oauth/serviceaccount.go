package oauth

import (
	"context"
	"encoding/json"
	"errors"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
)

// serviceKey is the part of Google's key file that is used.
type serviceKey struct {
	Type         string `json:"type"`
	ClientEmail  string `json:"client_email"`
	PrivateKey   string `json:"private_key"`
	PrivateKeyID string `json:"private_key_id"`
	TokenURL     string `json:"token_uri"`
}

// serviceAccount gets a token for a user by a JWT that the service account
// signs, RS256, in his name (RFC 7523): domain-wide delegation.
func (s *Source) serviceAccount(ctx context.Context, user string) (*oauth2.Token, error) {
	key, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	x, asking := s.exchange(ctx, key.PrivateKey)
	x.host = hostOf(key.TokenURL)
	config := jwt.Config{
		Email: key.ClientEmail, PrivateKey: []byte(key.PrivateKey), PrivateKeyID: key.PrivateKeyID,
		Subject: user, Scopes: s.config.Scopes, TokenURL: key.TokenURL,
	}
	token, err := config.TokenSource(asking).Token()
	if err == nil {
		return token, nil
	}
	if x.status == 0 && x.err == nil {
		return nil, &Error{Op: "key", Err: errors.New("its private key cannot be used: it must be RSA, in PEM")}
	}
	failure := x.failure(err)
	if failure.Code == "unauthorized_client" {
		failure.Hint = "the domain's administrator has to allow the service account's client id this scope (domain-wide delegation)"
	}
	return nil, failure
}

// key reads and checks the key.
func (s *Source) key(ctx context.Context) (*serviceKey, error) {
	data, err := s.config.Key(ctx)
	if err != nil {
		return nil, &Error{Op: "key", Err: errors.New(clean(err.Error(), maxText))}
	}
	var key serviceKey
	if json.Unmarshal(data, &key) != nil || key.Type != "service_account" || key.ClientEmail == "" || key.PrivateKey == "" {
		return nil, &Error{Op: "key", Err: errors.New("it is not the JSON key of a service account")}
	}
	if s.config.TokenURL != "" {
		key.TokenURL = s.config.TokenURL
	}
	if err := CheckURL(key.TokenURL); err != nil {
		return nil, &Error{Op: "key", Err: err}
	}
	return &key, nil
}

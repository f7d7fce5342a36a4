package oauth

import (
	"context"
	"errors"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// client returns the configuration that the library needs.
func (s *Source) client(secret string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     s.config.ClientID,
		ClientSecret: secret,
		Endpoint:     oauth2.Endpoint{TokenURL: s.config.TokenURL, DeviceAuthURL: s.config.DeviceURL, AuthStyle: s.style()},
		Scopes:       s.config.Scopes,
	}
}

// style says how the client names itself. It is never left to the library to
// find out, which asks twice.
func (s *Source) style() oauth2.AuthStyle {
	if s.config.BasicAuth {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// secret returns the client's secret, "" for a public client.
func (s *Source) secret(ctx context.Context) (string, error) {
	if s.config.ClientSecret == nil {
		return "", nil
	}
	return s.config.ClientSecret(ctx)
}

// clientCredentials gets the token that serves all users (RFC 6749 section 4.4).
func (s *Source) clientCredentials(ctx context.Context) (*oauth2.Token, error) {
	secret, err := s.secret(ctx)
	if err != nil {
		return nil, err
	}
	x, asking := s.exchange(ctx, secret)
	config := clientcredentials.Config{
		ClientID: s.config.ClientID, ClientSecret: secret, TokenURL: s.config.TokenURL,
		Scopes: s.config.Scopes, AuthStyle: s.style(),
	}
	token, err := config.Token(asking)
	if err != nil {
		return nil, x.failure(err)
	}
	return token, nil
}

// refresh gets a token for a refresh token (RFC 6749 section 6): the one that
// the provider issued last, else the one in the token file, else the user's
// own. One that is no longer valid makes way for the next.
func (s *Source) refresh(ctx context.Context, t *ticket, user string) (*oauth2.Token, error) {
	kept, err := s.kept(t, user)
	if err != nil {
		return nil, err
	}
	own, err := s.config.Refresh(ctx, user)
	if err != nil {
		return nil, err
	}
	var invalid *Error
	if kept != "" && kept != own {
		token, err := s.exchangeRefresh(ctx, t, user, kept)
		if !errors.As(err, &invalid) || invalid.Code != "invalid_grant" {
			return token, err
		}
	}
	token, err := s.exchangeRefresh(ctx, t, user, own)
	if errors.As(err, &invalid) && invalid.Code == "invalid_grant" && s.config.TokenFile == "" {
		invalid.Hint = "the refresh token was revoked, has expired or was replaced; where the provider replaces it at each use, name a token_file"
	}
	return token, err
}

// kept returns the refresh token that the provider issued last, in this run or
// an earlier one.
func (s *Source) kept(t *ticket, user string) (string, error) {
	if t.rotation != "" {
		return t.rotation, nil
	}
	return s.file.get(user)
}

// exchangeRefresh exchanges one refresh token, and keeps a new one that comes
// with the answer.
func (s *Source) exchangeRefresh(ctx context.Context, t *ticket, user, refresh string) (*oauth2.Token, error) {
	secret, err := s.secret(ctx)
	if err != nil {
		return nil, err
	}
	x, asking := s.exchange(ctx, secret, refresh)
	token, err := s.client(secret).TokenSource(asking, &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return nil, x.failure(err)
	}
	if token.RefreshToken == refresh {
		return token, nil
	}
	return token, s.keep(t, user, token.RefreshToken)
}

// keep remembers a refresh token that was issued. The one before it may be
// worthless from now on, so a file that cannot be written is an error.
func (s *Source) keep(t *ticket, user, refresh string) error {
	if refresh == "" {
		return nil
	}
	t.rotation = refresh
	return s.file.put(user, refresh)
}

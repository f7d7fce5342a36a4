package oauth

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"
)

const (
	pollEvery    = 5  // seconds, where the endpoint does not say (RFC 8628 section 3.2)
	pollAtLeast  = 60 // seconds: the longest interval that is believed
	allowWithin  = 15 * time.Minute
	maxDeviceURL = 500
)

// deviceCode refreshes what the user allowed before, or asks him to allow it
// now (RFC 8628) and waits until he did.
func (s *Source) deviceCode(ctx context.Context, t *ticket, user string) (*oauth2.Token, error) {
	kept, err := s.kept(t, user)
	if err != nil {
		return nil, err
	}
	if kept != "" {
		var invalid *Error
		token, err := s.exchangeRefresh(ctx, t, user, kept)
		if !errors.As(err, &invalid) || invalid.Code != "invalid_grant" {
			return token, err
		}
	}
	select { // two users cannot read two prompts at once
	case s.device <- struct{}{}:
		defer func() { <-s.device }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	token, err := s.prompt(ctx, user)
	if err != nil {
		return nil, err
	}
	return token, s.keep(t, user, token.RefreshToken)
}

// prompt shows the user's code and asks for the token until it is there.
func (s *Source) prompt(ctx context.Context, user string) (*oauth2.Token, error) {
	secret, err := s.secret(ctx)
	if err != nil {
		return nil, err
	}
	x, asking := s.exchange(ctx, secret)
	config := s.client(secret)
	device, err := config.DeviceAuth(asking)
	if err != nil {
		return nil, x.failure(err)
	}
	if device.DeviceCode == "" || device.UserCode == "" || device.VerificationURI == "" {
		return nil, x.failure(errors.New("incomplete"))
	}
	x.secrets.Add(device.DeviceCode)
	limit(device)
	s.config.Prompt(Prompt{
		User: user, URL: clean(device.VerificationURI, maxDeviceURL), UserCode: clean(device.UserCode, maxName), Expires: device.Expiry,
	})
	for {
		token, err := config.DeviceAccessToken(asking, device)
		if err == nil {
			return token, nil
		}
		if !time.Now().Before(device.Expiry) && ctx.Err() == nil {
			return nil, &Error{Host: hostOf(s.config.DeviceURL), Err: errors.New("nobody allowed the login in time"), Hint: "run again for a new code"}
		}
		failure := x.failure(err)
		if ctx.Err() != nil || !failure.Retryable {
			return nil, failure
		}
		// A line that dropped, a server that is busy: the code stays valid, and
		// the library waits before each request.
	}
}

// limit brings what the endpoint says of time within bounds.
func limit(device *oauth2.DeviceAuthResponse) {
	if device.Interval <= 0 {
		device.Interval = pollEvery
	}
	device.Interval = min(device.Interval, pollAtLeast)
	latest := time.Now().Add(allowWithin)
	if device.Expiry.IsZero() || device.Expiry.After(latest) {
		device.Expiry = latest
	}
}

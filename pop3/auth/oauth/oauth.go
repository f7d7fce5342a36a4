// Package oauth gets the OAuth2 access tokens (RFC 6749) that XOAUTH2 and
// OAUTHBEARER log in with.
//
// A [Source] serves all accounts of one source of mail, hundreds of sessions
// at once: it asks a token endpoint, or a program, as seldom as it can, renews
// tokens before they expire, and never hands out a token again that a mail
// server has refused. Every answer is read as what strangers send: limited in
// time and octets, quoted and cleaned before it is shown, and with the secrets
// taken out that it may repeat.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"popmigrate/internal/durable"
)

// Grant is how tokens are got.
type Grant string

// The grants.
const (
	RefreshToken      Grant = "refresh_token"      // RFC 6749 section 6: each user has allowed the client before
	ClientCredentials Grant = "client_credentials" // RFC 6749 section 4.4: one token opens all maildrops
	DeviceCode        Grant = "device_code"        // RFC 8628: the user allows it now, in a browser anywhere
	ServiceAccount    Grant = "service_account"    // RFC 7523: signed by a key that may speak for every user of a domain
	Command           Grant = "command"            // a program prints the token
)

// Config says how a source gets its tokens. What a grant needs is checked by
// [New].
type Config struct {
	Grant Grant

	// TokenURL and DeviceURL are the endpoints. They are https, or on the
	// loopback. For a service account an empty TokenURL means that of the key.
	TokenURL  string
	DeviceURL string

	ClientID     string
	ClientSecret func(context.Context) (string, error) // nil: a public client
	BasicAuth    bool                                  // the client names itself in the header, not in the form (RFC 6749 section 2.3.1)
	Scopes       []string

	// Refresh returns the refresh token of a user.
	Refresh func(ctx context.Context, user string) (string, error)

	// Key returns the service account's key in the JSON form that Google
	// issues.
	Key func(context.Context) ([]byte, error)

	// Program returns the program and its arguments that print a user's token.
	// No shell is involved. It finds the user in the environment too, as
	// POPMIGRATE_USER.
	Program        func(user string) []string
	ProgramTimeout time.Duration // 30 seconds

	// TokenFile keeps refresh tokens that the provider issues, with mode 0600;
	// "" keeps them in memory only. No two processes may use it at once.
	TokenFile string
	FS        durable.FS // of TokenFile; nil means the system's

	// Prompt shows a user how to allow the login (device_code). It is called
	// for one user at a time and returns at once.
	Prompt func(Prompt)

	// Transport carries the requests; nil means one of package net/http.
	Transport http.RoundTripper
}

// Prompt is what a user has to do to allow a login.
type Prompt struct {
	User     string    // whose maildrop it is for
	URL      string    // the page to visit, cleaned
	UserCode string    // the code to type in there, cleaned
	Expires  time.Time // until when
}

// New returns a source of tokens. Nothing is asked yet. Its errors name what
// is missing.
func New(config Config) (*Source, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	if config.FS == nil {
		config.FS = durable.OS{}
	}
	if config.Transport == nil {
		config.Transport = newTransport()
	}
	if config.ProgramTimeout <= 0 {
		config.ProgramTimeout = defaultTimeout
	}
	return newSource(config), nil
}

// check tells what the grant lacks.
func (c *Config) check() error {
	lacks := func(missing bool, what string) error {
		if missing {
			return fmt.Errorf("grant %s: %s is missing", c.Grant, what)
		}
		return nil
	}
	needsClient := func() error {
		return errors.Join(lacks(c.TokenURL == "", "the token URL"), lacks(c.ClientID == "", "the client id"))
	}
	var err error
	switch c.Grant {
	case RefreshToken:
		err = errors.Join(needsClient(), lacks(c.Refresh == nil, "the refresh token"))
	case ClientCredentials:
		err = errors.Join(needsClient(), lacks(c.ClientSecret == nil, "the client secret"))
	case DeviceCode:
		err = errors.Join(needsClient(), lacks(c.DeviceURL == "", "the device URL"), lacks(c.Prompt == nil, "the prompt"))
	case ServiceAccount:
		err = lacks(c.Key == nil, "the key")
	case Command:
		err = lacks(c.Program == nil, "the program")
	default:
		err = fmt.Errorf("grant %q is unknown", c.Grant)
	}
	for _, endpoint := range []string{c.TokenURL, c.DeviceURL} {
		if endpoint != "" && err == nil {
			err = CheckURL(endpoint)
		}
	}
	return err
}

// CheckURL refuses an endpoint that secrets must not be sent to: one that is
// neither https nor on the loopback, or that has a password in it.
func CheckURL(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("an endpoint is a URL such as https://login.example.net/token")
	case u.User != nil:
		return errors.New("an endpoint has no user and no password in it")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("endpoint %s: https is required, except on the loopback", clean(u.Host, maxName))
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback() || strings.EqualFold(host, "localhost")
}

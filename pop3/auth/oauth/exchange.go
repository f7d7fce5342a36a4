package oauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"popmigrate/internal/redact"
)

const (
	defaultTimeout = 30 * time.Second // of one request with its answer, or of the program
	maxBody        = 64 << 10         // octets of an answer
	maxToken       = 16 << 10         // octets
)

var errRefusedURL = errors.New("https is required, except on the loopback")

// newTransport returns what carries requests where the caller has nothing
// better: few connections, TLS 1.2 at least, the proxy of the environment.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: defaultTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    defaultTimeout,
		MaxResponseHeaderBytes: maxBody,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
		ForceAttemptHTTP2:      true,
	}
}

// exchange carries the requests of one grant to the endpoint and remembers the
// last answer. The OAuth2 library does not bind every request to its context,
// leaves some bodies open and describes errors with URLs and bodies in them;
// here each request has a limit in time, each answer one in octets, and
// errors are made of what is remembered.
type exchange struct {
	ctx     context.Context
	base    http.RoundTripper
	secrets redact.Secrets

	host   string
	status int
	header http.Header
	body   []byte
	err    error
	final  bool // err does not pass by itself
}

// exchange returns a new one and the context with which the library uses it.
// The secrets are those that the endpoint gets to see.
func (s *Source) exchange(ctx context.Context, secrets ...string) (*exchange, context.Context) {
	x := &exchange{ctx: ctx, base: s.config.Transport}
	x.secrets.Add(secrets...)
	client := &http.Client{
		Transport:     x,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return x, context.WithValue(ctx, oauth2.HTTPClient, client)
}

// RoundTrip sends one request and reads the whole answer.
func (x *exchange) RoundTrip(request *http.Request) (*http.Response, error) {
	x.host, x.status, x.header, x.body = clean(request.URL.Host, maxName), 0, nil, nil
	response, err := x.send(request)
	if err != nil {
		x.err = x.network(err)
		return nil, err
	}
	x.err = nil
	return response, nil
}

func (x *exchange) send(request *http.Request) (*http.Response, error) {
	if CheckURL(request.URL.String()) != nil {
		return nil, errRefusedURL
	}
	ctx, cancel := context.WithTimeoutCause(x.ctx, defaultTimeout, errTooSlow)
	defer cancel()
	response, err := x.base.RoundTrip(request.WithContext(ctx))
	if err == nil {
		x.status, x.header = response.StatusCode, response.Header
		x.body, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
		response.Body.Close()
	}
	if ctx.Err() != nil && err != nil {
		return nil, context.Cause(ctx)
	}
	if err == nil && len(x.body) > maxBody {
		err = errTooLong
	}
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(x.body))
	return response, nil
}

var (
	errTooSlow = fmt.Errorf("no complete answer within %s", defaultTimeout)
	errTooLong = fmt.Errorf("the answer is longer than %d octets", maxBody)
)

// network cleans an error. That of a transport has no URL in it yet.
func (x *exchange) network(err error) error {
	var certificate *tls.CertificateVerificationError
	x.final = errors.Is(err, errRefusedURL) || errors.As(err, &certificate)
	return errors.New(x.show(err.Error(), maxText))
}

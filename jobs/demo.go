package jobs

import (
	"context"
	"net"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/internal/demo"
	"popmigrate/migrate"
)

// demoAddress is the server's name in reports; nothing is ever dialed there.
const demoAddress = "demo:995"

// demoServer is the in-process server of a source "demo", started when the
// first session is opened.
type demoServer struct {
	mu     sync.Mutex
	server *demo.Server
	closed bool
}

func (d *demoServer) start() (*demo.Server, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, net.ErrClosed
	}
	if d.server == nil {
		server, err := demo.Start()
		if err != nil {
			return nil, err
		}
		d.server = server
	}
	return d.server, nil
}

// Close stops the server; it may not have been started.
func (d *demoServer) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.server == nil {
		return nil
	}
	return d.server.Close()
}

// demoConnector opens sessions on the demo server.
type demoConnector struct {
	demo *demoServer
	pop  *migrate.POP3Source
}

// Connect starts the server if need be and logs in to it.
func (c *demoConnector) Connect(ctx context.Context) (migrate.Session, *migrate.Facts, error) {
	server, err := c.demo.start()
	if err != nil {
		return nil, nil, &migrate.ConnectError{Stage: "dial", Server: demoAddress, Err: err, Class: migrate.ClassLocal}
	}
	pop := *c.pop
	pop.TLSConfig = server.ClientTLS()
	pop.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Addr())
	}
	return pop.Connect(ctx)
}

// demoRow is a sample maildrop as an account.
func demoRow(src *source, account demo.Account) *row {
	return &row{
		name: account.Name, user: account.User, hold: account.Hold, source: src.name,
		at: src.at, place: func(int) hcl.Range { return src.at },
	}
}

// demoPassword returns the password of a sample maildrop, nil where there is
// no such maildrop.
func demoPassword(login string) *secret {
	for _, account := range demo.Accounts() {
		if account.User == login {
			return &secret{"(demo)", literal(account.Password).get}
		}
	}
	return nil
}

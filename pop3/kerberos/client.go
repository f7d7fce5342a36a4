package kerberos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
)

// Config says who logs in, with what, and to which service. At most one of
// Keytab, Password and Cache is given; with none, the default credential cache
// is used, as klist shows it.
type Config struct {
	// Principal is name@REALM or name/instance@REALM; without a realm, that of
	// krb5.conf. With a credential cache it may be "": whoever has the cache.
	Principal string

	Keytab   string                                // path of a keytab file
	Password func(context.Context) (string, error) // of Principal; not asked again once it was had
	Cache    string                                // FILE:path, or a path

	Krb5Conf    string // path; "" means KRB5_CONFIG, else the system's
	Service     string // first part of the service's name; "" means "pop"
	ServiceHost string // second part; "" means the server's name, in lower case

	Getenv func(string) string // nil means os.Getenv
	Now    func() time.Time    // this machine's clock; nil means time.Now
}

// Client gets and keeps the tickets of one principal. It is safe for use by
// many sessions at once, and holds nothing that has to be closed.
type Client struct {
	config Config

	mu      sync.Mutex // guards the maps and refused
	tickets map[string]*ticket
	flights map[string]*flight
	refused error // what the KDC has against the keytab or password: asking again may lock the principal

	turn     sync.Mutex // held while granting is got
	granting *ticket
	keys     keys
}

// flight is a ticket being fetched, for all who wait for it.
type flight struct {
	done   chan struct{} // closed when ticket or err is set
	ticket *ticket
	err    error
}

// New returns a client. It reads nothing and asks nobody.
func New(config Config) *Client {
	if config.Getenv == nil {
		config.Getenv = os.Getenv
	}
	if config.Service == "" {
		config.Service = "pop"
	}
	return &Client{config: config, tickets: map[string]*ticket{}, flights: map[string]*flight{}}
}

func (c *Client) now() time.Time {
	if c.config.Now != nil {
		return c.config.Now()
	}
	return time.Now()
}

// Check reads krb5.conf and the keytab, and tells whether they fit together and
// the principal is in them. It asks nobody, needs no password, and says nothing
// about a credential cache but whether it is of a kind that can be read.
func (c *Client) Check() error {
	s, err := readSettings(c.config.Krb5Conf, c.config.Getenv)
	if err != nil {
		return err
	}
	if c.usesCache() {
		_, err := cachePath(c.cacheName(s))
		if err == nil && c.config.Principal != "" {
			_, err = c.principal(s)
		}
		return err
	}
	who, err := c.principal(s)
	if err != nil || c.config.Keytab == "" {
		return err
	}
	k, err := readKeytab(c.config.Keytab)
	if err == nil {
		_, err = k.enctypes(who, s.enctypes)
	}
	return err
}

func (c *Client) usesCache() bool { return c.config.Keytab == "" && c.config.Password == nil }

func (c *Client) cacheName(s *settings) string {
	if c.config.Cache != "" {
		return c.config.Cache
	}
	return s.defaultCache(c.config.Getenv)
}

// principal returns who logs in, where the configuration says it.
func (c *Client) principal(s *settings) (principal, error) {
	op := "read principal " + quote(c.config.Principal)
	p, err := parsePrincipal(c.config.Principal, s.defaultRealm())
	if err != nil {
		return p, &Error{Op: op, Err: err, Kind: KindLocal}
	}
	if p.realm == "" {
		return p, fail(KindLocal, op, "write name@REALM", "it names no realm, and krb5.conf has no default_realm")
	}
	return p, nil
}

// patience bounds the getting of a ticket, whoever waits for it.
const patience = 30 * time.Second

// ticket returns a ticket for the service on host. All who want the same one
// wait for one exchange, which goes on when one of them gives up.
func (c *Client) ticket(ctx context.Context, host string) (*ticket, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if c.config.ServiceHost != "" {
		host = c.config.ServiceHost
	}
	c.mu.Lock()
	if t := c.tickets[host]; t.lasts(c.now()) {
		c.mu.Unlock()
		return t, nil
	}
	if c.refused != nil {
		defer c.mu.Unlock()
		return nil, c.refused
	}
	f := c.flights[host]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flights[host] = f
		go c.fly(f, host)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.ticket, f.err
	case <-ctx.Done():
		return nil, fail(KindNetwork, "get ticket for "+c.config.Service+"/"+host, "", "%w", ctx.Err())
	}
}

// fly fetches a ticket and tells those who wait for it.
func (c *Client) fly(f *flight, host string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f.ticket, f.err = c.fetch(ctx, host)
	c.mu.Lock()
	delete(c.flights, host)
	if f.err == nil {
		c.tickets[host] = f.ticket
	}
	c.mu.Unlock()
	close(f.done)
}

// fetch gets a ticket for the service on host, from the cache or the KDC.
func (c *Client) fetch(ctx context.Context, host string) (t *ticket, err error) {
	defer rescue(&err)
	s, err := readSettings(c.config.Krb5Conf, c.config.Getenv)
	if err != nil {
		return nil, err
	}
	var granting *ticket
	service := principal{[]string{c.config.Service, host}, s.realmOf(host)}
	if c.usesCache() {
		t, granting, err = c.fromCache(s, service)
		if err != nil || t != nil {
			return t, err
		}
	} else if granting, err = c.loggedIn(ctx, s); err != nil {
		return nil, err
	}
	if service.realm == "" {
		service.realm = granting.client.realm
	}
	return c.request(ctx, s, granting, service)
}

// loggedIn returns the ticket-granting ticket of the keytab or password, after
// a login where there is none or it ends soon.
func (c *Client) loggedIn(ctx context.Context, s *settings) (*ticket, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.granting.lasts(c.now()) {
		return c.granting, nil
	}
	who, err := c.principal(s)
	if err != nil {
		return nil, err
	}
	if c.config.Keytab != "" {
		if c.keys, err = readKeytab(c.config.Keytab); err != nil {
			return nil, err
		}
	} else if c.keys == nil {
		password, err := c.config.Password(ctx)
		if err != nil {
			return nil, &Error{Op: "log in as " + who.String(), Err: err, Kind: KindLocal}
		}
		c.keys = passwordKeys(password)
	}
	t, err := c.login(ctx, s, c.keys, who)
	if known := (*Error)(nil); errors.As(err, &known) && known.Kind == KindCredential {
		c.mu.Lock()
		c.refused = err
		c.mu.Unlock()
	}
	if err == nil {
		c.granting = t
	}
	return t, err
}

// fromCache returns the ticket for a service from the credential cache, else
// the one to get it with. The cache is read anew each time: it may have been
// renewed since.
func (c *Client) fromCache(s *settings, service principal) (t, granting *ticket, err error) {
	name := c.cacheName(s)
	file, err := readCache(name)
	if err != nil {
		return nil, nil, err
	}
	op := "use credential cache " + quote(name)
	if c.config.Principal != "" {
		who, err := c.principal(s)
		if err != nil {
			return nil, nil, err
		}
		if !who.equal(file.principal) {
			return nil, nil, fail(KindLocal, op, "get one with kinit -c, or leave principal out", "it belongs to %s, not to %s", quote(file.principal.String()), who)
		}
	}
	if service.realm == "" {
		service.realm = file.principal.realm
	}
	home := file.principal.realm
	for _, wanted := range []principal{service, ticketGranting(home, home)} {
		entry := file.find(wanted)
		if entry == nil {
			continue
		}
		found := &ticket{client: file.principal, service: wanted, key: entry.key, end: entry.end}
		if !found.lasts(c.now()) {
			err = fail(KindLocal, op, "get new tickets with kinit, or use a keytab, which this program logs in with by itself",
				"the ticket for %s of %s expired at %s", wanted, quote(file.principal.String()), entry.end.Format(time.RFC3339))
			continue
		}
		if unmarshalTicket(&found.ticket, entry.ticket) != nil {
			return nil, nil, fail(KindLocal, op, "get a new one with kinit", "the ticket for %s is malformed", wanted)
		}
		if wanted.equal(service) {
			return found, nil, nil
		}
		return nil, found, nil
	}
	if err == nil {
		err = fail(KindLocal, op, "get tickets with kinit", "it holds no ticket of %s", quote(file.principal.String()))
	}
	return nil, nil, err
}

func unmarshalTicket(t *messages.Ticket, octets []byte) (err error) {
	defer rescue(&err)
	if err := t.Unmarshal(octets); err != nil {
		return err
	}
	if len(t.SName.NameString) == 0 {
		return fmt.Errorf("no service")
	}
	return nil
}

// String says who logs in, and no more: printing a Client shows no password.
func (c *Client) String() string { return "Kerberos login of " + quote(c.config.Principal) }

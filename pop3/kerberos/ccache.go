package kerberos

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"
)

// maxCache bounds a credential cache, in octets.
const maxCache = 16 << 20

// cache is a credential cache in the file format of MIT's library.
type cache struct {
	principal principal // whose it is
	entries   []cacheEntry
}

type cacheEntry struct {
	server principal
	key    types.EncryptionKey
	end    time.Time
	ticket []byte
}

// cachePath returns the file behind the name of a credential cache.
func cachePath(name string) (string, error) {
	kind, path, ok := strings.Cut(name, ":")
	switch {
	case !ok || len(kind) == 1: // a path, or one with a drive letter
		return name, nil
	case kind == "FILE" || kind == "WRFILE":
		return path, nil
	}
	return "", fail(KindLocal, "open credential cache "+quote(name),
		`write one with kinit -c FILE:/some/path PRINCIPAL and say ccache = "FILE:/some/path", or use a keytab`,
		"only caches in a file can be read, not those of kind %s", quote(kind))
}

// readCache reads the credential cache of a name.
func readCache(name string) (*cache, error) {
	path, err := cachePath(name)
	if err != nil {
		return nil, err
	}
	const again = "get a new one with kinit, or use a keytab"
	op := "read credential cache " + quote(path)
	data, err := readSmall(path, maxCache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(KindLocal, op, "get one with kinit, or use a keytab", "there is no such file")
	}
	if err != nil {
		return nil, fail(KindLocal, op, again, "%w", bare(err))
	}
	c, err := parseCache(data)
	if err != nil {
		return nil, fail(KindLocal, op, again, "%w", err)
	}
	return c, nil
}

var errCacheShort = errors.New("the file is truncated")

// parseCache reads a credential cache of format 3 or 4.
func parseCache(data []byte) (*cache, error) {
	if len(data) < 2 {
		return nil, errCacheShort
	}
	if data[0] != 5 || data[1] < 1 || data[1] > 4 {
		return nil, errors.New("it is no credential cache")
	}
	if data[1] < 3 {
		return nil, errors.New("it has a format that nothing has written since 1996")
	}
	r := &cacheReader{rest: data[2:], repeated: data[1] == 3}
	if data[1] == 4 {
		r.take(int(r.number16())) // time offset of the KDC, of no use here
	}
	c := &cache{principal: r.principal()}
	for len(r.rest) > 0 && !r.short {
		if entry := r.entry(); !strings.HasPrefix(entry.server.realm, "X-CACHECONF:") {
			c.entries = append(c.entries, entry)
		}
	}
	if r.short {
		return nil, errCacheShort
	}
	return c, nil
}

// cacheReader takes fields off the front of rest. After the first that is not
// there in full, all are empty.
type cacheReader struct {
	rest     []byte
	short    bool
	repeated bool // format 3 writes a key's type twice
}

func (r *cacheReader) take(n int) []byte {
	if n < 0 || n > len(r.rest) || r.short {
		r.short, r.rest = true, nil
		return nil
	}
	field := r.rest[:n]
	r.rest = r.rest[n:]
	return field
}

func (r *cacheReader) number16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *cacheReader) number32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *cacheReader) data() []byte { return r.take(int(int32(r.number32()))) }

func (r *cacheReader) principal() principal {
	r.number32() // name type
	n := r.number32()
	p := principal{realm: string(r.data())}
	for ; n > 0 && !r.short; n-- {
		p.name = append(p.name, string(r.data()))
	}
	return p
}

func (r *cacheReader) entry() cacheEntry {
	r.principal() // the client
	e := cacheEntry{server: r.principal()}
	e.key.KeyType = int32(int16(r.number16()))
	if r.repeated {
		r.number16()
	}
	e.key.KeyValue = r.data()
	r.take(8) // times of the login and the begin
	e.end = time.Unix(int64(r.number32()), 0)
	r.take(4 + 1 + 4)    // renew till, is session key, flags
	for range [2]int{} { // addresses, authorization data: a type and octets each
		for n := r.number32(); n > 0 && !r.short; n-- {
			r.number16()
			r.data()
		}
	}
	e.ticket = r.data()
	r.data() // second ticket
	return e
}

// find returns the ticket for a service that lasts longest, or nil.
func (c *cache) find(server principal) *cacheEntry {
	var best *cacheEntry
	for i, entry := range c.entries {
		if entry.server.equal(server) && (best == nil || entry.end.After(best.end)) {
			best = &c.entries[i]
		}
	}
	return best
}

package sinks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"popmigrate/internal/durable"
)

// compareMaildir reads a file from its beginning, decodes it and compares it
// with the message. It returns the octets on disk. A file that holds
// something else is an errCopyDiffers.
func compareMaildir(file io.Reader, form maildirPlace, m *Message, scratch *maildirScratch) (int64, error) {
	digest, octets, onDisk, err := hashMaildir(file, form, scratch)
	if err != nil {
		return 0, err
	}
	if octets != m.Octets || digest != m.Digest {
		return 0, errCopyDiffers
	}
	return onDisk, nil
}

// hashMaildir reads a file to its end and returns the digest and octets of
// the wire form, and the octets on disk.
func hashMaildir(file io.Reader, form maildirPlace, scratch *maildirScratch) (digest Digest, octets, onDisk int64, err error) {
	decoder := maildirDecoder{file: file, asIs: form.wire, buffer: scratch.in[:]}
	hash := sha256.New()
	octets, err = io.CopyBuffer(hash, &decoder, scratch.out[:])
	return Digest(hash.Sum(nil)), octets, decoder.read, err
}

// maildirDecoder reads the wire form of a message from its file: as it is, or
// with a CR before every LF.
type maildirDecoder struct {
	file   io.Reader
	asIs   bool
	buffer []byte
	ahead  []byte // read from file, not yet decoded
	atLF   bool   // the LF that ahead begins with has got its CR
	read   int64  // octets read from file
	err    error  // of file
}

func (d *maildirDecoder) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(d.ahead) == 0 {
			if n > 0 {
				break
			}
			if d.err != nil {
				return 0, d.err
			}
			var octets int
			octets, d.err = d.file.Read(d.buffer)
			d.ahead, d.read = d.buffer[:octets], d.read+int64(octets)
			continue
		}
		if d.ahead[0] == '\n' && !d.asIs && !d.atLF {
			p[n], d.atLF = '\r', true
			n++
			continue
		}
		part := d.ahead
		if i := bytes.IndexByte(part[1:], '\n'); i >= 0 && !d.asIs {
			part = part[:i+1]
		}
		copied := copy(p[n:], part)
		n, d.ahead, d.atLF = n+copied, d.ahead[copied:], false
	}
	return n, nil
}

// maildirReader reads copies of a maildir.
type maildirReader struct{ index maildirIndex }

var _ Reader = (*maildirReader)(nil)

// OpenMaildirReader returns a reader for a maildir. It finds a copy by the id
// in its file's name, in new or cur and with whatever flags; one that is in
// neither is an [ErrDamaged]. It opens nothing before the first Read. The
// messages it returns may be read at the same time, and after Close.
func OpenMaildirReader(cfg MaildirConfig) (Reader, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &maildirReader{maildirIndex{cfg: cfg}}, nil
}

// Read implements Reader.
func (r *maildirReader) Read(ctx context.Context, c Copy) (io.ReadCloser, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	place, err := parseMaildirPlace(c.Where)
	if err != nil {
		return nil, r.fail(c, damaged(err))
	}
	file, err := r.index.open(place.id)
	if err != nil {
		return nil, r.fail(c, damaged(err))
	}
	return &maildirBody{maildirDecoder{file: file, asIs: place.wire, buffer: make([]byte, 32<<10)}, file}, nil
}

func (r *maildirReader) fail(c Copy, err error) error {
	hint := ""
	if errors.Is(err, ErrDamaged) {
		hint = "a mail program may have moved or deleted it; while it is missing the message is not deleted on the server on the strength of this copy"
	}
	return &Error{Op: "read", Object: r.index.cfg.Dir, Hint: hint,
		Err: fmt.Errorf("message %d (unique-id %.80q): %w", c.Ordinal, c.UniqueID, err)}
}

// Close implements Reader.
func (r *maildirReader) Close() error { return nil }

// maildirBody is an open copy.
type maildirBody struct {
	maildirDecoder
	file durable.File
}

// WriteTo implements io.WriterTo.
func (b *maildirBody) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, &b.maildirDecoder)
}

// Close closes the file.
func (b *maildirBody) Close() error { return b.file.Close() }

package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"popmigrate/internal/durable"
)

// publishSidecars stores, octet for octet, the messages that mboxrd cannot carry.
func (s *mboxSink) publishSidecars(ctx context.Context, frames []*mboxFrame) error {
	for _, f := range frames {
		for i := range f.messages {
			if !f.places[i].raw {
				continue
			}
			octets, sum, err := s.keepSidecar(ctx, &f.messages[i])
			if err != nil {
				return messageError(&f.messages[i], err)
			}
			f.places[i].rawSum = sum
			if f.added == nil {
				f.added = make([]int64, len(f.messages))
			}
			f.added[i] = octets
		}
	}
	return nil
}

// keepSidecar stores a message octet for octet and returns the octets that
// this added on disk. A sidecar that is there belongs to a message of equal
// content, or was left by a crash: a sound one is adopted as it is, because a
// committed copy may know its checksum; nothing else can have its name, for
// what is damaged was moved aside when the archive was opened.
func (s *mboxSink) keepSidecar(ctx context.Context, m *Message) (octets int64, sum checksum, err error) {
	if !s.hasRawDir {
		if err := durable.MkdirAll(s.cfg.FS, s.cfg.path(rawDir)); err != nil {
			return 0, sum, err
		}
		s.hasRawDir = true
	}
	release, err := acquire(ctx, s.cfg.Codecs.large)
	if err != nil {
		return 0, sum, err
	}
	defer release()
	name := rawName(m.Digest, s.segment)
	switch sum, err = s.adoptSidecar(name, m); {
	case err == nil:
		return 0, sum, nil
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(damaged(err), ErrDamaged):
		return 0, sum, err
	}
	return s.publishSidecar(name, m)
}

// adoptSidecar makes a sidecar that is there this message's, durably.
func (s *mboxSink) adoptSidecar(name string, m *Message) (sum checksum, err error) {
	r, err := openSidecar(s.cfg, s.codec, name, m.Octets, checksum{})
	if err != nil {
		return sum, err
	}
	defer r.Close()
	sums := newFormSums()
	n, err := io.Copy(sums, r)
	if err != nil {
		return sum, err
	}
	if wire, _ := sums.digests(); n != m.Octets || wire != m.Digest {
		return sum, errDiffers
	}
	if err := r.file.Sync(); err != nil {
		return sum, err
	}
	return r.summer.sum(), durable.SyncDir(s.cfg.FS, filepath.Dir(s.cfg.path(name)))
}

func (s *mboxSink) publishSidecar(name string, m *Message) (octets int64, sum checksum, err error) {
	var stored summer
	err = durable.Publish(s.cfg.FS, s.cfg.path(name), func(w io.Writer) error {
		file := &counter{w: io.MultiWriter(w, &stored)}
		compressor, err := s.codec.writer(file)
		if err != nil {
			return err
		}
		body, err := m.Open()
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(compressor, body)
		err = errors.Join(err, compressor.Close())
		octets = file.octets
		return err
	})
	return octets, stored.sum(), err
}

// checkSidecar reads a message that is stored octet for octet and compares it
// with its digest, and with the entry that stands for it in the segment.
func checkSidecar(cfg MboxConfig, codec codec, p place, octets int64, wire, lf Digest) error {
	name := rawName(wire, p.segment)
	r, err := openSidecar(cfg, codec, name, octets, p.rawSum)
	if err != nil {
		return err
	}
	defer r.Close()
	sums := newFormSums()
	n, err := io.Copy(sums, r)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	gotWire, gotLF := sums.digests()
	if n != octets || gotWire != wire || gotLF != lf {
		return fmt.Errorf("%s: %w", name, errDiffers)
	}
	return nil
}

// openSidecar streams a message of so many octets that is stored octet for
// octet, with the checksum want.
func openSidecar(cfg MboxConfig, codec codec, name string, octets int64, want checksum) (*sidecarReader, error) {
	file, err := cfg.FS.OpenFile(cfg.path(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	durable.DropCache(file)
	r, err := newStrictReader(file, codec, want)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &sidecarReader{strictReader: r, file: file, left: octets}, nil
}

// sidecarReader is an open sidecar. It refuses one that decodes to more than
// the message it stands for: a few damaged octets may claim gigabytes.
type sidecarReader struct {
	*strictReader
	file durable.File
	left int64 // octets of the message that did not come yet
}

var errSidecarLong = errors.New("the sidecar holds more than its message")

func (r *sidecarReader) Read(p []byte) (int, error) {
	n, err := r.strictReader.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return 0, errSidecarLong
	}
	return n, err
}

func (r *sidecarReader) Close() error { return errors.Join(r.strictReader.Close(), r.file.Close()) }

package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"popmigrate/internal/durable"
)

// maildirSink is an open maildir. See OpenMaildir.
type maildirSink struct {
	cfg      MaildirConfig
	maildrop string
	taken    map[string]bool // ids of files that hold something else by now
	err      error           // of the Store that failed: nothing more is stored
}

var _ Sink = (*maildirSink)(nil)

// maildirWorkers is how many files of a group are on their way at once: their
// syncs share the device's work, and the file system commits them together.
const maildirWorkers = 16

// maildirSlots bounds the same for all maildirs of the process together: each
// file on its way holds a system thread and a maildirScratch.
var maildirSlots = semaphore.NewWeighted(maildirInAll)

const maildirInAll = 64

// maildirFile is a message on its way into the maildir.
type maildirFile struct {
	place  maildirPlace
	octets int64  // on disk
	temp   string // path in tmp
	name   string // in new
}

// Store implements Sink. Each message is written to a file in tmp; the files
// are synced, opened anew, decoded and compared; only then are they renamed
// into new, and new is synced once.
func (s *maildirSink) Store(ctx context.Context, group []Message) ([]Receipt, error) {
	if s.err != nil {
		return nil, s.err
	}
	if len(group) == 0 {
		return nil, nil
	}
	files := make([]maildirFile, len(group))
	err := s.write(ctx, group, files)
	if err == nil {
		err = s.each(ctx, group, files, s.readBack)
	}
	if err == nil {
		err = s.publish(files)
	}
	if err != nil {
		s.discard(files)
		s.err = &Error{Op: "store", Object: s.cfg.Dir, Err: err}
		return nil, s.err
	}
	receipts := make([]Receipt, len(group))
	for i, f := range files {
		receipts[i] = Receipt{Proof: Verified, Where: f.place.where(), StoredOctets: f.octets}
	}
	return receipts, nil
}

// write brings every message into tmp, durably.
func (s *maildirSink) write(ctx context.Context, group []Message, files []maildirFile) error {
	together := durable.NewGroup(s.cfg.FS, s.cfg.path(maildirTmp), len(group))
	defer together.Close()
	err := s.each(ctx, group, files, func(m *Message, f *maildirFile, scratch *maildirScratch) error {
		return s.keep(m, f, scratch, together)
	})
	if err != nil {
		return err
	}
	return together.Sync()
}

// each does the same with every file of a group, several at once.
func (s *maildirSink) each(ctx context.Context, group []Message, files []maildirFile,
	do func(*Message, *maildirFile, *maildirScratch) error) error {
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(maildirWorkers)
	for i := range group {
		workers.Go(func() error {
			if err := maildirSlots.Acquire(ctx, 1); err != nil {
				return context.Cause(ctx)
			}
			defer maildirSlots.Release(1)
			scratch := maildirScratches.Get().(*maildirScratch)
			defer maildirScratches.Put(scratch)
			if err := do(&group[i], &files[i], scratch); err != nil {
				return messageError(&group[i], err)
			}
			return nil
		})
	}
	return workers.Wait()
}

// keep writes the message under the first variant of its id that is free.
//
// An uncommitted file with its id and other octets was changed by somebody
// after this sink had compared it: it may be wanted, and stays.
func (s *maildirSink) keep(m *Message, f *maildirFile, scratch *maildirScratch, together *durable.Group) error {
	for variant := 1; variant <= maxVariant; variant++ {
		f.place = maildirPlace{id: newMaildirID(s.maildrop, m.Digest, m.Occurrence, variant), wire: m.BareLF || m.BareCR}
		if !s.taken[f.place.id] {
			return s.create(m, f, scratch, together)
		}
	}
	return fmt.Errorf("%d files with its id hold something else", maxVariant)
}

// create writes the message to tmp.
func (s *maildirSink) create(m *Message, f *maildirFile, scratch *maildirScratch, together *durable.Group) error {
	stem := maildirStem(m.Received, f.place.id)
	temp := s.cfg.path(maildirTmp, stem)
	file, err := s.cfg.FS.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, durable.FilePerm)
	if err != nil {
		return err
	}
	f.temp = temp
	f.octets, err = writeMaildir(file, f.place, m, scratch)
	if err == nil {
		setTime(s.cfg.FS, temp, m.Received)
		err = together.Written(file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	f.name = maildirName(stem, f.octets, m.Octets, f.place)
	return nil
}

// setTime makes a file's modification time the time the message was received,
// which mail programs show. It is a courtesy: a file system that knows no
// times, or not this one, is no reason to keep the message out.
func setTime(fsys durable.FS, name string, received time.Time) {
	if fsys, ok := fsys.(interface {
		Chtimes(name string, atime, mtime time.Time) error
	}); ok {
		fsys.Chtimes(name, received, received)
	}
}

// readBack compares a file that is durable with what came off the wire.
func (s *maildirSink) readBack(m *Message, f *maildirFile, scratch *maildirScratch) error {
	file, err := s.cfg.FS.OpenFile(f.temp, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	durable.DropCache(file)
	octets, err := compareMaildir(file, f.place, m, scratch)
	if err == nil && octets != f.octets {
		return errCopyDiffers
	}
	return err
}

// publish makes the group's files part of the maildir, durably.
func (s *maildirSink) publish(files []maildirFile) error {
	for i := range files {
		if err := s.cfg.FS.Rename(files[i].temp, s.cfg.path(maildirNew, files[i].name)); err != nil {
			return err
		}
	}
	if err := durable.SyncDir(s.cfg.FS, s.cfg.path(maildirNew)); err != nil {
		return err
	}
	return durable.Confirm(s.cfg.FS, s.cfg.path(maildirTmp))
}

// discard removes what a failed Store left in tmp, if it still can; else the
// next opening does. It also deals with what is in new already.
func (s *maildirSink) discard(files []maildirFile) {
	for i := range files {
		if files[i].temp != "" {
			s.cfg.FS.Remove(files[i].temp)
		}
	}
}

// Committed implements Sink. Nothing is derived from the copies.
func (s *maildirSink) Committed(context.Context) error { return nil }

// Close implements Sink. No file is open between calls.
func (s *maildirSink) Close() error { return nil }

// maildirScratch is a worker's memory.
type maildirScratch struct{ in, out [64 << 10]byte }

var maildirScratches = sync.Pool{New: func() any { return new(maildirScratch) }}

// writeMaildir writes the message in the form wanted and returns its octets on disk.
func writeMaildir(w io.Writer, form maildirPlace, m *Message, scratch *maildirScratch) (int64, error) {
	body, err := m.Open()
	if err != nil {
		return 0, err
	}
	defer body.Close()
	file := maildirWriter{w: w, buffer: scratch.out[:0], keepCR: form.wire}
	_, err = io.CopyBuffer(&file, body, scratch.in[:])
	if err == nil {
		err = file.flush()
	}
	return file.octets, err
}

// maildirWriter writes a wire form to a file, in LF form unless CRs are kept:
// in a message that has one every CR stands before an LF.
type maildirWriter struct {
	w      io.Writer
	buffer []byte // written when it is full
	keepCR bool
	octets int64 // written
}

func (w *maildirWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part := rest
		if i := bytes.IndexByte(rest, '\r'); i >= 0 && !w.keepCR {
			part, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		for len(part) > 0 {
			n := copy(w.buffer[len(w.buffer):cap(w.buffer)], part)
			w.buffer, part = w.buffer[:len(w.buffer)+n], part[n:]
			if len(part) == 0 {
				break
			}
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (w *maildirWriter) flush() error {
	n, err := w.w.Write(w.buffer)
	w.octets += int64(n)
	w.buffer = w.buffer[:0]
	return err
}

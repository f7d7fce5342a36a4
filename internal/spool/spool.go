// Package spool holds complete messages while they wait for their sinks: small
// ones in memory, under one budget for all sessions of a run, others in
// temporary files. What it holds is expendable: nothing in a spool is ever the
// only copy of anything.
package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	chunkOctets  = 32 << 10 // memory is handed out in chunks of this many octets
	largestInRAM = 1 << 20  // a message over this many octets goes to a file
	filePrefix   = "message-"
	filesMost    = 256 // open at once; see LimitFiles
)

// Spool hands out room for messages. It may be used from many goroutines.
type Spool struct {
	dir    string
	budget int64 // octets; of chunks handed out at once
	used   atomic.Int64
	chunks sync.Pool
	files  chan struct{} // as many as there are open files
}

// Open returns a spool that keeps at most memory octets in RAM and the rest in
// files in dir, which it makes if need be. Files that an earlier, interrupted
// run left in dir are removed.
func Open(dir string, memory int64) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), filePrefix) {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return nil, fmt.Errorf("open spool: %w", err)
			}
		}
	}
	s := &Spool{dir: dir, budget: memory, files: make(chan struct{}, filesMost)}
	s.chunks.New = func() any { return new([chunkOctets]byte) }
	return s, nil
}

// LimitFiles sets how many temporary files may be open at once, at least one.
// Whoever needs one more waits until an entry is released. It is called before
// the first Writer is made.
func (s *Spool) LimitFiles(most int) { s.files = make(chan struct{}, max(1, most)) }

// InMemory returns the octets of RAM that are handed out now.
func (s *Spool) InMemory() int64 { return s.used.Load() }

func (s *Spool) take() *[chunkOctets]byte {
	if s.used.Add(chunkOctets) > s.budget {
		s.used.Add(-chunkOctets)
		return nil
	}
	return s.chunks.Get().(*[chunkOctets]byte)
}

func (s *Spool) give(chunk *[chunkOctets]byte) {
	s.chunks.Put(chunk)
	s.used.Add(-chunkOctets)
}

// slab is a chunk that several messages share; the last one to leave returns it.
type slab struct {
	octets *[chunkOctets]byte
	users  atomic.Int32
}

// Writer takes messages one after the other: one Writer per session. Small
// messages share chunks. It is used from one goroutine.
type Writer struct {
	spool *Spool
	slab  *slab // has room behind used; nil where there is none
	used  int
	next  *Entry
}

// NewWriter returns a writer; Close releases it.
func (s *Spool) NewWriter() *Writer { return &Writer{spool: s} }

// Entry is one message in the spool.
type Entry struct {
	spool  *Spool
	octets int64
	pieces [][]byte
	inline [1][]byte // pieces of a message in one chunk
	slabs  []*slab
	shared [1]*slab
	file   *os.File // nil while in memory
}

// Write adds octets to the message that the next call of Finish returns.
func (w *Writer) Write(p []byte) (int, error) {
	if w.next == nil {
		e := &Entry{spool: w.spool}
		e.pieces, e.slabs = e.inline[:0], e.shared[:0]
		w.next = e
	}
	e, written := w.next, 0
	if e.file == nil && e.octets+int64(len(p)) > largestInRAM {
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	for e.file == nil && len(p) > 0 {
		if !w.room() {
			if err := w.spill(); err != nil {
				return written, err
			}
			break
		}
		n := copy(w.slab.octets[w.used:], p)
		w.extend(n)
		written += n
		p = p[n:]
	}
	if len(p) > 0 {
		n, err := e.file.Write(p)
		e.octets += int64(n)
		written += n
		if err != nil {
			return written, fmt.Errorf("write spool file: %w", err)
		}
	}
	return written, nil
}

// room makes sure that the writer's slab has room and that the message holds
// a share of it; false means that the budget is used up.
func (w *Writer) room() bool {
	e := w.next
	if w.slab != nil && w.used == chunkOctets {
		w.leave()
	}
	if w.slab == nil {
		octets := w.spool.take()
		if octets == nil {
			return false
		}
		w.slab, w.used = &slab{octets: octets}, 0
		w.slab.users.Store(1)
	}
	if len(e.slabs) == 0 || e.slabs[len(e.slabs)-1] != w.slab {
		w.slab.users.Add(1)
		e.slabs = append(e.slabs, w.slab)
	}
	return true
}

// extend takes n more octets of the slab, copied there already, into the
// message. It has one piece per slab, for nobody else writes in between.
func (w *Writer) extend(n int) {
	e := w.next
	begin := w.used
	if len(e.pieces) == len(e.slabs) {
		last := len(e.pieces) - 1
		begin -= len(e.pieces[last])
		e.pieces = e.pieces[:last]
	}
	w.used += n
	e.octets += int64(n)
	e.pieces = append(e.pieces, w.slab.octets[begin:w.used])
}

// leave gives up the writer's own share of its slab.
func (w *Writer) leave() {
	if w.slab != nil {
		w.spool.release(w.slab)
		w.slab = nil
	}
}

func (s *Spool) release(slab *slab) {
	if slab.users.Add(-1) == 0 {
		s.give(slab.octets)
		slab.octets = nil
	}
}

// spill moves the message under way to a temporary file. The file has no name
// any more where the system allows that, so that no crash leaves it behind.
func (w *Writer) spill() error {
	e := w.next
	w.spool.files <- struct{}{}
	file, err := os.CreateTemp(w.spool.dir, filePrefix)
	if err != nil {
		<-w.spool.files
		return fmt.Errorf("create spool file: %w", err)
	}
	for _, piece := range e.pieces {
		if _, err := file.Write(piece); err != nil {
			err = errors.Join(err, file.Close(), os.Remove(file.Name()))
			<-w.spool.files
			return fmt.Errorf("write spool file: %w", err)
		}
	}
	e.file = file
	e.drop()
	return nil
}

// Finish returns the message written since the last Finish; it may be empty.
// The caller releases it.
func (w *Writer) Finish() *Entry {
	e := w.next
	if e == nil {
		e = &Entry{spool: w.spool}
	}
	w.next = nil
	return e
}

// Abandon forgets the message under way.
func (w *Writer) Abandon() {
	if w.next != nil {
		w.next.Release()
		w.next = nil
	}
}

// Close abandons the message under way and releases the writer. Finished
// messages stay.
func (w *Writer) Close() {
	w.Abandon()
	w.leave()
}

// drop gives up the message's shares of memory.
func (e *Entry) drop() {
	for _, slab := range e.slabs {
		e.spool.release(slab)
	}
	e.slabs, e.pieces = nil, nil
	e.inline[0], e.shared[0] = nil, nil
}

// Release gives the message's room back. Nothing may read it afterwards.
func (e *Entry) Release() {
	e.drop()
	if e.file != nil {
		// A temporary file: the next opening removes what stays.
		_ = e.file.Close()
		_ = os.Remove(e.file.Name())
		e.file = nil
		<-e.spool.files
	}
}

// Octets returns the message's length.
func (e *Entry) Octets() int64 { return e.octets }

// InFile tells whether the message is in a temporary file.
func (e *Entry) InFile() bool { return e.file != nil }

// Open returns the message from its beginning. It may be called often and at
// the same time; what it returns implements io.WriterTo.
func (e *Entry) Open() (io.ReadCloser, error) {
	if e.file != nil {
		return fileReader{io.NewSectionReader(e.file, 0, e.octets)}, nil
	}
	return &memoryReader{pieces: e.pieces}, nil
}

type fileReader struct{ *io.SectionReader }

func (fileReader) Close() error { return nil }

// WriteTo copies through a buffer as large as a chunk.
func (r fileReader) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(w, struct{ io.Reader }{r.SectionReader}, make([]byte, chunkOctets))
}

type memoryReader struct {
	pieces [][]byte
	offset int // in the first piece
}

func (r *memoryReader) Close() error { return nil }

func (r *memoryReader) Read(p []byte) (int, error) {
	for len(r.pieces) > 0 {
		if n := copy(p, r.pieces[0][r.offset:]); n > 0 || len(p) == 0 {
			r.offset += n
			return n, nil
		}
		r.pieces, r.offset = r.pieces[1:], 0
	}
	return 0, io.EOF
}

func (r *memoryReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for len(r.pieces) > 0 {
		n, err := w.Write(r.pieces[0][r.offset:])
		total += int64(n)
		if err != nil {
			r.offset += n
			return total, err
		}
		r.pieces, r.offset = r.pieces[1:], 0
	}
	return total, nil
}

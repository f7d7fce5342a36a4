package sinks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"popmigrate/internal/durable"
)

// mboxSink is an open archive. See OpenMbox.
type mboxSink struct {
	cfg   MboxConfig
	codec codec

	number  int          // of the newest segment, 0 where there is none
	segment string       // its file name; "" when the next Store is to begin a new one
	file    durable.File // nil until the next Store opens it
	end     int64        // up to here the segment holds verified frames

	hasRawDir bool
	pending   []indexLine // verified, but not known to be in the ledger
	index     mboxIndex
	err       error // of the Store that failed: nothing more is stored
}

var _ Sink = (*mboxSink)(nil)

// mboxFrame is a frame on its way to the disk and back.
type mboxFrame struct {
	messages   []Message
	large      bool     // holds one message, which is streamed
	places     []place  // of each message
	lf         []Digest // of each message's LF form, as read back
	octets     int64    // of the messages' wire forms, and entryOctets for each
	text       int64    // octets of their entries
	compressed *[]byte  // between encoding and writing
	span       span
	added      []int64 // octets that each message's sidecar takes on disk; nil where there are none
}

// entryOctets is about what an entry has besides its message: the From_ line.
// It counts, or any number of empty messages would share a frame.
const entryOctets = 64

// planFrames shares messages out among frames.
func planFrames(group []Message, cfg MboxConfig) []*mboxFrame {
	var frames []*mboxFrame
	var open *mboxFrame
	for i := range group {
		octets := group[i].Octets + entryOctets
		if open == nil || open.octets+octets > cfg.FrameOctets {
			open = &mboxFrame{messages: group[i:i], large: octets > cfg.large}
			frames = append(frames, open)
		}
		open.messages = open.messages[:len(open.messages)+1]
		open.octets += octets
	}
	for _, f := range frames {
		f.places = make([]place, len(f.messages))
		f.lf = make([]Digest, len(f.messages))
	}
	return frames
}

// Store implements Sink.
func (s *mboxSink) Store(ctx context.Context, group []Message) ([]Receipt, error) {
	if s.err != nil {
		return nil, s.err
	}
	if len(group) == 0 {
		return nil, nil
	}
	frames := planFrames(group, s.cfg)
	if err := s.store(ctx, frames); err != nil {
		// The segment is abandoned: this sink neither writes nor syncs it
		// again. What it holds behind s.end is for the next opening.
		s.err = &Error{Op: "store", Object: s.cfg.path(s.segment), Err: err}
		s.closeFile()
		return nil, s.err
	}
	receipts := make([]Receipt, 0, len(group))
	for _, f := range frames {
		for i := range f.messages {
			r := Receipt{Proof: Verified, Where: f.places[i].where()}
			if i == 0 {
				r.StoredOctets = f.span.len
			}
			if f.added != nil {
				r.StoredOctets += f.added[i]
			}
			receipts = append(receipts, r)
			s.pending = append(s.pending, lineOf(&f.messages[i], f.places[i], f.lf[i]))
		}
	}
	return receipts, nil
}

func (s *mboxSink) store(ctx context.Context, frames []*mboxFrame) error {
	if err := s.ready(); err != nil {
		return err
	}
	end, err := s.write(ctx, frames)
	if err != nil {
		return err
	}
	if err := s.publishSidecars(ctx, frames); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	if err := durable.Confirm(s.cfg.FS, s.cfg.Dir); err != nil {
		return err
	}
	durable.DropCache(s.file)
	if err := s.readBack(ctx, frames, end); err != nil {
		return err
	}
	s.end = end
	return nil
}

// ready opens the segment, beginning a new one where that is due.
func (s *mboxSink) ready() error {
	if s.segment != "" && s.end >= s.cfg.SegmentOctets {
		if err := s.closeFile(); err != nil {
			return err
		}
		s.segment = ""
	}
	if s.segment == "" {
		name := s.cfg.segmentName(s.number + 1)
		f, err := s.cfg.FS.OpenFile(s.cfg.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, durable.FilePerm)
		if err != nil {
			return err
		}
		s.number, s.segment, s.file, s.end = s.number+1, name, f, 0
		return durable.SyncDir(s.cfg.FS, s.cfg.Dir)
	}
	if s.file != nil {
		return nil
	}
	f, err := s.cfg.FS.OpenFile(s.cfg.path(s.segment), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	s.file = f
	return wantOctets(f, s.end)
}

// wantOctets checks that nobody else wrote to a file.
func wantOctets(f durable.File, octets int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != octets {
		return fmt.Errorf("file has %d octets instead of %d: another program changed it", info.Size(), octets)
	}
	return nil
}

// batchOctets bounds the mail that is encoded before it is written.
const batchOctets = 4 << 20 // 4 MiB

// write appends the frames and returns where they end.
func (s *mboxSink) write(ctx context.Context, frames []*mboxFrame) (int64, error) {
	end := s.end
	for len(frames) > 0 {
		if f := frames[0]; f.large {
			if err := s.stream(ctx, f, end); err != nil {
				return 0, err
			}
			end = f.span.end()
			frames = frames[1:]
			continue
		}
		n, octets := 0, int64(0)
		for n < len(frames) && !frames[n].large && (n == 0 || octets+frames[n].octets <= batchOctets) {
			octets += frames[n].octets
			n++
		}
		if err := s.cfg.Codecs.each(ctx, frames[:n], s.encode); err != nil {
			return 0, err
		}
		for _, f := range frames[:n] {
			f.settle(s.segment, span{end, int64(len(*f.compressed))}, checksumOf(*f.compressed))
			_, err := s.file.WriteAt(*f.compressed, end)
			compressedPool.Put(f.compressed)
			f.compressed = nil
			if err != nil {
				return 0, err
			}
			end = f.span.end()
		}
		frames = frames[n:]
	}
	return end, nil
}

// settle enters where the frame lies.
func (f *mboxFrame) settle(segment string, where span, sum checksum) {
	f.span = where
	for i := range f.places {
		f.places[i].segment, f.places[i].frame, f.places[i].sum = segment, where, sum
	}
}

// encode makes the frame's octets in memory.
func (s *mboxSink) encode(f *mboxFrame, scratch *mboxScratch) error {
	text := appender{scratch.text[:0]}
	for i := range f.messages {
		at := int64(len(text.octets))
		if err := scratch.encoder.encodeMessage(&text, &f.messages[i]); err != nil {
			return messageError(&f.messages[i], err)
		}
		f.places[i].text = span{at, int64(len(text.octets)) - at}
		f.places[i].raw, f.places[i].noEOL = scratch.encoder.bareLF, scratch.encoder.noFinalEOL
	}
	scratch.text = text.octets
	f.text = int64(len(text.octets))
	f.compressed = compressedPool.Get().(*[]byte)
	var err error
	*f.compressed, err = s.codec.encode((*f.compressed)[:0], text.octets, s.cfg.Codecs.effort())
	return err
}

// stream writes a frame that holds one large message, from offset at on.
func (s *mboxSink) stream(ctx context.Context, f *mboxFrame, at int64) error {
	release, err := acquire(ctx, s.cfg.Codecs.large)
	if err != nil {
		return err
	}
	defer release()
	var sum summer
	file := &counter{w: io.MultiWriter(io.NewOffsetWriter(s.file, at), &sum)}
	buffered := bufio.NewWriterSize(file, 256<<10)
	compressor, err := s.codec.writer(buffered)
	if err != nil {
		return err
	}
	text := &counter{w: compressor}
	lines := bufio.NewWriterSize(text, 64<<10)
	var encoder mboxrdEncoder
	err = encoder.encodeMessage(lines, &f.messages[0])
	err = errors.Join(err, lines.Flush(), compressor.Close(), buffered.Flush())
	if err != nil {
		return messageError(&f.messages[0], err)
	}
	f.text = text.octets
	f.places[0] = place{text: span{0, text.octets}, raw: encoder.bareLF, noEOL: encoder.noFinalEOL}
	f.settle(s.segment, span{at, file.octets}, sum.sum())
	return nil
}

// counter counts what is written through it.
type counter struct {
	w      io.Writer
	octets int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.octets += int64(n)
	return n, err
}

func messageError(m *Message, err error) error { return fmt.Errorf("message %d: %w", m.Ordinal, err) }

// Committed implements Sink.
func (s *mboxSink) Committed(ctx context.Context) error {
	for rest := s.pending; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Segment == rest[0].Segment {
			n++
		}
		if err := s.index.add(s.cfg, rest[:n]); err != nil {
			return &Error{Op: "store", Object: s.cfg.path(indexName(rest[0].Segment)), Err: err}
		}
		rest = rest[n:]
	}
	clear(s.pending)
	s.pending = s.pending[:0]
	return nil
}

// Close implements Sink.
func (s *mboxSink) Close() error {
	if err := errors.Join(s.closeFile(), s.index.close()); err != nil {
		return &Error{Op: "close", Object: s.cfg.Dir, Err: err}
	}
	return nil
}

func (s *mboxSink) closeFile() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

package sinks

import (
	"context"
	"errors"
	"fmt"
)

// readCopy is what reading a copy gave.
type readCopy struct {
	line indexLine // as it is to stand in the index
	text int64     // octets in its frame
}

// readCopy reads a copy again and compares it. Where stored octets changed and
// the copy still decodes to what was verified, that is told of the file alone.
func (v *mboxInspection) readCopy(ctx context.Context, s *segmentCheck, c *placedCopy) (*readCopy, error) {
	read, err := v.readPlace(ctx, c, c.place)
	if !errors.Is(err, errChecksum) || context.Cause(ctx) != nil {
		return read, err
	}
	file := v.fileOf(c, err)
	place := c.place
	place.sum, place.rawSum = checksum{}, checksum{}
	v.reader.salvaging = true
	read, err = v.readPlace(ctx, c, place)
	v.reader.salvaging = false
	s.damaged = true
	if err == nil && v.changed != (changedFrame{file, place.frame}) {
		v.changed = changedFrame{file, place.frame}
		v.found(Finding{File: file, Err: fmt.Errorf("%w: frame at %d: %w; message %d in it still decodes to what was verified",
			ErrDamaged, place.frame.at, errChecksum, c.Ordinal)})
	}
	return read, err
}

// changedFrame is a frame, or the sidecar of a message in it.
type changedFrame struct {
	file string
	span
}

func (v *mboxInspection) readPlace(ctx context.Context, c *placedCopy, p place) (*readCopy, error) {
	r := v.reader
	body, err := r.Read(ctx, c.Copy)
	if err != nil {
		return &readCopy{}, err
	}
	line, err := lineFrom(c.Copy, c.place, body)
	if p.raw && errors.Is(err, errCopyDiffers) {
		err = &sidecarError{rawName(c.Digest, p.segment), err}
	}
	if err == nil && p.raw { // the entry in the segment is to say the same as the sidecar
		err = v.compareEntry(c, p, line.SHA256LF)
	}
	if err != nil {
		return &readCopy{}, r.fail("verify", c.Copy, damaged(err))
	}
	read := &readCopy{line: line, text: p.text.len}
	if r.frame == p.frameID() {
		read.text = int64(len(r.text))
	}
	return read, nil
}

// compareEntry compares the entry that stands in the segment for a message
// with a sidecar.
func (v *mboxInspection) compareEntry(c *placedCopy, p place, want Digest) error {
	entry, err := v.reader.openEntry(c.Copy, p)
	if err != nil {
		return err
	}
	_, _, lf, err := digestsOf(entry)
	if err == nil && lf != want {
		err = errCopyDiffers
	}
	return err
}

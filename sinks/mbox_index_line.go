package sinks

import (
	"context"
	"io"

	"popmigrate/internal/header"
)

// line makes the index line of a copy from the archive.
func (r *mboxReader) line(ctx context.Context, c Copy) (indexLine, error) {
	p, err := parsePlace(c.Where)
	if err != nil {
		return indexLine{}, r.fail("read", c, err)
	}
	body, err := r.Read(ctx, c)
	if err != nil {
		return indexLine{}, err
	}
	line, err := lineFrom(c, p, body)
	if err != nil {
		return indexLine{}, r.fail("read", c, err)
	}
	return line, nil
}

// headKeeper keeps the beginning of what is written to it.
type headKeeper struct{ octets []byte }

func (k *headKeeper) Write(p []byte) (int, error) {
	k.octets = append(k.octets, p[:min(len(p), header.MaxSection-len(k.octets))]...)
	return len(p), nil
}

// lineFrom makes the index line of a copy from its wire form, which it closes.
// One that differs from what was verified is an errCopyDiffers.
func lineFrom(c Copy, p place, body io.ReadCloser) (indexLine, error) {
	defer body.Close()
	sums, head := newFormSums(), &headKeeper{}
	octets, err := io.Copy(io.MultiWriter(sums, head), body)
	if err != nil {
		return indexLine{}, err
	}
	wire, lf := sums.digests()
	if octets != c.Octets || wire != c.Digest {
		return indexLine{}, errCopyDiffers
	}
	f := header.Scan(head.octets)
	m := Message{Ordinal: c.Ordinal, UniqueID: c.UniqueID, Session: c.Session, Octets: c.Octets, Digest: c.Digest,
		Summary: Summary{MessageID: f.MessageID, From: f.From, Date: f.Date}}
	return lineOf(&m, p, lf), nil
}

// digestsOf reads body to its end and closes it.
func digestsOf(body io.ReadCloser) (octets int64, wire, lf Digest, err error) {
	defer body.Close()
	sums := newFormSums()
	if octets, err = io.Copy(sums, body); err != nil {
		return 0, wire, lf, err
	}
	wire, lf = sums.digests()
	return octets, wire, lf, nil
}

package sinks

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"

	"popmigrate/internal/durable"
)

// VerifyMbox reads an archive again. Of the copies that sample picks (all,
// where it is nil) it compares the octets with the digest and reports each,
// with nil or with an error that wraps ErrDamaged or says why it could not be
// read. Of all copies it checks the layout: frames fill each segment, and
// messages each frame, without gap, overlap or surplus. Of frames from which
// nothing was sampled it does not know the end.
//
// The error it returns is what is wrong with the layout, or that the archive
// could not be read at all. Copies are verified fastest in the order they lie.
func VerifyMbox(ctx context.Context, cfg MboxConfig, copies iter.Seq[Copy], sample func(Copy) bool, report func(Copy, error)) error {
	r, err := newMboxReader(cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	r.texts = map[place]int64{}
	layout := map[string][]place{}
	for c := range copies {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		p, err := parsePlace(c.Where)
		if err != nil {
			report(c, r.fail("verify", c, damaged(err)))
			continue
		}
		layout[p.segment] = append(layout[p.segment], p)
		if sample == nil || sample(c) {
			report(c, r.check(ctx, c, p))
		}
	}
	return r.checkLayout(layout)
}

// check compares one copy with its digest.
func (r *mboxReader) check(ctx context.Context, c Copy, p place) error {
	body, err := r.Read(ctx, c)
	if err != nil {
		return err
	}
	octets, wire, lf, err := digestsOf(body)
	if err != nil {
		return err
	}
	if octets != c.Octets || wire != c.Digest {
		return r.fail("verify", c, errCopyDiffers)
	}
	if p.raw { // the entry in the segment is to say the same as the sidecar
		entry, err := r.openEntry(c, p)
		if err != nil {
			return r.fail("verify", c, damaged(err))
		}
		_, _, entryLF, err := digestsOf(entry)
		if err != nil {
			return err
		}
		if entryLF != lf {
			return r.fail("verify", c, errCopyDiffers)
		}
	}
	if p.text.at == 0 && p.text.len > streamedText {
		r.texts[place{segment: p.segment, frame: p.frame}] = p.text.len // read to the frame's end
	}
	return nil
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

// checkLayout checks that the places fill their segments, and that there is
// no other segment.
func (r *mboxReader) checkLayout(layout map[string][]place) error {
	var problems []error
	problem := func(name string, format string, args ...any) {
		err := fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
		problems = append(problems, &Error{Op: "verify", Object: r.cfg.path(name), Err: err})
	}
	entries, err := durable.ReadDir(r.cfg.FS, r.cfg.Dir)
	if err != nil {
		return &Error{Op: "verify", Object: r.cfg.Dir, Err: err}
	}
	for _, e := range entries {
		if _, ok := segmentNumber(e.Name()); ok && layout[e.Name()] == nil {
			problem(e.Name(), "no message is known to lie in this segment")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(layout)) {
		info, err := r.cfg.FS.Lstat(r.cfg.path(name))
		if err != nil {
			problem(name, "%v", err)
			continue
		}
		end, fault := r.walk(layout[name])
		if fault == "" && end != info.Size() {
			fault = fmt.Sprintf("the file has %d octets, its messages end at %d", info.Size(), end)
		}
		if fault != "" {
			problem(name, "%s", fault)
		}
	}
	return errors.Join(problems...)
}

// walk goes through the places of a segment and returns where they end, or
// the first fault.
func (r *mboxReader) walk(places []place) (end int64, fault string) {
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.frame.at, b.frame.at), cmp.Compare(a.text.at, b.text.at))
	})
	var frame span // whose messages are gone through
	var text int64 // up to where
	closeFrame := func(segment string) bool {
		known, ok := r.texts[place{segment: segment, frame: frame}]
		return !ok || known == text
	}
	for _, p := range places {
		if p.frame != frame {
			if frame.len > 0 && !closeFrame(p.segment) {
				return 0, fmt.Sprintf("the frame at %d holds text beyond its messages", frame.at)
			}
			if p.frame.at != frame.end() {
				return 0, fmt.Sprintf("frames do not follow each other at %d", p.frame.at)
			}
			frame, text = p.frame, 0
		}
		if p.text.at != text {
			return 0, fmt.Sprintf("messages in the frame at %d do not follow each other at %d", p.frame.at, p.text.at)
		}
		text = p.text.end()
	}
	if !closeFrame(places[0].segment) {
		return 0, fmt.Sprintf("the frame at %d holds text beyond its messages", frame.at)
	}
	return frame.end(), ""
}

// IndexCopies yields the copies that the indexes in dir list, so that an
// archive can be verified without its ledger. A line that cannot be read
// yields an error and the sequence goes on; where a file cannot be read it ends.
func IndexCopies(fsys durable.FS, dir string) iter.Seq2[Copy, error] {
	cfg := MboxConfig{FS: fsys, Dir: dir}
	return func(yield func(Copy, error) bool) {
		entries, err := durable.ReadDir(fsys, dir)
		if err != nil {
			yield(Copy{}, &Error{Op: "read index", Object: dir, Err: err})
			return
		}
		var names []string
		for _, e := range entries {
			if _, ok := indexNumber(e.Name()); ok {
				names = append(names, e.Name())
			}
		}
		slices.Sort(names)
		for _, name := range names {
			if !yieldIndex(cfg, name, yield) {
				return
			}
		}
	}
}

// maxIndexLine bounds a line; what goes into one is bounded far below it.
const maxIndexLine = 1 << 20 // 1 MiB

func yieldIndex(cfg MboxConfig, name string, yield func(Copy, error) bool) bool {
	file, err := cfg.FS.OpenFile(cfg.path(name), os.O_RDONLY, 0)
	if err != nil {
		yield(Copy{}, &Error{Op: "read index", Object: cfg.path(name), Err: err})
		return false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxIndexLine)
	for n := 1; lines.Scan(); n++ {
		c, err := parseLine(lines.Bytes())
		if err != nil {
			err = &Error{Op: "read index", Object: cfg.path(name), Err: fmt.Errorf("%w: line %d: %w", ErrDamaged, n, err)}
		}
		if !yield(c, err) {
			return false
		}
	}
	if err := lines.Err(); err != nil {
		yield(Copy{}, &Error{Op: "read index", Object: cfg.path(name), Err: err})
		return false
	}
	return true
}

func parseLine(line []byte) (Copy, error) {
	var l indexLine
	if err := json.Unmarshal(line, &l); err != nil {
		return Copy{}, err
	}
	p, err := l.place()
	if err != nil {
		return Copy{}, err
	}
	return Copy{Ordinal: l.Ordinal, UniqueID: l.UniqueID, Session: l.Session, Octets: l.Octets, Digest: l.SHA256, Where: p.where()}, nil
}

package sinks

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"popmigrate/internal/durable"
)

// VerifyMbox verifies an archive and changes nothing. Each copy that is picked
// is read, decoded and compared with its digest, and so is its line in the
// index. In any case it checks the id, that frames fill each segment and
// messages each frame without gap, overlap or surplus (the end of a frame from
// which nothing was picked is not known), that each index lists exactly the
// copies, and that every file has a reason to be there.
//
// What is wrong is told to check.Found; the error is ctx's, or says why the
// archive could not be looked at.
func VerifyMbox(ctx context.Context, cfg MboxConfig, check Check) error {
	r, err := newMboxReader(cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	v := &mboxInspection{inspection: inspection{&check, r.cfg.FS, r.cfg.Dir}, reader: r, lines: bufio.NewReaderSize(nil, maxIndexLine),
		segments: map[string]*segmentCheck{}, sidecars: map[string]bool{}}
	if err := v.copies(ctx); err != nil {
		return err
	}
	if err := v.list(); err != nil || v.gone {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(v.segments)) {
		if err := v.segment(ctx, v.segments[name]); err != nil {
			return err
		}
	}
	v.strays()
	return nil
}

// mboxInspection is a verification of an mbox archive under way.
type mboxInspection struct {
	inspection
	reader   *mboxReader
	lines    *bufio.Reader            // for one index after the other
	segments map[string]*segmentCheck // by name; those on disk and those that copies name
	indexes  []string
	others   []string        // files that are neither, relative to dir
	sidecars map[string]bool // that copies need, relative to dir: whether they are there
	newest   int             // highest number of a segment with copies
	gone     bool            // nothing is there
	changed  changedFrame    // that was told of last
}

// segmentCheck is one segment.
type segmentCheck struct {
	name    string
	number  int
	octets  int64 // of the file, -1 where there is none
	copies  []placedCopy
	damaged bool
}

// spoiled tells of damage to a segment as a whole.
func (v *mboxInspection) spoiled(s *segmentCheck, format string, args ...any) {
	s.damaged = true
	v.damage(s.name, format, args...)
}

type placedCopy struct {
	Copy
	place place
}

func (v *mboxInspection) segmentCheck(name string) *segmentCheck {
	s := v.segments[name]
	if s == nil {
		number, _ := segmentNumber(name)
		s = &segmentCheck{name: name, number: number, octets: -1}
		v.segments[name] = s
	}
	return s
}

// copies shares the copies out among their segments, in the order they lie.
func (v *mboxInspection) copies(ctx context.Context) error {
	for c := range v.check.Copies {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		p, err := parsePlace(c.Where)
		if err != nil {
			v.found(Finding{File: v.dir, Copy: &c, Err: damaged(err)})
			continue
		}
		s := v.segmentCheck(p.segment)
		p.segment = s.name // one string for all
		s.copies = append(s.copies, placedCopy{c, p})
		v.newest = max(v.newest, s.number)
		if p.raw {
			v.sidecars[rawName(c.Digest, p.segment)] = false
		}
	}
	for _, s := range v.segments {
		slices.SortFunc(s.copies, func(a, b placedCopy) int {
			return cmp.Or(cmp.Compare(a.place.frame.at, b.place.frame.at), cmp.Compare(a.place.text.at, b.place.text.at))
		})
	}
	return nil
}

// list finds out what is on disk.
func (v *mboxInspection) list() error {
	known := len(v.segments)
	entries, err := durable.ReadDir(v.fsys, v.dir)
	if err != nil {
		return &Error{Op: "verify", Object: v.dir, Err: err}
	}
	there := false // a segment that copies name
	for _, e := range entries {
		name := e.Name()
		_, isSegment := segmentNumber(name)
		_, isIndex := indexNumber(name)
		switch {
		case name == readmeFile || name == archiveFile || name == rawDir && e.IsDir():
		case isSegment && !e.IsDir():
			info, err := e.Info()
			if err != nil {
				return &Error{Op: "verify", Object: v.path(name), Err: err}
			}
			s := v.segmentCheck(name)
			s.octets = info.Size()
			there = there || len(s.copies) > 0
		case isIndex && !e.IsDir():
			v.indexes = append(v.indexes, name)
		default:
			v.others = append(v.others, name)
		}
	}
	marked, err := v.checkMark(mboxFormat)
	if err != nil {
		return err
	}
	if !marked && known > 0 && !there {
		copies := 0
		for _, s := range v.segments {
			copies += len(s.copies)
		}
		v.absent(copies)
		v.gone = true
	} else if !marked && len(v.segments) > 0 {
		v.unmarked()
	}
	return v.listSidecars()
}

func (v *mboxInspection) listSidecars() error {
	entries, err := durable.ReadDir(v.fsys, v.path(rawDir))
	if err != nil {
		return &Error{Op: "verify", Object: v.path(rawDir), Err: err}
	}
	for _, e := range entries {
		name := filepath.Join(rawDir, e.Name())
		if _, needed := v.sidecars[name]; needed {
			v.sidecars[name] = true
		} else {
			v.others = append(v.others, name)
		}
	}
	return nil
}

// segment verifies one segment with its index.
func (v *mboxInspection) segment(ctx context.Context, s *segmentCheck) error {
	switch {
	case len(s.copies) > 0:
	case s.number > v.newest:
		v.note(s.name, "no committed message lies in this segment; a crash may have left it, and the next run moves it aside")
		return nil
	default:
		v.damage(s.name, "no message is known to lie in this segment")
		return nil
	}
	v.layout(s)
	index := openIndexCheck(v, s)
	defer index.close()
	var frame frameID
	problems := map[int]error{}
	for i := range s.copies {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		c := &s.copies[i]
		var read *readCopy
		var problem error
		if v.picked(c.Copy) {
			read, problem = v.readCopy(ctx, s, c)
			if err := context.Cause(ctx); err != nil {
				return err
			}
		} else if name := rawName(c.Digest, s.name); c.place.raw && !v.sidecars[name] {
			problem = v.reader.fail("verify", c.Copy, fmt.Errorf("%w: %s is missing", ErrDamaged, name))
		}
		messageID := index.compare(c, read)
		if problem != nil {
			v.found(Finding{File: v.fileOf(c, problem), Copy: &c.Copy, MessageID: messageID, Err: problem})
			if problems[i] = problem; errors.Is(problem, ErrDamaged) {
				s.damaged = true
			}
		}
		if read != nil {
			v.read(c.Copy, problem == nil)
		}
		if read != nil && problem == nil && c.place.frameID() != frame {
			frame = c.place.frameID()
			v.frameEnd(s, i, read.text)
		}
	}
	index.end()
	if s.damaged {
		v.loseAll(s, problems)
	}
	return nil
}

// loseAll tells that no copy can stay in a segment.
func (v *mboxInspection) loseAll(s *segmentCheck, problems map[int]error) {
	for i := range s.copies {
		why := problems[i]
		if why == nil {
			why = fmt.Errorf("%s has other damage", s.name)
		}
		v.lost(s.copies[i].Copy, why)
	}
}

// layout checks that the places fill the file.
func (v *mboxInspection) layout(s *segmentCheck) {
	last := s.copies[len(s.copies)-1].place.frame
	switch end := last.end(); {
	case s.octets < 0:
		v.spoiled(s, "the file is missing; the ledger holds %d messages in it", len(s.copies))
	case s.octets < end:
		v.spoiled(s, "the file has %d octets, its messages end at %d", s.octets, end)
	case s.octets > end && s.number < v.newest:
		v.spoiled(s, "the file has %d octets, its messages end at %d", s.octets, end)
	case s.octets > end:
		v.note(s.name, fmt.Sprintf("%d octets follow the last committed message, which ends at %d; a crash may have left them, and the next run moves them aside", s.octets-end, end))
	}
	var frame span // whose messages are gone through
	var text int64 // up to where
	for i := range s.copies {
		p := &s.copies[i].place
		if p.frame != frame {
			switch end := frame.end(); {
			case p.frame.at > end:
				v.spoiled(s, "no message is known to lie in the octets from %d to %d", end, p.frame.at)
			case p.frame.at < end:
				v.spoiled(s, "the frames at %d and %d overlap", frame.at, p.frame.at)
			}
			frame, text = p.frame, 0
		}
		if p.text.at != text {
			v.spoiled(s, "messages in the frame at %d do not follow each other at %d", p.frame.at, min(text, p.text.at))
		}
		text = p.text.end()
	}
}

// frameEnd checks that the frame of copy i, which holds so many octets of
// text, ends with its last message.
func (v *mboxInspection) frameEnd(s *segmentCheck, i int, text int64) {
	last := i
	for last+1 < len(s.copies) && s.copies[last+1].place.frame == s.copies[i].place.frame {
		last++
	}
	if end := s.copies[last].place.text.end(); text > end {
		v.spoiled(s, "the frame at %d holds text beyond its messages, which end at %d", s.copies[i].place.frame.at, end)
	}
}

// fileOf tells in which file what is wrong with a copy is: in its sidecar or
// in its segment.
func (v *mboxInspection) fileOf(c *placedCopy, problem error) string {
	var sidecar *sidecarError
	if errors.As(problem, &sidecar) || c.place.raw && !v.sidecars[rawName(c.Digest, c.place.segment)] {
		return v.path(rawName(c.Digest, c.place.segment))
	}
	return v.path(c.place.segment)
}

// strays tells of files that nobody accounts for.
func (v *mboxInspection) strays() {
	for _, name := range v.indexes {
		known := false
		for _, s := range v.segments {
			known = known || len(s.copies) > 0 && indexName(s.name) == name
		}
		number, _ := indexNumber(name)
		switch {
		case known:
		case number > v.newest:
			v.note(name, "nothing that was committed when the ledger was read lies in the segment of this index")
		default:
			v.derived(name, "this index has no segment")
		}
	}
	for _, name := range v.others {
		if strings.HasSuffix(name, durable.TempSuffix) {
			v.note(name, "a write that was not finished left this file; the next run removes it")
		} else {
			v.note(name, "nothing is known of this file")
		}
	}
}

// isAbsent tells whether err says that a file does not exist.
func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

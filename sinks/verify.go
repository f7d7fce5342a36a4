package sinks

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"strings"

	"popmigrate/internal/durable"
)

// Check says what an archive is verified against, and who is told.
type Check struct {
	// Mark is what the ledger holds of the archive; nil where there is no
	// ledger and the archive is verified by its own index.
	Mark *Mark

	Copies iter.Seq[Copy]  // that are to be there
	Pick   func(Copy) bool // which of them are read; nil means all. What costs little is checked of all.

	Read  func(Copy, bool) // called for every copy that was read, and whether it is sound
	Found func(Finding)    // called for everything that is to be told

	// Lost is called for every copy that cannot stay where it is: the damaged
	// ones, and in an mbox archive all that share a segment with damage, so
	// that what stays can be read by every mbox program.
	Lost func(Copy, error)
}

// Mark is what a ledger holds of an archive as a whole.
type Mark struct {
	ArchiveID  string
	Generation int64
}

// Finding is one thing that verifying an archive found.
type Finding struct {
	File      string // path of the file concerned, or of the folder
	Copy      *Copy  // the copy that cannot be relied on; nil where no message is concerned
	MessageID string // of the copy, if the index still tells
	Note      bool   // no damage: what a crash, a mail program or a person may leave
	Derived   bool   // nothing is lost by it: the file is made anew from ledger and mail
	Err       error  // wraps ErrDamaged, or says why something could not be read
}

// String returns the finding as one line for a person.
func (f *Finding) String() string {
	text := f.Err.Error()
	if f.File != "" && !strings.Contains(text, f.File) {
		text = f.File + ": " + text
	}
	if f.MessageID != "" {
		text += ", Message-ID " + f.MessageID
	}
	return text
}

// ErrAbsent is wrapped, besides ErrDamaged, by the finding and the error that
// say that nothing of an archive is there: a disk may not be mounted.
var ErrAbsent = errors.New("nothing of the archive is there")

const (
	putBackHint = "is its disk mounted? was the archive moved? put it back where it was, or see popmigrate run --repair; " +
		"nothing of this maildrop is deleted on the server until then"
	absentHint = "is its disk mounted? was the archive moved? put it back where it was; if it is gone for good, " +
		"run popmigrate with --repair --archive-is-gone: what the server and other sinks still have is stored anew"
)

// inspection is a verification under way.
type inspection struct {
	check *Check
	fsys  durable.FS
	dir   string
}

func (v *inspection) path(elements ...string) string {
	return filepath.Join(append([]string{v.dir}, elements...)...)
}

func (v *inspection) damage(file string, format string, args ...any) {
	v.found(Finding{File: v.path(file), Err: fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))})
}

// derived tells of damage to a file that can be made anew.
func (v *inspection) derived(file string, what string) {
	v.found(Finding{File: v.path(file), Derived: true, Err: fmt.Errorf("%w: %s", ErrDamaged, what)})
}

func (v *inspection) note(file string, why string) {
	v.found(Finding{File: v.path(file), Note: true, Err: errors.New(why)})
}

func (v *inspection) found(f Finding) {
	if v.check.Found != nil {
		v.check.Found(f)
	}
}

func (v *inspection) read(c Copy, sound bool) {
	if v.check.Read != nil {
		v.check.Read(c, sound)
	}
}

func (v *inspection) lost(c Copy, why error) {
	if v.check.Lost != nil {
		v.check.Lost(c, why)
	}
}

func (v *inspection) picked(c Copy) bool { return v.check.Pick == nil || v.check.Pick(c) }

// checkMark compares popmigrate.id with what the ledger holds; there tells
// whether it exists.
func (v *inspection) checkMark(format string) (there bool, err error) {
	content, err := durable.ReadFile(v.fsys, v.path(archiveFile), maxArchiveFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, &Error{Op: "verify", Object: v.path(archiveFile), Err: err}
	}
	mark, err := parseMark(content)
	switch known := v.check.Mark; {
	case err != nil:
		v.found(Finding{File: v.path(archiveFile), Derived: true, Err: err})
	case mark.Format != format:
		v.damage(archiveFile, "it says that this archive is in format %.64q, not %q", mark.Format, format)
	case known == nil:
	case mark.ID != known.ArchiveID:
		v.foreign("the archive has id %.64q, the ledger %q", mark.ID, known.ArchiveID)
	case mark.Generation > known.Generation:
		v.foreign("the archive was last opened as generation %d, this ledger is at %d and so is an older copy", mark.Generation, known.Generation)
	}
	return true, nil
}

func (v *inspection) foreign(format string, args ...any) {
	v.found(Finding{File: v.path(archiveFile), Err: fmt.Errorf("%w: %w", ErrForeign, fmt.Errorf(format, args...))})
}

// absent is the finding that nothing of an archive is there.
func (v *inspection) absent(copies int) {
	v.found(Finding{File: v.dir, Err: &Error{Op: "verify", Object: v.dir, Hint: absentHint,
		Err: fmt.Errorf("%w: %w; %d messages are to be in it", ErrDamaged, ErrAbsent, copies)}})
}

// unmarked is the finding that an archive has lost its id.
func (v *inspection) unmarked() {
	v.derived(archiveFile, "the file is missing; it ties the archive to its ledger")
}

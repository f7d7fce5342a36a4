package durabletest

import (
	"errors"
	"io/fs"
	"syscall"
)

// Call is one call of a method of FS or of a file of it, Name and Close excepted.
type Call struct {
	N    int    // counts calls, from 1
	Op   string // "open", "mkdir", "rename", "remove", "lstat", "stat", "read", "write", "truncate", "sync", "confirm", "readdir"
	Name string // as the file was opened
}

// Hook makes hook see every later call before it takes effect; nil removes it.
// An error from it fails the call, without effect, but for four: a write that
// fails with ENOSPC leaves its first half behind, what a failed sync could not
// write is never made durable by a later one, and [ErrFlipped] and [GivesUp]
// fail nothing.
// The hook must not call FS.
func (f *FS) Hook(hook func(Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Calls returns how many calls there were.
func (f *FS) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// CrashAt returns a hook that fails call n, counted from the first it sees,
// and every later one with [ErrCrashed].
func CrashAt(n int) func(Call) error {
	seen := 0
	return func(Call) error {
		if seen++; seen >= n {
			return ErrCrashed
		}
		return nil
	}
}

// FailAt returns a hook that fails the n-th call of op that it sees with err,
// and no other. op "" means any call.
func FailAt(op string, n int, err error) func(Call) error {
	seen := 0
	return func(c Call) error {
		if op != "" && c.Op != op {
			return nil
		}
		if seen++; seen == n {
			return err
		}
		return nil
	}
}

// enter counts a call and lets the hook fail it.
func (f *FS) enter(op, name string) error {
	f.calls++
	if f.hook == nil {
		return nil
	}
	err := f.hook(Call{N: f.calls, Op: op, Name: name})
	if up, ok := errors.AsType[*GivesUp](err); ok {
		f.given = append(f.given, &givenUp{path: up.Disk})
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// ErrFlipped, from a hook on a write, lets the disk store one bit wrong and say
// nothing.
var ErrFlipped = errors.New("a bit was stored wrong")

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }

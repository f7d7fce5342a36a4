package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// errHeld is what tryLock returns when another open file holds the lock.
var errHeld = errors.New("lock is held")

// takeLock takes the run lock: a lock of the system's on the file at path,
// which goes with the process however that ends. The file itself stays: to
// remove it would let two runs lock two files of one name. Its text names the
// holder for the error of whoever comes second, and means nothing else.
func takeLock(path string, now time.Time) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if errors.Is(err, errHeld) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, holder(f))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := nameHolder(f, now); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// nameHolder writes the file anew in one call, so that who reads it in
// between sees all or nothing of it.
func nameHolder(f *os.File, now time.Time) error {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	text := fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), host, now.UTC().Format(time.RFC3339))
	_, err = f.WriteAt([]byte(text), 0)
	return err
}

// holder returns what the lock file says of its holder, made fit for an error.
func holder(f *os.File) string {
	const most = 300 // octets
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil || len(text) == 0 {
		return "its holder has not named itself yet"
	}
	return "held by " + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(text), "?"))
}

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package checkpoint

import (
	"errors"
	"os"
)

// tryLock refuses: without a lock two runs could share a ledger.
func tryLock(*os.File) error { return errors.ErrUnsupported }

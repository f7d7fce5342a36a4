//go:build unix

package main

import "golang.org/x/sys/unix"

// openFiles returns how many files the process may have open. The runtime has
// raised the soft limit to the hard one by now.
func openFiles() (limit uint64, known bool) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, false
	}
	return uint64(r.Cur), true // signed on some systems
}

//go:build !linux && !windows

package durable

import "os"

func syncFile(f *os.File) error { return f.Sync() }

func dropCache(*os.File) {}

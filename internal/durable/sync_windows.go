package durable

import "os"

// syncFile does nothing for a directory: Windows has no such call.
func syncFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return nil
	}
	return f.Sync()
}

func dropCache(*os.File) {}

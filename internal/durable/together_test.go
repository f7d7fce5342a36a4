package durable

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Files of a group, few and many, are written and there; where the directory
// went away, some step says so.
func TestGroup(t *testing.T) {
	for _, files := range []int{1, 100} {
		dir := t.TempDir()
		group := NewGroup(OS{}, dir, files)
		for i := range files {
			f, err := OS{}.OpenFile(filepath.Join(dir, fmt.Sprint(i)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, FilePerm)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte("mail")); err != nil {
				t.Fatal(err)
			}
			if err := group.Written(f); err != nil {
				t.Error(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := group.Sync(); err != nil {
			t.Error(err)
		}
		if err := group.Close(); err != nil {
			t.Error(err)
		}
	}
	gone := filepath.Join(t.TempDir(), "gone")
	group := NewGroup(OS{}, gone, 100) // each by itself, then
	f, err := OS{}.OpenFile(filepath.Join(t.TempDir(), "x"), os.O_WRONLY|os.O_CREATE, FilePerm)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if group.all == nil && group.Written(f) == nil {
		t.Error("a closed file was synced")
	}
}

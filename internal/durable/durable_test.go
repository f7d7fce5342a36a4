package durable_test

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"popmigrate/internal/durable"
)

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing on Windows")
	}
	dir := filepath.Join(t.TempDir(), "a")
	if err := durable.MkdirAll(durable.OS{}, dir); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "file")
	if err := durable.Publish(durable.OS{}, name, func(io.Writer) error {
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, name: 0o600} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

// TestMkdirAllThroughLink: an archive may lie behind a symbolic link.
func TestMkdirAllThroughLink(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "disk"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("disk", filepath.Join(root, "archive")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := durable.MkdirAll(durable.OS{}, filepath.Join(root, "archive", "alice")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(root, "disk", "alice")); err != nil || !info.IsDir() {
		t.Fatal("not made behind the link")
	}
}

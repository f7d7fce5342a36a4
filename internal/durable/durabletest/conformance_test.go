package durabletest_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
)

// TestConformance holds the double to what package os does.
func TestConformance(t *testing.T) {
	t.Run("os", func(t *testing.T) { conform(t, durable.OS{}, t.TempDir()) })
	t.Run("double", func(t *testing.T) {
		fsys := durabletest.New()
		check(t, fsys.Mkdir("/tmp", 0o700))
		conform(t, fsys, "/tmp")
	})
}

func conform(t *testing.T, fsys durable.FS, root string) {
	for name, test := range map[string]func(*testing.T, durable.FS, string){
		"open flags": openFlags, "reading": reading, "writing": writing, "directories": directories,
		"rename and remove": renameRemove, "publish": publish, "mkdirall": mkdirAll,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, filepath.Base(t.Name()))
			check(t, fsys.Mkdir(dir, durable.DirPerm))
			test(t, fsys, dir)
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	if !errors.As(err, &pathErr) && !errors.As(err, &linkErr) {
		t.Fatalf("error %v is neither a path error nor a link error", err)
	}
}

func put(t *testing.T, fsys durable.FS, name, content string) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, durable.FilePerm)
	check(t, err)
	n, err := f.Write([]byte(content))
	check(t, err)
	if n != len(content) {
		t.Fatalf("wrote %d octets of %d", n, len(content))
	}
	check(t, f.Sync())
	check(t, f.Close())
}

func wantFile(t *testing.T, fsys durable.FS, name, content string) {
	t.Helper()
	got, err := durable.ReadFile(fsys, name, 1<<20)
	check(t, err)
	if string(got) != content {
		t.Fatalf("%s holds %q, want %q", name, got, content)
	}
}

func wantNone(t *testing.T, fsys durable.FS, name string) {
	t.Helper()
	_, err := fsys.Lstat(name)
	wantErr(t, err, fs.ErrNotExist)
}

func names(t *testing.T, fsys durable.FS, dir string) []string {
	t.Helper()
	entries, err := durable.ReadDir(fsys, dir)
	check(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	slices.Sort(all)
	return all
}

func openFlags(t *testing.T, fsys durable.FS, dir string) {
	name := filepath.Join(dir, "a")
	_, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	wantErr(t, err, fs.ErrNotExist)
	_, err = fsys.OpenFile(filepath.Join(dir, "no", "a"), os.O_CREATE|os.O_WRONLY, 0o600)
	wantErr(t, err, fs.ErrNotExist)
	put(t, fsys, name, "first")
	_, err = fsys.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	wantErr(t, err, fs.ErrExist)
	_, err = fsys.OpenFile(dir, os.O_WRONLY, 0)
	if err == nil {
		t.Fatal("a directory was opened for writing")
	}

	f, err := fsys.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.Write([]byte(" second"))
	check(t, err)
	if _, err := f.Read(make([]byte, 1)); err == nil {
		t.Fatal("read from a file opened for writing")
	}
	check(t, f.Close())
	if _, err := f.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
		t.Fatalf("write to a closed file: %v", err)
	}
	wantFile(t, fsys, name, "first second")

	f, err = fsys.OpenFile(name, os.O_RDONLY, 0)
	check(t, err)
	if _, err := f.Write([]byte("x")); err == nil {
		t.Fatal("wrote to a file opened for reading")
	}
	check(t, f.Close())
	wantFile(t, fsys, name, "first second")
}

func reading(t *testing.T, fsys durable.FS, dir string) {
	name := filepath.Join(dir, "a")
	put(t, fsys, name, "0123456789")
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	check(t, err)
	defer f.Close()
	p := make([]byte, 4)
	for _, want := range []string{"0123", "4567", "89"} {
		n, err := f.Read(p)
		check(t, err)
		if string(p[:n]) != want {
			t.Fatalf("read %q, want %q", p[:n], want)
		}
	}
	if n, err := f.Read(p); n != 0 || err != io.EOF {
		t.Fatalf("at the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(p, 8); n != 2 || err != io.EOF {
		t.Fatalf("ReadAt over the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(p, 6); n != 4 || err != nil {
		t.Fatalf("ReadAt up to the end: %d, %v", n, err)
	}
	info, err := f.Stat()
	check(t, err)
	if info.Size() != 10 || info.IsDir() || info.Name() != "a" || f.Name() != name {
		t.Fatalf("Stat: %v, %d octets", info.Name(), info.Size())
	}
}

func writing(t *testing.T, fsys durable.FS, dir string) {
	name := filepath.Join(dir, "a")
	f, err := fsys.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_EXCL, durable.FilePerm)
	check(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("xyz"), 5)
	check(t, err)
	wantFile(t, fsys, name, "\x00\x00\x00\x00\x00xyz")
	_, err = f.WriteAt([]byte("abcdef"), 0)
	check(t, err)
	wantFile(t, fsys, name, "abcdefyz")
	check(t, f.Truncate(3))
	wantFile(t, fsys, name, "abc")
	check(t, f.Truncate(5))
	wantFile(t, fsys, name, "abc\x00\x00")
	check(t, f.Sync())
	durable.DropCache(f)
	wantFile(t, fsys, name, "abc\x00\x00")
}

func directories(t *testing.T, fsys durable.FS, dir string) {
	put(t, fsys, filepath.Join(dir, "b"), "")
	check(t, fsys.Mkdir(filepath.Join(dir, "a"), durable.DirPerm))
	wantErr(t, fsys.Mkdir(filepath.Join(dir, "a"), durable.DirPerm), fs.ErrExist)
	wantErr(t, fsys.Mkdir(filepath.Join(dir, "x", "y"), durable.DirPerm), fs.ErrNotExist)
	if got := names(t, fsys, dir); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("directory lists %q", got)
	}
	if got := names(t, fsys, filepath.Join(dir, "none")); got != nil {
		t.Fatalf("directory that is not there lists %q", got)
	}
	d, err := fsys.OpenFile(dir, os.O_RDONLY, 0)
	check(t, err)
	defer d.Close()
	for range 2 {
		entries, err := d.ReadDir(1)
		check(t, err)
		if len(entries) != 1 {
			t.Fatalf("%d entries", len(entries))
		}
	}
	if _, err := d.ReadDir(1); err != io.EOF {
		t.Fatalf("ReadDir at the end: %v", err)
	}
	info, err := d.Stat()
	check(t, err)
	if !info.IsDir() || !info.Mode().IsDir() {
		t.Fatal("a directory that says it is none")
	}
	check(t, d.Sync())
}

func renameRemove(t *testing.T, fsys durable.FS, dir string) {
	a, b, sub := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "sub")
	wantErr(t, fsys.Rename(a, b), fs.ErrNotExist)
	wantErr(t, fsys.Remove(a), fs.ErrNotExist)
	put(t, fsys, a, "new")
	put(t, fsys, b, "old")
	check(t, fsys.Rename(a, b))
	wantFile(t, fsys, b, "new")
	wantNone(t, fsys, a)
	check(t, fsys.Mkdir(sub, durable.DirPerm))
	check(t, fsys.Rename(b, filepath.Join(sub, "c")))
	wantFile(t, fsys, filepath.Join(sub, "c"), "new")
	if err := fsys.Remove(sub); err == nil {
		t.Fatal("removed a directory that is not empty")
	}
	check(t, fsys.Remove(filepath.Join(sub, "c")))
	check(t, fsys.Remove(sub))
	wantNone(t, fsys, sub)
}

func publish(t *testing.T, fsys durable.FS, dir string) {
	name := filepath.Join(dir, "id")
	put(t, fsys, name+durable.TempSuffix, "left by a crash")
	for _, content := range []string{"one", "two"} {
		check(t, durable.Publish(fsys, name, func(w io.Writer) error {
			_, err := io.WriteString(w, content)
			return err
		}))
		wantFile(t, fsys, name, content)
	}
	refused := errors.New("refused")
	if err := durable.Publish(fsys, name, func(io.Writer) error { return refused }); err != refused {
		t.Fatalf("error %v", err)
	}
	wantFile(t, fsys, name, "two")
	if got := names(t, fsys, dir); !slices.Equal(got, []string{"id"}) {
		t.Fatalf("left behind: %q", got)
	}
	if _, err := durable.ReadFile(fsys, name, 2); err == nil {
		t.Fatal("a file over the limit was read")
	}
}

func mkdirAll(t *testing.T, fsys durable.FS, dir string) {
	deep := filepath.Join(dir, "a", "b", "c")
	check(t, durable.MkdirAll(fsys, deep))
	check(t, durable.MkdirAll(fsys, deep))
	put(t, fsys, filepath.Join(deep, "file"), "x")
	if err := durable.MkdirAll(fsys, filepath.Join(deep, "file")); err == nil {
		t.Fatal("made a directory of a file")
	}
	if err := durable.MkdirAll(fsys, filepath.Join(deep, "file", "d")); err == nil {
		t.Fatal("made a directory below a file")
	}
}

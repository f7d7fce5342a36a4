package spool

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/iotest"
)

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewPCG(uint64(n), 1)
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return b
}

func open(t *testing.T, memory int64) *Spool {
	t.Helper()
	s, err := Open(t.TempDir(), memory)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMessagesComeBackWhole(t *testing.T) {
	for _, memory := range []int64{0, chunkOctets, 3 * chunkOctets, 64 << 20} {
		for _, step := range []int{1000, chunkOctets - 1, chunkOctets, 100_000} {
			t.Run(fmt.Sprintf("memory=%d/step=%d", memory, step), func(t *testing.T) {
				s := open(t, memory)
				w := s.NewWriter()
				var entries []*Entry
				lengths := []int{0, 1, 500, chunkOctets, 40_000, 5, largestInRAM, largestInRAM + 1, 3_000_000}
				for _, n := range lengths {
					for rest := content(n); len(rest) > 0; rest = rest[min(step, len(rest)):] {
						if _, err := w.Write(rest[:min(step, len(rest))]); err != nil {
							t.Fatal(err)
						}
					}
					entries = append(entries, w.Finish())
				}
				w.Close()
				for i, e := range entries {
					if e.Octets() != int64(lengths[i]) {
						t.Errorf("entry of %d octets says %d", lengths[i], e.Octets())
					}
					var direct bytes.Buffer
					r, _ := e.Open()
					if _, err := r.(io.WriterTo).WriteTo(&direct); err != nil || !bytes.Equal(direct.Bytes(), content(lengths[i])) {
						t.Errorf("WriteTo of %d octets differs (%v)", lengths[i], err)
					}
					if lengths[i] > 50_000 {
						continue // TestReader is slow
					}
					r, _ = e.Open()
					if err := iotest.TestReader(struct{ io.Reader }{r}, content(lengths[i])); err != nil {
						t.Error(err)
					}
				}
				if s.InMemory() > memory {
					t.Errorf("%d octets in memory, budget %d", s.InMemory(), memory)
				}
				for _, e := range entries {
					e.Release()
				}
				if s.InMemory() != 0 {
					t.Errorf("%d octets still in memory after every release", s.InMemory())
				}
				if left, _ := os.ReadDir(s.dir); len(left) != 0 {
					t.Errorf("%d files left", len(left))
				}
			})
		}
	}
}

func TestLargeMessageUsesAFile(t *testing.T) {
	s := open(t, 64<<20)
	w := s.NewWriter()
	w.Write(content(largestInRAM))
	if small := w.Finish(); small.InFile() {
		t.Error("a message of the largest length for memory went to a file")
	}
	w.Write(content(largestInRAM + 1))
	if large := w.Finish(); !large.InFile() {
		t.Error("a large message stayed in memory")
	}
}

func TestAbandonedMessageLeavesNothing(t *testing.T) {
	s := open(t, 0)
	w := s.NewWriter()
	w.Write(content(10))
	w.Abandon()
	w.Write([]byte("next"))
	e := w.Finish()
	r, _ := e.Open()
	if b, _ := io.ReadAll(r); string(b) != "next" {
		t.Errorf("after an abandoned message came %q", b)
	}
	e.Release()
	w.Close()
	if left, _ := os.ReadDir(s.dir); len(left) != 0 {
		t.Errorf("%d files left", len(left))
	}
}

func TestOpenRemovesLeftovers(t *testing.T) {
	dir := t.TempDir()
	left, other := filepath.Join(dir, filePrefix+"123"), filepath.Join(dir, "notes.txt")
	for _, name := range []string{left, other} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("leftover stays")
	}
	if _, err := os.Stat(other); err != nil {
		t.Error("foreign file removed")
	}
}

func TestBudgetHoldsUnderConcurrency(t *testing.T) {
	const budget = 8 * chunkOctets
	s := open(t, budget)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			w := s.NewWriter()
			defer w.Close()
			for i := range 50 {
				w.Write(content(7000 + i))
				e := w.Finish()
				if used := s.InMemory(); used > budget+16*chunkOctets {
					t.Errorf("%d octets in use", used)
				}
				r, _ := e.Open()
				if b, _ := io.ReadAll(r); !bytes.Equal(b, content(7000+i)) {
					t.Error("octets differ")
				}
				e.Release()
			}
		})
	}
	group.Wait()
	if s.InMemory() != 0 {
		t.Errorf("%d octets left", s.InMemory())
	}
}

func BenchmarkWriter(b *testing.B) {
	s, err := Open(b.TempDir(), 64<<20)
	if err != nil {
		b.Fatal(err)
	}
	w := s.NewWriter()
	message := content(5000)
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		w.Write(message)
		w.Finish().Release()
	}
}

// No more files are open at once than allowed: who needs another one waits
// until an entry is released.
func TestFilesAreLimited(t *testing.T) {
	s, err := Open(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.LimitFiles(2)
	w := s.NewWriter()
	defer w.Close()
	var held []*Entry
	for range 2 {
		w.Write([]byte("text"))
		held = append(held, w.Finish())
	}
	written := make(chan *Entry)
	go func() {
		w.Write([]byte("text"))
		written <- w.Finish()
	}()
	for range 3 {
		select {
		case <-written:
			t.Fatal("a third file was opened")
		default:
			runtime.Gosched()
		}
	}
	held[0].Release()
	e := <-written
	if !e.InFile() {
		t.Error("not in a file")
	}
	e.Release()
	held[1].Release()
	if len(s.files) != 0 {
		t.Errorf("%d files count as open", len(s.files))
	}
}

package sqlitevfs

import (
	"sync"
	"unsafe"
)

// at returns what SQLite, whose pointers are numbers, has at address p.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// octets returns the n octets at address p.
func octets(p uintptr, n int32) []byte { return unsafe.Slice(at[byte](p), n) }

// callback returns a function's address as SQLite calls it. Only a declared
// function has one that stays; a closure would be collected.
func callback[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// function undoes callback.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

// handles are numbers that stand for values of Go in the memory of SQLite.
// The zero value is ready.
type handles[T any] struct {
	mu     sync.RWMutex
	last   uintptr
	values map[uintptr]T
}

func (h *handles[T]) add(value T) uintptr {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.values == nil {
		h.values = map[uintptr]T{}
	}
	h.last++
	h.values[h.last] = value
	return h.last
}

func (h *handles[T]) get(handle uintptr) T {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.values[handle]
}

func (h *handles[T]) remove(handle uintptr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.values, handle)
}

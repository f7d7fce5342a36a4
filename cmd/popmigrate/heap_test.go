package main

import (
	"runtime"
	"testing"
)

func TestHeapPercent(t *testing.T) {
	for inUse, want := range map[uint64]int{0: 1600, 1 << 20: 1600, 16 << 20: 400, 64 << 20: 100, 256 << 20: 25, 1 << 30: 25} {
		if got := heapPercent(inUse); got != want {
			t.Errorf("%d octets in use: %d %%, want %d", inUse, got, want)
		}
	}
	if heapInUse() == 0 {
		runtime.GC()
		if heapInUse() == 0 {
			t.Error("nothing is in use")
		}
	}
}

// It is called again and again, not once.
func TestAfterCollection(t *testing.T) {
	called := make(chan struct{}, 1)
	afterCollection(func() {
		select {
		case called <- struct{}{}:
		default:
		}
	})
	for range 3 {
		runtime.GC()
		<-called
	}
}

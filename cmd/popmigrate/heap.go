package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The heap may grow by heapQuarter per cent of what is in use before it is
// collected, but at least by heapRoom octets. A run with few sessions uses a
// few megabytes; to collect each time that another one was allocated takes
// more of a processor than the mail does. A run with thousands uses hundreds,
// and its peak should stay near that. Measured with 10,000 messages of 5 KB
// in one session: 0.7 s of processor time instead of 1.3 s.
const (
	heapQuarter = 25
	heapRoom    = 64 << 20 // octets
)

// tuneHeap keeps the collector so until the program ends, unless GOGC says
// otherwise.
func tuneHeap() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(heapPercent(0))
	afterCollection(func() { debug.SetGCPercent(heapPercent(heapInUse())) })
}

// heapPercent is what GOGC is to be while so many octets are in use.
func heapPercent(inUse uint64) int {
	const least = 4 << 20 // the runtime takes no heap for smaller
	return int(max(heapQuarter, heapRoom*100/max(inUse, least)))
}

// heapInUse returns the octets that the last collection left.
func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// afterCollection calls f after each collection: whenever an object that
// nobody refers to was found.
func afterCollection(f func()) {
	type canary struct{ _ *byte } // with a pointer, or it could share its place
	runtime.AddCleanup(&canary{}, func(struct{}) {
		f()
		afterCollection(f)
	}, struct{}{})
}

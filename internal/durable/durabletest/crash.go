package durabletest

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Fate decides what becomes, at a crash, of what was not synced.
type Fate struct {
	random *rand.Rand
	keep   bool
}

// LoseAll is a power cut that keeps nothing but what was synced.
func LoseAll() Fate { return Fate{} }

// KeepAll is the death of the process alone: the system still writes everything.
func KeepAll() Fate { return Fate{keep: true} }

// Random decides anew for each write and each directory change, the same way
// for the same seed.
func Random(seed uint64) Fate { return Fate{random: rand.New(rand.NewPCG(seed, 0x706f70))} }

// Crash returns the file system as it is after a power cut and a restart.
// It has no hook; f and the files opened through it are as they were and
// share nothing with it.
func (f *FS) Crash(fate Fate) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	survivor := &FS{now: f.now}
	kept := map[*node]map[string]*node{} // entries that survive, where they differ from the durable ones
	for _, op := range f.moves {
		if !fate.keeps() {
			continue
		}
		for _, p := range op.parts {
			if kept[p.dir] == nil {
				kept[p.dir] = maps.Clone(p.dir.durable)
			}
			p.apply(kept[p.dir])
		}
	}
	copies := map[*node]*node{}
	survivor.root = fate.survive(f.root, kept, copies)
	return survivor
}

func (fate Fate) keeps() bool {
	return fate.keep || fate.random != nil && fate.random.IntN(2) == 0
}

// survive copies what is left of n and of all below it. A node that two names
// reach, after half a rename, stays one node.
func (fate Fate) survive(n *node, kept map[*node]map[string]*node, copies map[*node]*node) *node {
	if c := copies[n]; c != nil {
		return c
	}
	if !n.mode.IsDir() {
		content := fate.content(n)
		c := &node{mode: n.mode, modTime: n.modTime, data: content, synced: append([]byte(nil), content...)}
		copies[n] = c
		return c
	}
	c := newDir(n.mode)
	c.modTime = n.modTime
	copies[n] = c
	entries := n.durable
	if k := kept[n]; k != nil {
		entries = k
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) { // in order, so that a seed means one fate
		child := fate.survive(entries[name], kept, copies)
		c.entries[name], c.durable[name] = child, child
	}
	return c
}

// content returns what is left of a file.
func (fate Fate) content(n *node) []byte {
	if fate.keep {
		return append([]byte(nil), n.data...)
	}
	data := append([]byte(nil), n.synced...)
	if fate.random == nil {
		return data
	}
	for _, op := range n.pending {
		switch fate.random.IntN(4) {
		case 0: // whole
			data = op.apply(data)
		case 1: // the beginning of it
			if !op.truncate {
				op.data = op.data[:fate.random.IntN(len(op.data)+1)]
				data = op.apply(data)
			}
		case 2: // the length, but not the octets
			if end := op.offset + int64(len(op.data)); !op.truncate && end > int64(len(n.synced)) {
				from := max(op.offset, int64(len(n.synced)))
				data = writeOp{offset: from, data: make([]byte, end-from)}.apply(data)
			}
		}
	}
	return data
}

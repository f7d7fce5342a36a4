package durable

// GroupSyncer is what an [FS] may have besides: a way to make many files
// durable at once that costs less than a Sync of each.
type GroupSyncer interface {
	// BeginSync prepares for making about so many files in dir durable that
	// are written from now on; nil means that each is to have its own Sync.
	BeginSync(dir string, files int) GroupSync
}

// GroupSync is one such occasion.
type GroupSync interface {
	// Sync returns when every file in the directory is durable as [File].Sync
	// has it. After an error all that were written since BeginSync are to be
	// abandoned.
	Sync() error
	Close() error
}

// Group makes the files of one directory durable together where the file
// system can do that, else each by itself.
type Group struct{ all GroupSync }

// NewGroup is called before the first of about so many files in dir is
// written. The group is to be closed.
func NewGroup(fsys FS, dir string, files int) *Group {
	if syncer, ok := fsys.(GroupSyncer); ok {
		return &Group{syncer.BeginSync(dir, files)}
	}
	return &Group{}
}

// Written says that nothing more is written to f. It may be called from many
// goroutines. On return f may be durable or not; after Sync it is.
func (g *Group) Written(f File) error {
	if g.all == nil {
		return f.Sync()
	}
	if f, ok := f.(osFile); ok {
		startWriting(f.File)
	}
	return nil
}

// Sync returns when every file that Written was called with is durable. After
// an error, also one of Written, all of them are to be abandoned.
func (g *Group) Sync() error {
	if g.all == nil {
		return nil
	}
	return g.all.Sync()
}

// Close lets go of the directory.
func (g *Group) Close() error {
	if g.all == nil {
		return nil
	}
	return g.all.Close()
}

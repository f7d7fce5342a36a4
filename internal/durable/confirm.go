package durable

// Confirmer is what an [FS] may have besides: a way to find out whether the
// syncs that succeeded did what they said.
//
// A file system that gives itself up (its device failed, its structures are
// damaged) forgets what its journal had not written. A sync that is under way
// in that moment may be told that there is nothing left to wait for: ext4
// answers it with success, and after the next mount what was synced is not
// there. Nothing is ever kept from then on, so one question behind the last of
// many syncs answers for all of them.
type Confirmer interface {
	// Confirm returns an error if the file system that holds dir has given
	// itself up. It is cheap, a few system calls, and syncs nothing.
	Confirm(dir string) error
}

// Confirm is called behind the last sync of what is to be vouched for, before
// it is. An error means that none of it is to be: it names dir as the sync
// would have that should have failed.
func Confirm(fsys FS, dir string) error {
	if fsys, ok := fsys.(Confirmer); ok {
		return fsys.Confirm(dir)
	}
	return nil
}

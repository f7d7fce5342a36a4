package sinks

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"popmigrate/internal/durable"
)

// moveUncommittedAside takes out of the maildir what a crash left between the
// rename and the ledger: files of ours that no committed copy claims. Their
// messages are on the server still and will be stored again, maybe in another
// form, since servers write their state into mail. What somebody has changed
// meanwhile stays where it is.
func (s *maildirSink) moveUncommittedAside(o Opening) error {
	index := maildirIndex{cfg: s.cfg}
	if err := index.scan(); err != nil {
		return s.fail(s.cfg.Dir, err, "")
	}
	if o.Copies != nil {
		for c := range o.Copies {
			if p, err := parseMaildirPlace(c.Where); err == nil {
				delete(index.files, p.id)
			}
		}
	}
	s.taken = map[string]bool{}
	changed := map[string]bool{}
	for id, path := range index.files {
		path = s.cfg.path(path)
		ours, err := s.wrote(id, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // somebody moved or deleted it just now
		case err == nil && !ours:
			s.taken[id] = true
			continue
		case err == nil:
			err = s.moveAside(path, o)
		}
		if err != nil {
			return s.fail(path, err, "")
		}
		changed[filepath.Dir(path)] = true
	}
	for folder := range changed {
		if err := durable.SyncDir(s.cfg.FS, folder); err != nil {
			return s.fail(folder, err, "")
		}
	}
	return nil
}

// wrote tells whether a file's content is what this sink wrote under its id.
func (s *maildirSink) wrote(id, path string) (bool, error) {
	scratch := maildirScratches.Get().(*maildirScratch)
	defer maildirScratches.Put(scratch)
	for _, form := range []maildirPlace{{wire: false}, {wire: true}} {
		digest, err := s.digestOf(path, form, scratch)
		if err != nil {
			return false, err
		}
		if strings.HasPrefix(id, maildirHash(s.maildrop, digest)) {
			return true, nil
		}
	}
	return false, nil
}

func (s *maildirSink) digestOf(path string, form maildirPlace, scratch *maildirScratch) (Digest, error) {
	file, err := s.cfg.FS.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return Digest{}, err
	}
	defer file.Close()
	digest, _, _, err := hashMaildir(file, form, scratch)
	return digest, err
}

// moveAside copies a file to the torn directory, durably, before it removes it.
func (s *maildirSink) moveAside(path string, o Opening) error {
	if o.Torn == "" {
		return errors.New("no directory was given for uncommitted files")
	}
	file, err := s.cfg.FS.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	err = durable.MkdirAll(s.cfg.FS, o.Torn)
	if err == nil {
		err = copyAside(s.cfg.FS, o.Torn, fileName(o.Maildrop)+"-"+filepath.Base(path), io.Reader(file))
	}
	if err != nil {
		return err
	}
	return s.cfg.FS.Remove(path)
}

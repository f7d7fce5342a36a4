package sinks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"popmigrate/internal/durable"
)

// archiveFile stands in every archive directory and says whose it is.
const archiveFile = "popmigrate.id"

const maxArchiveFile = 64 << 10 // octets

// archiveMark is the content of archiveFile. The ledger holds the same id,
// and a generation that it raises, durably, before each opening for writing.
// An archive whose generation is not lower than the ledger's was therefore
// opened by a newer ledger: the one at hand is a restored copy that knows
// less than the archive holds.
type archiveMark struct {
	ID         string `json:"id"`
	Generation int64  `json:"generation"`
	Maildrop   string `json:"maildrop"`
	Format     string `json:"format"`

	// Sum is the CRC-32C of the same without this field. It tells a file that
	// was damaged from one that belongs to another ledger.
	Sum checksum `json:"crc32c,omitzero"`
}

// encode returns the file's content.
func (m archiveMark) encode() ([]byte, error) {
	m.Sum = checksum{}
	content, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		m.Sum = checksumOf(content)
		content, err = json.MarshalIndent(m, "", "  ")
	}
	return append(content, '\n'), err
}

// parseMark reads the content of an archiveFile.
func parseMark(content []byte) (archiveMark, error) {
	var mark archiveMark
	if err := json.Unmarshal(content, &mark); err != nil {
		return mark, fmt.Errorf("%w: unreadable id: %w", ErrDamaged, err)
	}
	if !mark.Sum.known && !bytes.Contains(content, []byte("32c")) && !bytes.Contains(content, []byte("crc")) {
		return mark, nil // from before there were checksums
	}
	written, err := mark.encode()
	if err == nil && !bytes.Equal(content, written) {
		err = fmt.Errorf("%w: unreadable id: it does not have the checksum that it was written with", ErrDamaged)
	}
	return mark, err
}

// checkArchive tells whether the archive in dir belongs to the ledger that
// speaks through o. holdsMail says whether dir holds mail in the format at
// hand. It changes nothing: call claimArchive only after everything else that
// may refuse the archive was checked too, or a refused opening would raise
// the generation and lock out the right ledger.
func checkArchive(fsys durable.FS, dir, format string, o Opening, holdsMail bool) error {
	path := filepath.Join(dir, archiveFile)
	content, err := durable.ReadFile(fsys, path, maxArchiveFile)
	if errors.Is(err, fs.ErrNotExist) {
		return checkUnclaimed(dir, o, holdsMail)
	}
	if err != nil {
		return &Error{Op: "open", Object: path, Err: err}
	}
	mark, err := parseMark(content)
	if err != nil {
		return &Error{Op: "open", Object: path, Err: err, Hint: restoreHint}
	}
	switch {
	case mark.ID != o.ArchiveID:
		return &Error{Op: "open", Object: dir, Err: fmt.Errorf("%w: the archive has id %.64q, the ledger %q", ErrForeign, mark.ID, o.ArchiveID),
			Hint: "use the ledger that this archive was made with, or choose an empty directory for the sink"}
	case mark.Format != format:
		return &Error{Op: "open", Object: dir, Err: fmt.Errorf("%w: the archive is in format %.64q, not %q", ErrForeign, mark.Format, format),
			Hint: "choose another directory for this sink"}
	case mark.Generation >= o.Generation:
		return &Error{Op: "open", Object: dir,
			Err:  fmt.Errorf("%w: the archive was last opened as generation %d, this ledger is at %d and so is an older copy", ErrForeign, mark.Generation, o.Generation),
			Hint: "restore the newest copy of the ledger, or choose an empty directory for the sink and fetch again"}
	}
	return nil
}

// checkUnclaimed judges a directory without an id.
func checkUnclaimed(dir string, o Opening, holdsMail bool) error {
	if holdsCopies(o) {
		return &Error{Op: "open", Object: dir, Err: fmt.Errorf("%w: the ledger holds copies in it, but it has no %s", ErrDamaged, archiveFile),
			Hint: putBackHint}
	}
	if holdsMail {
		return &Error{Op: "open", Object: dir, Err: fmt.Errorf("%w: it holds mail, but no %s and the ledger knows nothing of it", ErrForeign, archiveFile),
			Hint: "choose an empty directory for the sink, or move these files away"}
	}
	return nil
}

// holdsCopies tells whether the ledger has committed a copy in this sink.
func holdsCopies(o Opening) bool {
	if o.Copies != nil {
		for range o.Copies {
			return true
		}
	}
	return false
}

// claimArchive enters the ledger's id and generation in the archive, durably,
// making dir where it does not exist.
func claimArchive(fsys durable.FS, dir, format string, o Opening) error {
	mark := archiveMark{ID: o.ArchiveID, Generation: o.Generation, Maildrop: o.Maildrop, Format: format}
	content, err := mark.encode()
	if err != nil {
		return &Error{Op: "open", Object: dir, Err: err}
	}
	err = durable.MkdirAll(fsys, dir)
	if err == nil {
		err = durable.Publish(fsys, filepath.Join(dir, archiveFile), func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
	}
	if err != nil {
		return &Error{Op: "open", Object: dir, Err: err}
	}
	return nil
}

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// removeAt is how much of a file Remove takes away at a time.
const removeAt = 8 << 20

// Remove removes a path and what it has within, as os.RemoveAll does, but large files from their end, a piece
// at a time: a file system gives back all blocks of a file in one go otherwise, and where it also tells the disk
// that they are free (ext4 with the option discard), syncs beside it wait for tens of milliseconds.
func Remove(path string) error {
	err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			err = shrink(name)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(path))
}

// shrink takes away all of a file but its first piece. A file that has another name besides is left: what stands in it
// belongs to that one, too.
func shrink(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil || linked(info) {
		return err
	}
	for size := info.Size() - removeAt; size > 0; size -= removeAt {
		if err := errors.Join(f.Truncate(size), Sync(f)); err != nil {
			return err
		}
	}
	return nil
}

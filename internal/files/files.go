// Package files has what several packages need of the file system: files that are written as a whole or not at all, and how
// much the disk still takes.
package files

import (
	"errors"
	"os"
	"path/filepath"
)

// ErrHeld says that another process has a lock.
var ErrHeld = errors.New("another process has the lock")

// Write writes a file that nobody else can read, as a whole or not at all. When it returns nil, the file is on the disk.
func Write(path string, data []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes the names of the files in a folder durable.
func SyncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

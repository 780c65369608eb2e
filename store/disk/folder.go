package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolder makes a folder for its owner only, and those above it that are missing. When it
// returns nil its name is durable: without that all that is synced in it later can be gone after a
// power failure. The name of one that is there is synced too, as whoever made it may have been
// killed before; not so where the folder above may not be read.
func MakeFolder(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	above := filepath.Dir(path)
	err = os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) && above != path {
		if err := MakeFolder(above); err != nil {
			return err
		}
		err = os.Mkdir(path, 0o700)
	}
	if err == nil {
		return SyncFolder(above)
	}
	if info, serr := os.Stat(path); serr != nil || !info.IsDir() {
		return err
	}
	if err := SyncFolder(above); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

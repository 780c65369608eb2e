package bolt

import (
	"errors"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"moot/internal/failpoint"
	"moot/store/disk"
)

// compactSlice is how many bytes one transaction copies to the new file.
const compactSlice = 16 << 20

// Compact writes the file anew without the space that it does not need, puts the new one in its
// place in one step, and returns its length. The File goes on to be the old one, which no longer
// has a name: it is only good for being closed, which lets go of the lock last. What is left of a
// call that was cut short is cleared away by the next.
func (f *File) Compact() (size int64, err error) {
	target, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return 0, err
	}
	fresh := target + ".compact"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	defer os.Remove(fresh) //nolint:errcheck // it is there only after an error
	db, _, err := open(fresh, 0, false)
	if err != nil {
		return 0, err
	}
	db.AllocSize = 0 // no more than is needed
	db.NoSync = true // once, at the end
	err = disk.Guard(func() error {
		defer disk.Faulted()
		return bbolt.Compact(db, f.db, compactSlice)
	})
	if err := errors.Join(err, db.Sync(), db.Close()); err != nil {
		return 0, err
	}
	if err := verify(fresh); err != nil {
		return 0, err
	}
	info, err := os.Stat(fresh)
	if err != nil {
		return 0, err
	}
	failpoint.Hit(failpoint.CompactBefore)
	if err := os.Rename(fresh, target); err != nil {
		return 0, err
	}
	failpoint.Hit(failpoint.CompactAfter)
	return info.Size(), disk.SyncFolder(filepath.Dir(target))
}

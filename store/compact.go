package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"moot/internal/failpoint"
)

// compactSlice is how many bytes one transaction copies to the new file.
const compactSlice = 16 << 20

// Compact writes the file anew without the room that it does not need, and puts the new one in its place in one step: a
// crash leaves the old one or the new one. Nobody else may have the file open: ErrLocked. It returns the lengths before
// and after. Both have to fit on the disk. What is left of a call that was cut short is cleared away by the next.
func Compact(c Config) (before, after int64, err error) {
	c.ReadOnly = false
	if _, err := os.Stat(c.Path); err != nil {
		return 0, 0, err // Open would make one
	}
	s, err := Open(c)
	if err != nil {
		return 0, 0, err
	}
	// The lock is let go of last: whoever waits for it then notices that the file is another one.
	defer func() { err = errors.Join(err, s.Close()) }()
	before = s.Size()
	if after, err = s.compact(); err != nil {
		return 0, 0, fmt.Errorf("compact %s: %w", c.Path, err)
	}
	return before, after, nil
}

func (s *Store) compact() (size int64, err error) {
	target, err := filepath.EvalSymlinks(s.Path())
	if err != nil {
		return 0, err
	}
	fresh := target + ".compact"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	defer os.Remove(fresh) //nolint:errcheck // it is there only after an error
	db, _, err := openBolt(fresh, 0, false)
	if err != nil {
		return 0, err
	}
	db.NoSync = true // once, at the end
	err = guard(func() error {
		defer faulted()
		return bbolt.Compact(db, s.db, compactSlice)
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
	return info.Size(), syncFolder(filepath.Dir(target))
}

// isAt tells whether the open file is the one under the path. While somebody waited for its lock another one may have
// taken its place.
func isAt(f *os.File, path string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}

package store

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrFull is the error of a commit for which the disk has no room. Its function was not called and nothing has changed, so
// the same commit may be tried again as soon as there is room. It does not break the store.
var ErrFull = errors.New("there is no room on the disk")

// A write that fails in the middle of a commit comes too late: what the commit's function has done in memory is done, and
// of bbolt's errors only some say whether it was a write that failed, which copy-on-write makes harmless, or a sync, after
// which nobody knows what the disk holds. bbolt moreover lengthens its file without allocating anything, so that it learns
// of a full disk only page by page. So the room for a commit is allocated before it begins: on Linux by fallocate, beyond
// the end of the file and without changing its length. A commit then writes to blocks that are there already: to those
// just reserved, and to pages that earlier commits have freed. What remains is a commit that grows the file by more than
// was reserved, a file system that copies on write, and one without fallocate, where only the free space is looked at;
// there a full disk is a failed write, which breaks the store and so stops the process.
const (
	// leastRoom is what there has to be before a commit. The largest ones measured grow a file by a tenth of it.
	leastRoom = 16 << 20
	// amply is what is reserved at a time where the disk has much more, so that it is done seldom.
	amply = 32 << 20
)

// reserve sees to it that the file, of which so many bytes are in use, can grow by leastRoom.
func (s *Store) reserve(used int64) error {
	if used+leastRoom <= s.reserved {
		return nil
	}
	end := used + leastRoom
	free, known := freeSpace(s.db.Path())
	if known && free > 16*amply {
		end = used + amply
	}
	err := allocate(s.file, s.reserved, end)
	switch {
	case err == nil:
		s.reserved = end
		return nil
	case IsFull(err):
		return fmt.Errorf("%w: %s needs %d MiB more: %w", ErrFull, s.db.Path(), leastRoom>>20, err)
	case errors.Is(err, errors.ErrUnsupported) && known && free < leastRoom:
		return fmt.Errorf("%w: %s needs %d MiB more, and %d are free", ErrFull, s.db.Path(), leastRoom>>20, free>>20)
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	}
	return fmt.Errorf("reserve room for %s: %w", s.db.Path(), err)
}

// IsFull tells whether an error says that a disk, or somebody's share of it, is full.
func IsFull(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

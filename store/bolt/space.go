package bolt

import (
	"errors"
	"fmt"

	"moot/store/disk"
)

// bbolt lengthens its file without allocating anything, so that it learns of a full disk only page
// by page, in the middle of a transaction. So the blocks for one are allocated before it begins: on
// Linux by fallocate, beyond the end of the file and without changing its length. Where the file
// system cannot do that, only the free space is looked at.
const (
	// leastSpace is what there has to be before a transaction: many times the largest slice of a
	// checkpoint.
	leastSpace = 4 << 20
	// amply is what is reserved at a time where the disk has much more, so that it is done seldom.
	amply = 32 << 20
	// left is what is left of a disk that is nearly full: the log of commits is to go on first.
	left = 1 << 20
)

// reserve sees to it that the file can grow by leastSpace.
func (f *File) reserve() error {
	v, err := f.View()
	if err != nil {
		return err
	}
	used := v.Bolt.Size()
	if err := v.Close(); err != nil {
		return err
	}
	if used+leastSpace <= f.reserved {
		return nil
	}
	end := used + leastSpace
	free, known := disk.Free(f.path)
	if known && free > 16*amply {
		end = used + amply
	}
	if need := end - disk.Blocks(f.file); known && need > 0 && free < need+left {
		return fmt.Errorf("%w: %s needs %d KiB more, and %d are free", disk.ErrFull, f.path, (need+left)>>10, free>>10)
	}
	err = disk.Allocate(f.file, f.reserved, end)
	switch {
	case err == nil:
		f.reserved = end
		return nil
	case disk.IsFull(err):
		return fmt.Errorf("%w: %s needs %d MiB more: %w", disk.ErrFull, f.path, leastSpace>>20, err)
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	}
	return fmt.Errorf("reserve space for %s: %w", f.path, err)
}

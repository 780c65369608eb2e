package disk

import (
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE of fallocate(2): what is allocated beyond the end leaves the
// length.
const keepSize = 1

// Allocate gives the file blocks of its own for all bytes between two offsets and leaves its length
// and its content. It is errors.ErrUnsupported where the file system cannot do that.
func Allocate(f *os.File, from, to int64) error {
	return again(func() error { return syscall.Fallocate(int(f.Fd()), keepSize, from, to-from) })
}

// Sync makes the content of the file durable, and of its metadata what reading it needs.
func Sync(f *os.File) error {
	return again(func() error { return syscall.Fdatasync(int(f.Fd())) })
}

// Blocks returns how many bytes of the disk a file has.
func Blocks(f *os.File) int64 {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return 0
	}
	return st.Blocks * 512
}

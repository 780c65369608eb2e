package store

import (
	"errors"
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE of fallocate(2): what is allocated beyond the end leaves the length as it is.
const keepSize = 1

// allocate gives the file blocks of its own for all bytes between two offsets. What is there already stays. It is
// errors.ErrUnsupported where the file system cannot do that.
func allocate(f *os.File, from, to int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), keepSize, from, to-from)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// freeSpace returns how many bytes a file at the path may still take.
func freeSpace(path string) (int64, bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0, false
	}
	return int64(fs.Bavail) * int64(fs.Bsize), true //nolint:unconvert // their types differ between machines
}

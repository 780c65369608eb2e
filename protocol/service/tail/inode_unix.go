//go:build unix

package tail

import (
	"os"
	"syscall"
)

// inode returns the number of a file.
func inode(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino)
	}
	return 1
}

// openFile opens a file, and does not wait for a writer where it is a pipe.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

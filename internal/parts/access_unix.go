//go:build unix

package parts

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// owned reports whether a file belongs to the user that the program runs as, and who it belongs to.
func owned(info fs.FileInfo) (owner int, own bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, true
	}
	return int(st.Uid), int(st.Uid) == os.Geteuid()
}

// writable reports whether the program may write to a file or a folder, without trying to.
func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

//go:build unix

package files

import (
	"io/fs"
	"os"
	"syscall"
)

// Owned reports whether a file belongs to the user that the program runs as, and who it belongs to.
func Owned(info fs.FileInfo) (owner int, own bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, true
	}
	return int(st.Uid), int(st.Uid) == os.Geteuid()
}

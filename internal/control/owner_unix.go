//go:build unix

package control

import (
	"io/fs"
	"os"
	"syscall"
)

// owned reports whether a folder belongs to this user, and nobody else may write in it.
func owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o022 == 0
}

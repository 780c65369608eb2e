//go:build !unix

package parts

import (
	"io/fs"
	"os"
)

// owned reports that a file belongs to the user: this system does not say who it belongs to.
func owned(fs.FileInfo) (owner int, own bool) { return 0, true }

// writable reports whether the program may write to a file or a folder, without trying to.
func writable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o200 != 0
}

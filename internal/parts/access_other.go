//go:build !unix

package parts

import "os"

// writable reports whether the program may write to a file or a folder, without trying to.
func writable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o200 != 0
}

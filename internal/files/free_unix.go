//go:build linux || darwin || freebsd

package files

import "syscall"

// Free returns how many bytes a file at the path, or in the folder, may still take, and whether that is known.
func Free(path string) (int64, bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0, false
	}
	return int64(uint64(fs.Bavail) * uint64(fs.Bsize)), true //nolint:unconvert // their types differ between systems
}

//go:build goolm && (linux || darwin || freebsd)

package crypto

import "syscall"

// free returns how many bytes files in a folder may still take.
func free(folder string) (int64, bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return 0, false
	}
	return int64(uint64(fs.Bavail) * uint64(fs.Bsize)), true //nolint:unconvert // their types differ between systems
}

//go:build !linux && !darwin && !freebsd

package inspect

// freeSpace returns how many bytes a file in the folder may still take. Here nobody tells.
func freeSpace(string) (int64, bool) { return 0, false }

//go:build unix

package parts

import "golang.org/x/sys/unix"

// writable reports whether the program may write to a file or a folder, without trying to.
func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

//go:build !unix

package disk

import "io/fs"

// linked reports whether a file may have more than one name.
func linked(fs.FileInfo) bool { return true }

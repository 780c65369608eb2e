//go:build !linux

package disk

import (
	"errors"
	"os"
)

// Allocate is for Linux only.
func Allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

// Sync makes the content of the file durable.
func Sync(f *os.File) error { return f.Sync() }

// Blocks is for Linux only.
func Blocks(*os.File) int64 { return 0 }

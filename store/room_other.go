//go:build !linux

package store

import (
	"errors"
	"os"
)

// allocate is for Linux only.
func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

// freeSpace is for Linux only: elsewhere a full disk is a failed write.
func freeSpace(string) (int64, bool) { return 0, false }

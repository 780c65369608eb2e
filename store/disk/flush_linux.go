package disk

import (
	"errors"
	"os"
	"syscall"
)

// flushAt is after how many bytes a Flushed has them brought to the disk.
const flushAt = 1 << 20

// flushNow has sync_file_range(2) write what is dirty and wait for it (SYNC_FILE_RANGE_WAIT_BEFORE, WRITE and
// WAIT_AFTER). It does not make the file durable, and so does not wait for the journal of the file system.
const flushNow = 1 | 2 | 4

// flush brings a part of a file to the disk; a sync has little left to do then.
func flush(f *os.File, from, length int64) error {
	err := again(func() error { return syscall.SyncFileRange(int(f.Fd()), from, length, flushNow) })
	if errors.Is(err, errors.ErrUnsupported) {
		return f.Sync()
	}
	return err
}

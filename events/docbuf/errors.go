package docbuf

import (
	"errors"
)

// Errors that a caller may want to tell apart. All are wrapped on their way
// out; compare with [errors.Is].
var (
	// ErrClosed: the buffer was closed.
	ErrClosed = errors.New("document buffer is closed")
	// ErrCorrupt: the store is not what a buffer wrote. Every such error is a
	// [CorruptError], which knows the offset.
	ErrCorrupt = errors.New("store is corrupt")
	// ErrShort: the store ends before the offset that was asked for.
	ErrShort = errors.New("store is too short")
	// ErrUncommitted: the store holds something, though nothing was committed.
	ErrUncommitted = errors.New("store holds what nobody committed")
	// ErrTooLarge: a document is larger than [MaxDocument] when encoded.
	ErrTooLarge = errors.New("document is too large")
	// ErrSync: the store failed to sync, now or earlier, and the buffer takes
	// no more writes. It comes with the store's own error.
	ErrSync = errors.New("store failed to sync")
	// ErrShrunk: documents that a Scan had yet to read may be gone, because
	// some were removed from the store while it ran.
	ErrShrunk = errors.New("store shrank during the scan")
)

package docbuf

import (
	"fmt"
	"io"
)

// New returns an empty buffer over backing and gives up whatever backing holds:
// if it has a method Truncate(int64) error, it is emptied at once. [Open] says
// what holds of backing and of cache.
func New[T any](backing io.ReadWriteSeeker, codec Codec[T], cache int) (*DocumentBuffer[T], error) {
	b, err := open(backing, codec, 0, cache, true)
	if err != nil {
		return nil, fmt.Errorf("new document buffer: %w", err)
	}
	return b, nil
}

// Open returns a buffer over what is in backing up to end, the offset in bytes
// that was last committed: the result of Close, or of End after a Flush. What
// lies beyond is given up and, if backing has a method Truncate(int64) error,
// cut off at once.
//
// A store that ends before end is refused with [ErrShort]. One whose header or
// newest frame is broken, as when end is not a frame boundary, is refused with
// [ErrCorrupt]; older damage is reported by whoever meets it. An end of 0 fits
// an empty store only. Another is refused with [ErrUncommitted], because it may
// be the store of somebody else, or the end may be lost: only the caller can
// know that it is worth nothing, and then calls [New]. What is refused is not
// changed.
//
// At most cache documents are kept in memory; with 0 every document goes to the
// store with its Push and comes from it with its Pop. A negative cache or end
// is an error.
//
// Backing must write where it was told to seek: no file opened with O_APPEND.
// If it has a method Sync() error, Flush and Close call it. It stays the
// caller's to close.
func Open[T any](backing io.ReadWriteSeeker, codec Codec[T], end int64, cache int) (*DocumentBuffer[T], error) {
	b, err := open(backing, codec, end, cache, false)
	if err != nil {
		return nil, fmt.Errorf("open document buffer: %w", err)
	}
	return b, nil
}

func open[T any](backing io.ReadWriteSeeker, codec Codec[T], end int64, cache int, anew bool) (*DocumentBuffer[T], error) {
	if end < 0 || cache < 0 {
		return nil, fmt.Errorf("negative end %d or cache %d", end, cache)
	}
	size, err := backing.Seek(0, io.SeekEnd)
	switch {
	case err != nil:
		return nil, fmt.Errorf("find size: %w", err)
	case size < end:
		return nil, fmt.Errorf("%d bytes where %d were committed: %w", size, end, ErrShort)
	case end == 0 && size > 0 && !anew:
		return nil, fmt.Errorf("%d bytes: %w", size, ErrUncommitted)
	}
	if err := check(backing, end); err != nil {
		return nil, err
	}
	b := &DocumentBuffer[T]{store: backing, codec: codec, capacity: cache}
	b.end = max(end, headerSize)
	b.low = b.end
	if size > b.End() {
		if err := b.truncate(b.End()); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// check looks at the two places that tell most about a store: its header, and
// the frame that has to end at end.
func check(store io.ReadSeeker, end int64) error {
	if end == 0 {
		return nil
	}
	if end < headerSize {
		return &CorruptError{0, "too few bytes for a header"}
	}
	start := make([]byte, headerSize)
	if err := readAt(store, 0, start); err != nil {
		return err
	}
	if string(start) != header {
		return &CorruptError{0, fmt.Sprintf("header % x is not that of a version 1 document buffer", start)}
	}
	if end == headerSize {
		return nil
	}
	_, _, err := newReader(store, headerSize, end).frameBefore(end)
	return err
}

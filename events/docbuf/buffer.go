package docbuf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
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

// DocumentBuffer is a last-in-first-out buffer of documents, the newest in
// memory and the older ones in a store. The package comment states its
// promises on order, durability and failure.
//
// A buffer and its store belong to one goroutine at a time, or to callers that
// lock. While a buffer is open nobody else may write to its store or move its
// position.
type DocumentBuffer[T any] struct {
	store    io.ReadWriteSeeker
	codec    Codec[T]
	capacity int

	// cache holds the newest documents, encoded, oldest first. The first
	// stored of them are in the store as well: their frames fill it from low to
	// end. So low is where the frames end that are only in the store.
	cache    [][]byte
	stored   int
	low, end int64 // never below headerSize, even while the header is unwritten

	shrunk uint64 // how often end went down; lets a Scan notice
	failed error  // set by a failed sync, for good; matches ErrSync
	closed bool
}

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

// Push puts docs on top; the last one becomes the newest. It fails with
// [ErrTooLarge], with the codec's error, with [ErrClosed] or [ErrSync], or, when
// the cache overflows, with the store's error; then none of docs were pushed. To
// push nothing is legal.
func (b *DocumentBuffer[T]) Push(docs ...T) error {
	if err := b.writable(); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	// Encoding now and not on the way to the store refuses a bad document while
	// its caller is there to hear of it.
	pushed := make([][]byte, len(docs))
	for i, doc := range docs {
		data, err := b.codec.Encode(doc)
		if err != nil {
			return fmt.Errorf("push: encode document: %w", err)
		}
		if len(data) > MaxDocument {
			return fmt.Errorf("push: %w: %d bytes where %d are allowed", ErrTooLarge, len(data), MaxDocument)
		}
		pushed[i] = data
	}
	if len(b.cache)+len(pushed) <= b.capacity {
		b.cache = append(b.cache, pushed...)
		return nil
	}
	if err := b.demote(slices.Concat(b.cache, pushed)); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	return nil
}

// demote makes the newest half-cache of docs the new cache, after writing the
// others to the store. Docs are the present cache and then what is being pushed.
func (b *DocumentBuffer[T]) demote(docs [][]byte) error {
	keep := min(b.half(), len(docs))
	out, kept := docs[:len(docs)-keep], docs[len(docs)-keep:]
	if len(out) > b.stored {
		end, err := b.write(out[b.stored:])
		if err != nil {
			return err
		}
		b.low, b.end, b.stored = end, end, 0
	} else {
		for _, doc := range out {
			b.low += frameSize(doc)
		}
		b.stored -= len(out)
	}
	b.cache = slices.Clone(kept) // lets go of the demoted
	return nil
}

// Pop removes the newest document and returns it. It returns [io.EOF], bare, if
// there is none.
func (b *DocumentBuffer[T]) Pop() (T, error) { return one(b.Remove(1)) }

// Peek returns the newest document and leaves it there. It returns [io.EOF],
// bare, if there is none.
func (b *DocumentBuffer[T]) Peek() (T, error) { return one(b.Read(1)) }

func one[T any](docs []T, err error) (T, error) {
	var none T
	switch {
	case err != nil:
		return none, err
	case len(docs) == 0:
		return none, io.EOF
	}
	return docs[0], nil
}

// Read returns the newest n documents, newest first, and leaves them there; it
// returns all if there are fewer, and none, without an error, if there are none
// or n is below 1. All n are in memory at once, whatever the size of the cache.
// It is all or nothing: with an error it returns no documents.
func (b *DocumentBuffer[T]) Read(n int) ([]T, error) {
	if b.closed {
		return nil, fmt.Errorf("read: %w", ErrClosed)
	}
	docs, _, err := b.newest(n)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return docs, nil
}

// Remove removes the newest n documents and returns them as [DocumentBuffer.Read]
// does. With an error it has removed none. Removing touches no byte of the store;
// it lowers End.
func (b *DocumentBuffer[T]) Remove(n int) ([]T, error) {
	if b.closed {
		return nil, fmt.Errorf("remove: %w", ErrClosed)
	}
	docs, raw, err := b.newest(n)
	if err != nil {
		return nil, fmt.Errorf("remove: %w", err)
	}
	for _, data := range raw {
		b.drop(data)
	}
	return docs, nil
}

// newest returns the newest n documents, newest first, decoded and raw.
func (b *DocumentBuffer[T]) newest(n int) (docs []T, raw [][]byte, err error) {
	for i := len(b.cache) - 1; i >= 0 && len(raw) < n; i-- {
		raw = append(raw, b.cache[i])
	}
	if len(raw) < n && b.low > headerSize {
		older, err := b.promote(n - len(raw))
		if err != nil {
			return nil, nil, err
		}
		raw = append(raw, older...)
	}
	docs = make([]T, len(raw))
	for i, data := range raw {
		if docs[i], err = b.codec.Decode(data); err != nil {
			return nil, nil, fmt.Errorf("decode document %d from the newest: %w", i+1, err)
		}
	}
	return docs, raw, nil
}

// promote returns the next n documents below the cache, newest first, or all if
// there are fewer. As many as fit, and more up to half of it, enter the cache.
func (b *DocumentBuffer[T]) promote(n int) ([][]byte, error) {
	want := max(n, b.half()-len(b.cache))
	frames := newReader(b.store, headerSize, b.low)
	var docs [][]byte
	for at := b.low; len(docs) < want && at > headerSize; {
		doc, start, err := frames.frameBefore(at)
		if err != nil {
			if len(docs) >= n {
				break // only looking ahead: whoever needs this one hears of it
			}
			return nil, err
		}
		docs, at = append(docs, bytes.Clone(doc)), start
	}
	fitting := slices.Clone(docs[:min(len(docs), b.capacity-len(b.cache))])
	slices.Reverse(fitting)
	b.cache = slices.Insert(b.cache, 0, fitting...)
	b.stored += len(fitting)
	for _, doc := range fitting {
		b.low -= frameSize(doc)
	}
	return docs[:min(n, len(docs))], nil
}

// drop forgets the newest document, whose encoding is data.
func (b *DocumentBuffer[T]) drop(data []byte) {
	if last := len(b.cache) - 1; last >= 0 {
		b.cache[last] = nil
		b.cache = b.cache[:last]
		if last >= b.stored {
			return // it was only in the cache
		}
		b.stored = last
	}
	b.end -= frameSize(data)
	b.low = min(b.low, b.end)
	b.shrunk++
}

// Cached returns how many documents are in memory, at most the cache given to
// [Open]. Those that are in the store as well count too.
func (b *DocumentBuffer[T]) Cached() int { return len(b.cache) }

// half is how full demotion and promotion leave the cache: at least one
// document, unless there is no cache.
func (b *DocumentBuffer[T]) half() int { return (b.capacity + 1) / 2 }

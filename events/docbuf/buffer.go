package docbuf

import (
	"io"
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

// Cached returns how many documents are in memory, at most the cache given to
// [Open]. Those that are in the store as well count too.
func (b *DocumentBuffer[T]) Cached() int { return len(b.cache) }

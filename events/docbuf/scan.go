package docbuf

import (
	"fmt"
	"iter"
)

// An Entry is a document in the store, and where it is.
type Entry[T any] struct {
	// Offset is where its frame begins, in bytes. Scan(Offset) begins with it.
	Offset int64
	// Next is where its frame ends: the Offset of the next newer document, and
	// what End was when this one was the newest.
	Next int64
	Doc  T
}

// Scan returns an iterator over the documents that are in the store, oldest
// first, beginning with the frame at offset from: the Offset or Next of an
// [Entry], a former End, or 0 for the oldest. It reads up to what End is when
// the iteration begins, so what is only in memory is left out; Flush first.
//
// Scan changes nothing but the position of the store, and reading one document
// by its Offset costs one small read. Between two documents the buffer may be
// used: what is pushed is not seen, and if something is removed from the store
// the iteration ends with [ErrShrunk].
//
// An error is the last thing that an iteration yields, with the Offset at which
// it occurred, but for one kind: if the codec refuses a document, the error
// comes with its Offset and Next, and the iteration goes on if it is let. A from
// beyond End is [ErrShort]; one that is not a frame boundary is [ErrCorrupt].
func (b *DocumentBuffer[T]) Scan(from int64) iter.Seq2[Entry[T], error] {
	return func(yield func(Entry[T], error) bool) {
		fail := func(at int64, err error) {
			yield(Entry[T]{Offset: at}, fmt.Errorf("scan at %d: %w", at, err))
		}
		at, end, shrunk := from, b.end, b.shrunk
		switch {
		case b.closed:
			fail(at, ErrClosed)
			return
		case from == 0:
			at = headerSize
		case from < headerSize:
			fail(at, &CorruptError{at, "not a frame boundary"})
			return
		case from > end:
			fail(at, fmt.Errorf("%w: it ends at %d", ErrShort, b.End()))
			return
		}
		frames := newReader(b.store, at, end)
		for at < end {
			if b.closed {
				fail(at, ErrClosed)
				return
			}
			if b.shrunk != shrunk {
				fail(at, ErrShrunk)
				return
			}
			data, next, err := frames.frameAt(at)
			if err != nil {
				fail(at, err)
				return
			}
			entry := Entry[T]{Offset: at, Next: next}
			if entry.Doc, err = b.codec.Decode(data); err != nil {
				err = fmt.Errorf("scan at %d: decode document: %w", at, err)
			}
			if !yield(entry, err) {
				return
			}
			at = next
		}
	}
}

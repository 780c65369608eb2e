package docbuf

import (
	"fmt"
	"io"
)

// Flush writes to the store what is only in memory and then, if the store has a
// method Sync() error, syncs it. After a Flush without an error every document
// is in the store, and End is the offset to commit. What was cached stays
// cached.
//
// After a failed write nothing has changed and Flush can be tried again. A
// failed Sync is final: see [ErrSync].
func (b *DocumentBuffer[T]) Flush() error {
	if err := b.flush(false); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// End returns the offset just past the last useful byte in the store, in bytes:
// past the newest document that is there. It is 0 if none is. Documents that
// are only in memory do not count, and only a Flush makes it safe to commit.
func (b *DocumentBuffer[T]) End() int64 {
	if b.end == headerSize {
		return 0
	}
	return b.end
}

// Close flushes, cuts the store at its end if it has a method
// Truncate(int64) error, and returns that end as [DocumentBuffer.End] defines
// it: the index of the last useful byte plus one, or 0 without documents. It is
// the offset to commit and to give to the next [Open]. The caller of a store
// that cannot truncate may find junk beyond it and is free to cut it.
//
// After Close every method that can fail returns [ErrClosed]. A Close that
// returns an error has not closed: nothing is lost from memory, it can be tried
// again, and its end is not to be committed. A buffer holds nothing that would
// leak if it is never closed.
func (b *DocumentBuffer[T]) Close() (end int64, err error) {
	if err := b.flush(true); err != nil {
		return b.End(), fmt.Errorf("close: %w", err)
	}
	b.closed, b.cache, b.stored = true, nil, 0
	return b.End(), nil
}

// flush writes, cuts if asked to, and syncs. Only when all of it went well does
// it take what it wrote for stored.
func (b *DocumentBuffer[T]) flush(cut bool) error {
	if err := b.writable(); err != nil {
		return err
	}
	end, err := b.write(b.cache[b.stored:])
	if err != nil {
		return err
	}
	if cut {
		useful := end
		if useful == headerSize {
			useful = 0
		}
		if err := b.truncate(useful); err != nil {
			return err
		}
	}
	if s, ok := b.store.(interface{ Sync() error }); ok {
		if err := s.Sync(); err != nil {
			b.failed = fmt.Errorf("%w: %w", ErrSync, err)
			return b.failed
		}
	}
	b.end, b.stored = end, len(b.cache)
	return nil
}

// writable returns the error that keeps the buffer from being written to.
func (b *DocumentBuffer[T]) writable() error {
	if b.closed {
		return ErrClosed
	}
	return b.failed
}

// chunk is how many bytes are gathered for one write, give or take a document.
const chunk = 256 << 10

// write puts docs into frames at the end of the store and returns where they
// end. It leaves End where it is, so that a caller which does not move it has
// written nothing.
func (b *DocumentBuffer[T]) write(docs [][]byte) (end int64, err error) {
	if len(docs) == 0 {
		return b.end, nil
	}
	var out []byte
	from := b.end
	if b.end == headerSize {
		out, from = append(out, header...), 0
	}
	if _, err := b.store.Seek(from, io.SeekStart); err != nil {
		return 0, fmt.Errorf("seek to %d: %w", from, err)
	}
	end = b.end
	for i, doc := range docs {
		out = appendFrame(out, end, doc)
		end += frameSize(doc)
		if len(out) < chunk && i < len(docs)-1 {
			continue
		}
		n, err := b.store.Write(out)
		if err == nil && n < len(out) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return 0, fmt.Errorf("write %d bytes: %w", len(out), err)
		}
		out = out[:0]
	}
	return end, nil
}

// truncate cuts the store to size bytes if it can be cut.
func (b *DocumentBuffer[T]) truncate(size int64) error {
	t, ok := b.store.(interface{ Truncate(int64) error })
	if !ok {
		return nil
	}
	if err := t.Truncate(size); err != nil {
		return fmt.Errorf("truncate to %d bytes: %w", size, err)
	}
	return nil
}

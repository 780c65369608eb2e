package docbuf

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

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

// Pop removes the newest document and returns it. It returns [io.EOF], bare, if
// there is none.
func (b *DocumentBuffer[T]) Pop() (T, error) { return one(b.Remove(1)) }

// Peek returns the newest document and leaves it there. It returns [io.EOF],
// bare, if there is none.
func (b *DocumentBuffer[T]) Peek() (T, error) { return one(b.Read(1)) }

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

// half is how full demotion and promotion leave the cache: at least one
// document, unless there is no cache.
func (b *DocumentBuffer[T]) half() int { return (b.capacity + 1) / 2 }

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

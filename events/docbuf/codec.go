package docbuf

import (
	"encoding/json"
	"slices"
)

// A Codec turns documents into bytes and back. A buffer calls it from the
// goroutine that called the buffer.
type Codec[T any] interface {
	// Encode returns doc as bytes. The buffer keeps them, so they must not
	// share memory with doc or with another document's bytes. An error refuses
	// the Push.
	Encode(doc T) ([]byte, error)
	// Decode returns the document of which data is the encoding. The bytes are
	// the buffer's: Decode must neither change nor keep them. An error fails
	// the operation, and the document stays where it is.
	Decode(data []byte) (T, error)
}

// Bytes is the [Codec] of documents that are bytes already. It copies in both
// directions. An empty document comes back empty and not nil.
type Bytes struct{}

// Encode returns a copy of doc and never fails.
func (Bytes) Encode(doc []byte) ([]byte, error) { return slices.Clone(doc), nil }

// Decode returns a copy of data and never fails.
func (Bytes) Decode(data []byte) ([]byte, error) { return append([]byte{}, data...), nil }

// JSON is the [Codec] that keeps documents as JSON, by the rules of
// [encoding/json]: what it leaves out of T (unexported fields, say) comes back
// as zero, and bytes of a string that are not UTF-8 come back as U+FFFD.
type JSON[T any] struct{}

// Encode returns [json.Marshal] of doc.
func (JSON[T]) Encode(doc T) ([]byte, error) { return json.Marshal(doc) }

// Decode undoes Encode with [json.Unmarshal].
func (JSON[T]) Decode(data []byte) (T, error) {
	var doc T
	if err := json.Unmarshal(data, &doc); err != nil {
		var zero T
		return zero, err
	}
	return doc, nil
}

package docbuf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The sizes of doc.go's picture, in bytes.
const (
	header     = "mootDB\x00\x01"
	headerSize = int64(len(header))

	prefixSize  = 4 + 4
	trailerSize = 4
	frameExtra  = prefixSize + trailerSize
)

// MaxDocument is the largest encoded document that a buffer takes, in bytes.
const MaxDocument = 16 << 20

// CorruptError says where a store stopped being a sequence of frames. It
// matches [ErrCorrupt].
type CorruptError struct {
	// Offset is a boundary of the broken frame, in bytes: its start for Scan,
	// which reads oldest first, and its end for all that reads newest first. It
	// is 0 for the header.
	Offset int64
	// Reason says what was wrong, for a person.
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v at offset %d: %s", ErrCorrupt, e.Offset, e.Reason)
}

// Unwrap returns [ErrCorrupt].
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum returns the checksum of the document in a frame at offset at.
func sum(at int64, doc []byte) uint32 {
	var place [8 + 4]byte
	binary.BigEndian.PutUint64(place[:], uint64(at))
	binary.BigEndian.PutUint32(place[8:], uint32(len(doc)))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, doc)
}

// frameSize returns the size in bytes of the frame around doc.
func frameSize(doc []byte) int64 { return int64(len(doc)) + frameExtra }

// appendFrame appends to out the frame that puts doc at offset at.
func appendFrame(out []byte, at int64, doc []byte) []byte {
	n := uint32(len(doc))
	out = binary.BigEndian.AppendUint32(out, n)
	out = binary.BigEndian.AppendUint32(out, sum(at, doc))
	out = append(out, doc...)
	return binary.BigEndian.AppendUint32(out, n)
}

// parseFrame returns the document of frame, which lies at offset at and is as
// long as one of its two lengths said. A non-empty reason says what is wrong.
func parseFrame(frame []byte, at int64) (doc []byte, reason string) {
	doc = frame[prefixSize : len(frame)-trailerSize]
	first := binary.BigEndian.Uint32(frame)
	last := binary.BigEndian.Uint32(frame[len(frame)-trailerSize:])
	switch {
	case first != last:
		return nil, fmt.Sprintf("frame says %d bytes at its start and %d at its end", first, last)
	case binary.BigEndian.Uint32(frame[4:]) != sum(at, doc):
		return nil, "wrong checksum"
	}
	return doc, ""
}

// A reader reads the frames between start and end of a store, through a window
// that it moves over the store. It moves the store's position and nothing else.
// After an error it is of no more use.
type reader struct {
	store      io.ReadSeeker
	start, end int64 // frame boundaries

	buf   []byte // the window
	at    int64  // where in the store buf begins
	block int    // size of the last window asked for
}

// A window begins small, for those who want a single frame, and doubles with
// each move, for those who want many.
const (
	minBlock = 4 << 10
	maxBlock = 64 << 10
)

func newReader(store io.ReadSeeker, start, end int64) *reader {
	return &reader{store: store, start: start, end: end, block: minBlock / 2}
}

// frameAt returns the document of the frame that starts at offset at, valid
// until the next call, and where the next frame starts.
func (r *reader) frameAt(at int64) (doc []byte, next int64, err error) {
	if r.end-at < frameExtra {
		return nil, 0, &CorruptError{at, "too few bytes for a frame"}
	}
	prefix, err := r.bytes(at, at+prefixSize, false)
	if err != nil {
		return nil, 0, err
	}
	// Nothing is sized by a length before it is held against what is there.
	n := int64(binary.BigEndian.Uint32(prefix))
	next = at + n + frameExtra
	if n > MaxDocument || next > r.end {
		return nil, 0, &CorruptError{at, fmt.Sprintf("impossible length %d", n)}
	}
	frame, err := r.bytes(at, next, false)
	if err != nil {
		return nil, 0, err
	}
	doc, reason := parseFrame(frame, at)
	if reason != "" {
		return nil, 0, &CorruptError{at, reason}
	}
	return doc, next, nil
}

// frameBefore returns the document of the frame that ends at offset next, valid
// until the next call, and where that frame starts.
func (r *reader) frameBefore(next int64) (doc []byte, at int64, err error) {
	if next-r.start < frameExtra {
		return nil, 0, &CorruptError{next, "too few bytes for a frame"}
	}
	trailer, err := r.bytes(next-trailerSize, next, true)
	if err != nil {
		return nil, 0, err
	}
	n := int64(binary.BigEndian.Uint32(trailer))
	at = next - n - frameExtra
	if n > MaxDocument || at < r.start {
		return nil, 0, &CorruptError{next, fmt.Sprintf("impossible length %d", n)}
	}
	frame, err := r.bytes(at, next, true)
	if err != nil {
		return nil, 0, err
	}
	doc, reason := parseFrame(frame, at)
	if reason != "" {
		return nil, 0, &CorruptError{next, reason}
	}
	return doc, at, nil
}

// bytes returns the bytes from lo to hi, valid until the next call. If they are
// not in the window it moves there, and takes in more in the direction of
// reading: below lo when back is true, else beyond hi.
func (r *reader) bytes(lo, hi int64, back bool) ([]byte, error) {
	if lo < r.at || hi > r.at+int64(len(r.buf)) {
		r.block = min(2*r.block, maxBlock)
		from, to := lo, hi
		if back {
			from = max(r.start, min(lo, hi-int64(r.block)))
		} else {
			to = min(r.end, max(hi, lo+int64(r.block)))
		}
		if err := r.load(from, to); err != nil {
			return nil, err
		}
	}
	return r.buf[lo-r.at : hi-r.at], nil
}

// load moves the window to the bytes from lo to hi.
func (r *reader) load(lo, hi int64) error {
	size := int(hi - lo)
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	r.buf, r.at = r.buf[:size], lo
	return readAt(r.store, lo, r.buf)
}

// readAt fills buf from offset at of the store.
func readAt(store io.ReadSeeker, at int64, buf []byte) error {
	if _, err := store.Seek(at, io.SeekStart); err != nil {
		return fmt.Errorf("seek to %d: %w", at, err)
	}
	_, err := io.ReadFull(store, buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// Open has seen these bytes: somebody has cut the store since. A bare
		// io.EOF must not get out, because to callers it means "empty".
		return fmt.Errorf("read %d bytes at %d: %w", len(buf), at, ErrShort)
	}
	if err != nil {
		return fmt.Errorf("read %d bytes at %d: %w", len(buf), at, err)
	}
	return nil
}

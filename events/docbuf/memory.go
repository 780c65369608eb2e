package docbuf

import (
	"errors"
	"fmt"
	"io"
)

// ReadWriteSeekString is an [io.ReadWriteSeeker] over a string in memory, a
// store for tests. It behaves like a file: a write beyond the end fills the gap
// with zero bytes. The zero value is an empty store. It is not safe for
// concurrent use.
type ReadWriteSeekString struct {
	data []byte
	at   int64
}

// NewReadWriteSeekString returns a store that holds s, positioned at its start.
func NewReadWriteSeekString(s string) *ReadWriteSeekString {
	return &ReadWriteSeekString{data: []byte(s)}
}

// String returns all that the store holds.
func (s *ReadWriteSeekString) String() string { return string(s.data) }

// Read implements [io.Reader].
func (s *ReadWriteSeekString) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.at >= int64(len(s.data)) {
		return 0, io.EOF
	}
	n := copy(p, s.data[s.at:])
	s.at += int64(n)
	return n, nil
}

// Write implements [io.Writer]. It never fails.
func (s *ReadWriteSeekString) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // like a file, which such a write does not extend
	}
	if gap := s.at - int64(len(s.data)); gap > 0 {
		s.data = append(s.data, make([]byte, gap)...)
	}
	n := copy(s.data[s.at:], p)
	s.data = append(s.data, p[n:]...)
	s.at += int64(len(p))
	return len(p), nil
}

// Seek implements [io.Seeker]. To seek beyond the end is legal, to seek before
// the start is an error.
func (s *ReadWriteSeekString) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += int64(len(s.data))
	default:
		return 0, fmt.Errorf("seek: unknown whence %d", whence)
	}
	if offset < 0 {
		return 0, errors.New("seek: before the start")
	}
	s.at = offset
	return offset, nil
}

// Truncate makes the store size bytes long, cutting it or filling it up with
// zero bytes. The position stays where it is.
func (s *ReadWriteSeekString) Truncate(size int64) error {
	if size < 0 {
		return errors.New("truncate: negative size")
	}
	if gap := size - int64(len(s.data)); gap > 0 {
		s.data = append(s.data, make([]byte, gap)...)
	}
	s.data = s.data[:size]
	return nil
}

// WithoutTruncate returns the same store as an [io.ReadWriteSeeker] and nothing
// more, which is what a store looks like that cannot be cut.
func (s *ReadWriteSeekString) WithoutTruncate() io.ReadWriteSeeker {
	return struct{ io.ReadWriteSeeker }{s}
}

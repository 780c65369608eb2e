package wal

import (
	"errors"
	"fmt"
	"io"
	"os"

	"moot/store/disk"
)

// Errors of a reader.
var (
	// ErrGone says that changes that somebody wants to follow are no longer in the log.
	ErrGone = errors.New("the log of commits no longer has these changes")
	// ErrAhead says that whoever follows has changes that the log does not have.
	ErrAhead = errors.New("the log of commits is behind")
)

// Reader reads the records of a log in order. It belongs to one goroutine.
type Reader struct {
	log *Log
	*place

	file     *os.File
	sequence uint64
	seed     uint32
	at       int64
	buffer   []byte
}

// Reader returns a reader of the records after the given number. Until it is closed it holds back
// the segments that it still needs. It is ErrGone if the log has the next record no longer, and
// ErrAhead if the log is not there yet.
func (l *Log) Reader(after uint64) (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after > l.last {
		return nil, fmt.Errorf("%w: change %d is asked for, %d is the last", ErrAhead, after+1, l.last)
	}
	r := &Reader{log: l, place: &place{last: after}}
	if l.segmentOf(after+1) == nil {
		return nil, fmt.Errorf("%w: change %d is asked for, %d is the first", ErrGone, after+1, l.first())
	}
	l.readers[r.place] = struct{}{}
	return r, nil
}

// Next returns the next record, io.EOF if there is none yet. The body is valid until the next call.
func (r *Reader) Next() (number uint64, body []byte, err error) {
	r.log.mu.Lock()
	s := r.log.segmentOf(r.last + 1)
	gone, through := r.gone || s == nil, r.last == r.log.last
	closed := r.log.closed
	var path string
	var sequence uint64
	var seed uint32
	if s != nil {
		path, sequence, seed = s.path, s.sequence, s.head.seed()
	}
	if through && !gone && !closed {
		r.log.mu.Unlock()
		return 0, nil, io.EOF
	}
	// Opened under the lock, so that it is not removed before.
	if !gone && (r.file == nil || r.sequence != sequence) {
		if r.file != nil {
			r.file.Close() //nolint:errcheck // it was only read
		}
		if r.file, err = os.Open(path); err == nil {
			r.sequence, r.seed, r.at = sequence, seed, headSize
		} else {
			r.file = nil
		}
	}
	r.log.mu.Unlock()
	switch {
	case closed:
		return 0, nil, os.ErrClosed
	case gone:
		return 0, nil, fmt.Errorf("%w: it was not read for too long", ErrGone)
	case err != nil:
		return 0, nil, err
	}
	for {
		number, body, err := r.record()
		if err != nil {
			return 0, nil, fmt.Errorf("%s behind change %d: %w", path, r.last, err)
		}
		if number <= r.last { // the segment begins before what is asked for
			continue
		}
		if number != r.last+1 {
			return 0, nil, fmt.Errorf("%w: change %d follows %d", disk.ErrDamaged, number, r.last)
		}
		r.log.mu.Lock()
		r.last = number
		r.log.mu.Unlock()
		return number, body, nil
	}
}

// record reads the record at the place of the reader and goes behind it.
func (r *Reader) record() (uint64, []byte, error) {
	var h [Head]byte
	if _, err := r.file.ReadAt(h[:], r.at); err != nil {
		return 0, nil, err
	}
	size := padded(int(uint32(h[4])<<24 | uint32(h[5])<<16 | uint32(h[6])<<8 | uint32(h[7])))
	info, err := r.file.Stat()
	if err != nil {
		return 0, nil, err
	}
	size = min(size, info.Size()-r.at)
	if int64(cap(r.buffer)) < size {
		r.buffer = make([]byte, size)
	}
	b := r.buffer[:size]
	if _, err := r.file.ReadAt(b, r.at); err != nil {
		return 0, nil, err
	}
	number, body, ok := unseal(b, r.seed)
	if !ok {
		return 0, nil, fmt.Errorf("%w: a record cannot be read", disk.ErrDamaged)
	}
	r.at += padded(len(body))
	return number, body, nil
}

// Close lets go of what the reader holds back.
func (r *Reader) Close() error {
	r.log.mu.Lock()
	delete(r.log.readers, r.place)
	r.log.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Check reads all records that are there, and returns what is wrong with them.
func (l *Log) Check() error {
	l.mu.Lock()
	after := l.first() - 1
	last := l.last
	l.mu.Unlock()
	r, err := l.Reader(after)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // it was only read
	for r.last < last {
		if _, _, err := r.Next(); err != nil {
			return err
		}
	}
	return nil
}

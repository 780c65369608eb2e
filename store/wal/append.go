package wal

import (
	"os"

	"moot/internal/failpoint"
	"moot/store/disk"
)

// Reserve sees to it that a record of Config.Least can be appended without a block that is not
// there yet. It is disk.ErrFull where the disk has none; nothing has happened then.
func (l *Log) Reserve() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for tries := 0; l.spare == nil && l.Segment-l.active().end < l.Least; tries++ {
		switch {
		case l.closed:
			return os.ErrClosed
		case l.broken != nil:
			return l.broken
		case l.failed != nil && tries > 1:
			return l.failed
		}
		l.failed = nil // that was earlier, or another file was about to be removed
		l.askForSpare()
	}
	return nil
}

// Append appends a record and makes it durable. The first Head bytes of record are for its head,
// the rest is its body, which is not empty. After an error nobody knows what the log holds, and it
// is of no use.
func (l *Log) Append(record []byte) (number uint64, err error) {
	size := padded(len(record) - Head)
	l.mu.Lock()
	s, err := l.segmentFor(size)
	number = l.last + 1
	if err == nil {
		err = l.broken
	}
	l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	seal(record, s.seed(), number)
	for len(record) < int(size) {
		record = append(record, 0)
	}
	if _, err := s.file.WriteAt(record, s.end); err != nil {
		return 0, err
	}
	failpoint.Hit(failpoint.LogAppended)
	if err := disk.Sync(s.file); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.end += size
	if s.last = number; s.first == 0 {
		s.first = number
	}
	l.last = number
	l.ahead = max(l.Ahead, 4*size)
	if l.Segment-s.end < 3*l.Segment/4 && l.spare == nil || s.zeroed-s.end < l.ahead && s.zeroed < s.size {
		l.kick()
	}
	return number, nil
}

// segmentFor returns the segment for a record of that size, in which no zeros are being written
// there.
func (l *Log) segmentFor(size int64) (*segment, error) {
	s := l.active()
	if s.end > headSize && s.end+size > l.Segment || s.end+size > s.size {
		for l.spare == nil && l.failed == nil && !l.closed {
			l.askForSpare()
		}
		for l.zeroing == s {
			l.changed.Wait()
		}
		next := l.spare
		switch {
		case l.closed:
			return nil, os.ErrClosed
		case next == nil:
			return nil, l.failed
		}
		if need := next.end + size; need > next.size { // a commit of more than a segment has one of its own
			if err := l.allocate(next.file, next.size, need); err != nil {
				return nil, err
			}
			next.size = need
		}
		if err := s.file.Close(); err != nil {
			return nil, err
		}
		s.file = nil
		l.spare = nil
		l.segments = append(l.segments, next)
		s = next
	}
	for s.end+size > s.zeroed && l.zeroing == s {
		l.changed.Wait()
	}
	s.zeroed = max(s.zeroed, s.end+size) // whoever writes zeros next begins behind it
	return s, nil
}

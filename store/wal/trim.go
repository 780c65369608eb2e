package wal

import (
	"fmt"
	"os"

	"moot/store/disk"
)

// Place returns from where the log is to be read once the file of the store holds everything up to
// the given change.
func (l *Log) Place(change uint64) From {
	l.mu.Lock()
	defer l.mu.Unlock()
	return From{change, l.segmentOf(change + 1).sequence}
}

// Trim removes the segments that are not needed once the file of the store durably holds From: those
// before it, but for what readers and Config.Keep hold back. It returns how many readers it has left
// behind, since they held back more than Config.Held.
func (l *Log) Trim(from From) (left int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var behind int64 // bytes of what could go
	for _, s := range l.segments {
		if s.sequence < from.Segment {
			behind += s.end
		}
	}
	gone := false
	for len(l.segments) > 1 && l.segments[0].sequence < from.Segment && behind-l.segments[0].end >= l.Keep {
		s := l.segments[0]
		if held := l.hold(s); held != nil {
			if behind <= l.Held {
				break
			}
			for _, r := range held {
				r.gone = true
			}
			left += len(held)
		}
		if err := os.Remove(s.path); err != nil {
			return left, fmt.Errorf("trim the log of commits: %w", err)
		}
		behind -= s.end
		l.segments = l.segments[1:]
		gone = true
	}
	if gone {
		return left, disk.SyncFolder(l.Folder)
	}
	return left, nil
}

// hold returns the readers that still need the segment.
func (l *Log) hold(s *segment) (held []*place) {
	for r := range l.readers {
		if s.last > r.last && !r.gone {
			held = append(held, r)
		}
	}
	return held
}

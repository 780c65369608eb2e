package wal

import (
	"sync"
)

// Config says which log to open.
type Config struct {
	// Folder is where the segments are.
	Folder string
	// Instance is the name of the store that the log belongs to.
	Instance [16]byte
	// Segment is how many bytes a segment has; zero means 8 MiB.
	Segment int64
	// Least is how large a record may be for which Reserve answers; zero means half a segment.
	Least int64
	// Ahead is how many zeros are written ahead of the records, at least; zero means 256 KiB. It is
	// four times a record where that is more.
	Ahead int64
	// Keep is how many bytes of segments Trim leaves for whoever follows later; zero means none.
	Keep int64
	// Held is how many bytes of segments a Reader can keep from being trimmed; zero means 256 MiB.
	Held int64
	// ReadOnly reads the log and changes nothing in it. It cannot be appended to.
	ReadOnly bool
}

// From is the place from which a log is read: what is before it is in the file of the store.
type From struct {
	Change  uint64 // the number of the last record that is not needed
	Segment uint64 // the sequence number of the segment in which the next one is, or will be
}

// Log is an open log. One goroutine at a time may call Reserve and Append; the other methods may be
// called concurrently with them and with each other.
type Log struct {
	Config

	mu       sync.Mutex
	changed  sync.Cond  // of what mu guards
	segments []*segment // without gaps; the last one is appended to, and has a file
	spare    *segment   // the next one; nil while there is none
	asked    bool       // whether somebody waits for it
	failed   error      // why there is no spare, nil if none was tried
	broken   error      // of what is prepared: nobody knows what the disk holds
	last     uint64     // the number of the last record
	ahead    int64      // how many zeros are wanted ahead of the next one
	zeroing  *segment   // to which zeros are being written
	readers  map[*place]struct{}
	closed   bool

	wake    chan struct{} // of the goroutine that prepares
	stopped sync.WaitGroup
	zero    []byte // what it writes
}

// place is how far a reader is. It is guarded by the mutex of the log.
type place struct {
	last uint64 // the number of the last record that was read
	gone bool   // the log went on without the reader
}

func (c Config) withDefaults() Config {
	if c.Segment == 0 {
		c.Segment = 8 << 20
	}
	if c.Least == 0 {
		c.Least = c.Segment / 2
	}
	if c.Ahead == 0 {
		c.Ahead = 256 << 10
	}
	if c.Held == 0 {
		c.Held = 256 << 20
	}
	return c
}

// Last returns the number of the last record.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Size returns how many bytes the segments have.
func (l *Log) Size() (size int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments {
		size += s.zeroed
	}
	return size
}

func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

// first returns the number of the first record that the log has, or will have.
func (l *Log) first() uint64 {
	for _, s := range l.segments {
		if s.first != 0 {
			return s.first
		}
	}
	return l.last + 1
}

// segmentOf returns the segment of a record, the last one for the record that comes next; nil if it
// is gone.
func (l *Log) segmentOf(number uint64) *segment {
	if number < l.first() {
		return nil
	}
	for _, s := range l.segments {
		if s.last >= number {
			return s
		}
	}
	return l.active()
}

// kick wakes the goroutine that prepares.
func (l *Log) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

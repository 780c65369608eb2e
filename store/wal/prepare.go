package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"moot/internal/failpoint"
	"moot/store/disk"
)

// create makes a segment, and makes it durable but for its name.
func (c Config) create(sequence uint64) (s *segment, err error) {
	s = &segment{path: segmentPath(c.Folder, sequence), end: headSize, size: c.blocks()}
	s.sequence, s.instance = sequence, c.Instance
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, err
	}
	s.salt = binary.BigEndian.Uint64(salt[:])
	fresh := s.path + ".new"
	f, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(fresh))
		}
	}()
	if err := c.allocate(f, 0, s.size); err != nil {
		return nil, err
	}
	s.zeroed = min(headSize+c.Ahead/4, s.size)
	start := make([]byte, s.zeroed)
	copy(start, s.encode())
	if _, err := f.Write(start); err != nil {
		return nil, err
	}
	if err := errors.Join(f.Sync(), os.Rename(fresh, s.path)); err != nil {
		return nil, err
	}
	s.file = f
	return s, nil
}

// blocks is how many bytes a new segment has on the disk: the largest record that Reserve answers
// for fits.
func (c Config) blocks() int64 { return max(c.Segment, headSize+c.Least) }

// allocate gives a segment its blocks.
func (c Config) allocate(f *os.File, from, to int64) error {
	err := disk.Allocate(f, from, to)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		if free, known := disk.Free(c.Folder); known && free < to-from {
			return fmt.Errorf("%w: a segment needs %d KiB, and %d are free", disk.ErrFull, (to-from)>>10, free>>10)
		}
		return nil
	case disk.IsFull(err):
		return fmt.Errorf("%w: a segment needs %d KiB: %w", disk.ErrFull, (to-from)>>10, err)
	}
	return err
}

// askForSpare has the next segment made, and waits until something of that has happened.
func (l *Log) askForSpare() {
	l.asked = true
	l.kick()
	l.changed.Wait()
}

// writeZeros writes and syncs zeros through a descriptor of its own: the system says of a failed
// write once for each, and an append is not to miss it.
func writeZeros(path string, at int64, zeros []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(zeros, at); err == nil {
		err = disk.Sync(f)
	}
	return errors.Join(err, f.Close())
}

// prepareAll prepares, beside the commits, until the log is closed.
func (l *Log) prepareAll() {
	for range l.wake {
		for l.prepare() {
		}
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		if closed {
			return
		}
	}
}

// prepare makes the next segment, or writes zeros ahead, whichever is needed. It reports whether
// there may be more to do.
func (l *Log) prepare() bool {
	l.mu.Lock()
	s := l.active()
	switch {
	case l.closed:
		l.mu.Unlock()
		return false
	case s.zeroed-s.end < 2*l.ahead && s.zeroed < s.size:
		from, to := s.zeroed, min(s.size, s.zeroed+int64(len(l.zero)))
		l.zeroing = s
		l.mu.Unlock()
		err := writeZeros(s.path, from, l.zero[:to-from])
		l.mu.Lock()
		defer l.mu.Unlock()
		l.zeroing = nil
		// Where the disk is full there are none; an append that needs them finds out by itself.
		s.zeroed = max(s.zeroed, to)
		if err != nil && !disk.IsFull(err) && l.broken == nil {
			l.broken = err
		}
		l.changed.Broadcast()
		return err == nil
	case l.spare == nil && l.failed == nil && (l.asked || l.Segment-s.end < 3*l.Segment/4):
		sequence := s.sequence + 1
		l.mu.Unlock()
		spare, err := l.create(sequence)
		if err == nil {
			failpoint.Hit(failpoint.SegmentMade)
			if err = disk.SyncFolder(l.Folder); err != nil {
				err = errors.Join(err, spare.file.Close())
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.asked = false; err != nil {
			l.failed = fmt.Errorf("log of commits %s: %w", l.Folder, err)
		} else {
			l.spare = spare
		}
		if errors.Is(err, syscall.EIO) && l.broken == nil { // other causes may pass
			l.broken = l.failed
		}
		l.changed.Broadcast()
		return err == nil
	}
	l.mu.Unlock()
	return false
}

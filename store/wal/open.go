package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"moot/store/disk"
)

// Create makes a log whose first record will be the one after from.Change. Folder is made if it is
// not there. A log that is there already and has no record is what a crash has left, and is
// replaced; one that has records is refused.
func Create(c Config, from From) error {
	c = c.withDefaults()
	err := os.Mkdir(c.Folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		var empty bool
		if empty, err = Empty(c.Folder); err == nil && !empty {
			err = fmt.Errorf("%w: the log of commits %s holds commits, and the file that they belong to is missing",
				disk.ErrDamaged, c.Folder)
		}
		if err == nil {
			err = removeAll(c.Folder)
		}
	}
	if err != nil {
		return err
	}
	s, err := c.create(from.Segment)
	if err != nil {
		return err
	}
	return errors.Join(s.file.Close(), disk.SyncFolder(c.Folder), disk.SyncFolder(filepath.Dir(c.Folder)))
}

// Empty reports whether the log in the folder never had a record.
func Empty(folder string) (bool, error) {
	all, err := sequences(folder)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), ignore(err, fs.ErrNotExist)
	}
	if len(all) > 0 && all[0] != 1 {
		return false, nil
	}
	for _, n := range all {
		s, _, err := readSegment(folder, n, func(uint64, []byte) error { return nil })
		if err != nil {
			return false, err
		}
		if s.first != 0 {
			return false, nil
		}
	}
	return true, nil
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

// removeAll removes the segments of a folder, and what is left of those that never became any.
func removeAll(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, suffix) || strings.HasSuffix(name, suffix+".new") {
			err = errors.Join(err, os.Remove(filepath.Join(folder, name)))
		}
	}
	return err
}

// Open opens the log and calls replay with each record after from.Change, in order. The body is
// valid until the call returns. What it refuses it leaves unchanged.
func Open(c Config, from From, replay func(number uint64, body []byte) error) (*Log, error) {
	c = c.withDefaults()
	l := &Log{Config: c, readers: map[*place]struct{}{}, wake: make(chan struct{}, 1)}
	l.changed.L = &l.mu
	if err := l.read(from, replay); err != nil {
		return nil, fmt.Errorf("log of commits %s: %w", c.Folder, err)
	}
	if c.ReadOnly {
		return l, nil
	}
	if err := l.start(); err != nil {
		return nil, fmt.Errorf("log of commits %s: %w", c.Folder, err)
	}
	return l, nil
}

// read reads all segments, and cuts off what a crash has left behind the last record.
func (l *Log) read(from From, replay func(number uint64, body []byte) error) error {
	all, err := sequences(l.Folder)
	if err = ignore(err, fs.ErrNotExist); err != nil {
		return err
	}
	for len(all) > 0 && all[0] < from.Segment {
		// Kept for whoever follows, or left by a crash. Only those that lead up to what is needed
		// are of use.
		if all[0]+uint64(len(all))-1 == all[len(all)-1] && l.known(all[0], from.Change) {
			break
		}
		all = all[1:]
	}
	before := uint64(0) // the last number of the segments that are only kept
	var cut *segment
	for i, n := range all {
		s, rest, err := readSegment(l.Folder, n, func(number uint64, body []byte) error {
			if number <= from.Change {
				return nil
			}
			return replay(number, body)
		})
		switch {
		case err != nil:
			return err
		case s.instance != l.Instance:
			return fmt.Errorf("%w: %s belongs to another store", disk.ErrForeign, filepath.Base(s.path))
		case i > 0 && n != all[i-1]+1:
			return fmt.Errorf("%w: segment %d is missing", disk.ErrDamaged, all[i-1]+1)
		case cut != nil && s.first != 0:
			return fmt.Errorf("%w: a record behind number %d cannot be read, and whole ones stand behind it",
				disk.ErrDamaged, l.last)
		case s.first != 0 && l.last != 0 && s.first != l.last+1, s.first > from.Change+1 && l.last == 0:
			return fmt.Errorf("%w: the changes from %d to %d are missing",
				disk.ErrDamaged, max(l.last, from.Change)+1, s.first-1)
		}
		l.last = max(l.last, s.last)
		l.segments = append(l.segments, s)
		any, number := s.tail(rest)
		switch {
		case number != 0:
			return fmt.Errorf("%w: the record behind number %d of %s cannot be read, and number %d behind it can",
				disk.ErrDamaged, l.last, filepath.Base(s.path), number)
		case any && cut == nil:
			cut = s
		}
		before = max(before, s.last)
	}
	switch {
	case len(all) == 0 || all[0] > from.Segment || all[len(all)-1] < from.Segment:
		return fmt.Errorf("%w: segment %d is missing, in which the changes from %d on are",
			disk.ErrDamaged, from.Segment, from.Change+1)
	case before != 0 && before < from.Change:
		return fmt.Errorf("%w: it ends with change %d, and the file beside it holds %d",
			disk.ErrDamaged, before, from.Change)
	}
	l.last = max(l.last, from.Change)
	if cut != nil && !l.ReadOnly {
		return cut.cut()
	}
	return nil
}

// known reports whether a segment that is only kept can be read and holds changes up to what is
// needed.
func (l *Log) known(sequence, change uint64) bool {
	s, _, err := readSegment(l.Folder, sequence, func(uint64, []byte) error { return nil })
	return err == nil && s.instance == l.Instance && s.first != 0 && s.first <= change+1
}

// start makes the log ready to be appended to.
func (l *Log) start() error {
	for n := len(l.segments); n > 1 && l.segments[n-1].first == 0; n-- {
		// One that was the spare. It is made anew: of its blocks nothing is known.
		if err := os.Remove(l.segments[n-1].path); err != nil {
			return err
		}
		l.segments = l.segments[:n-1]
	}
	active := l.segments[len(l.segments)-1]
	var err error
	if active.file, err = os.OpenFile(active.path, os.O_RDWR, 0); err != nil {
		return err
	}
	if active.size < l.blocks() {
		if err := l.allocate(active.file, active.size, l.blocks()); err == nil {
			active.size = l.blocks()
		} else if !disk.IsFull(err) {
			return errors.Join(err, active.file.Close())
		}
	}
	l.zero = make([]byte, l.Ahead/2)
	l.ahead = l.Ahead
	l.stopped.Go(l.prepareAll)
	return nil
}

// Close waits for what is being prepared. What was appended is durable already. Its error may be one of
// what was prepared before.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed || l.ReadOnly {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.changed.Broadcast()
	l.mu.Unlock()
	l.kick()
	l.stopped.Wait()
	err := l.segments[len(l.segments)-1].file.Close()
	if l.spare != nil {
		err = errors.Join(err, l.spare.file.Close())
	}
	return errors.Join(l.broken, err)
}

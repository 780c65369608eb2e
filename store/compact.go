package store

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Compact writes the file anew without the space that it does not need, and puts the new one in its
// place in one step: a crash leaves the old one or the new one. Nobody else may have the file open:
// ErrLocked. It returns the lengths before and after. Both have to fit on the disk. What is left of
// a call that was cut short is cleared away by the next.
func Compact(c Config) (before, after int64, err error) {
	c.ReadOnly = false
	if _, err := os.Stat(c.Path); err != nil {
		return 0, 0, err // Open would make one
	}
	s, err := Open(c)
	if err != nil {
		return 0, 0, err
	}
	// The lock is let go of last: whoever waits for it then notices that the file is another one.
	defer func() { err = errors.Join(err, s.Close()) }()
	before = s.Size()
	if err := s.Checkpoint(context.Background()); err != nil {
		return 0, 0, fmt.Errorf("compact %s: %w", c.Path, err)
	}
	s.writing.Lock() // nothing is written to the old one any more
	defer s.writing.Unlock()
	if after, err = s.file.Compact(); err != nil {
		return 0, 0, fmt.Errorf("compact %s: %w", c.Path, err)
	}
	return before, after, nil
}

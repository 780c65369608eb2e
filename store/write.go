package store

import (
	"errors"
	"fmt"
	"os"
	"time"

	"moot/internal/failpoint"
	"moot/protocol"
	"moot/store/disk"
	"moot/store/wal"
)

// Commit runs f and makes durable what it did. The time of the commit is now, or just after the
// commit before it, whichever is later. An error of f discards everything. An error of the disk
// does too, and breaks the store; not so ErrFull, which comes before f is called.
func (s *Store) Commit(now time.Time, f func(*Commit) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	st, v, err := s.snapshot()
	if err != nil {
		return fmt.Errorf("begin a commit: %w", err)
	}
	defer v.Close() //nolint:errcheck // it was only read
	if now = now.UTC(); !now.After(s.last) {
		now = s.last.Add(1)
	}
	s.last = now
	c := newCommit(now, &viewer{s.seen, st, v}, &s.batch, &s.lately)
	defer s.batch.Reset()
	settled := func() {}
	if err := disk.Guard(func() error {
		if err := f(c); err != nil || s.along == nil {
			return err
		}
		return c.Run("", protocol.Ref{}, func(tx *Tx) error {
			settled = s.along(tx)
			return nil
		})
	}); err != nil {
		if errors.Is(err, ErrDamaged) {
			s.fail(err, false)
		}
		return err
	}
	if c.empty() {
		return nil
	}
	if err := s.apply(c.content(), nil); err != nil {
		return err
	}
	settled()
	return nil
}

// Along has each later Commit call f when its own function has returned without an error: what f writes is part of that
// commit, and the function that f returns is called once the commit is durable and can be seen. Where there is no commit
// it is not called. F may write nothing; it belongs to no scope, and must not commit. Nil ends it.
func (s *Store) Along(f func(*Tx) (settled func())) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.along = f
}

// ready waits until there is memory for a commit, and sees to it that there is space on the disk.
func (s *Store) ready() error {
	switch {
	case s.closed:
		return os.ErrClosed
	case s.cfg.ReadOnly:
		return ErrReadOnly
	}
	s.publishing.Lock()
	if s.full != nil && s.tooMuch() { // the checkpointer tries again first
		s.full = nil
		s.kick()
	}
	for s.broken == nil && s.full == nil && s.tooMuch() {
		s.progress.Wait()
	}
	broken, full, waits := s.broken, s.full, s.tooMuch()
	s.unsaid = false
	s.publishing.Unlock()
	switch {
	case broken != nil:
		return fmt.Errorf("%w: %w", ErrBroken, broken)
	case full != nil && waits:
		return full
	case s.cfg.Space != nil:
		return s.cfg.Space()
	case s.log == nil:
		return nil
	}
	err := s.log.Reserve()
	if err != nil && !disk.IsFull(err) {
		err = fmt.Errorf("%w: %w", ErrWrite, err)
		s.fail(err, false)
	}
	return err
}

// apply makes a change durable and applies it in memory. A body is that of a change that was made
// elsewhere.
func (s *Store) apply(c *content, body []byte) error {
	number := s.state.Load().change + 1
	failpoint.Hit(failpoint.CommitBefore)
	if s.log != nil {
		record := append(s.buffer[:0], make([]byte, wal.Head)...)
		if body != nil {
			record = append(record, body...)
		} else {
			record = c.encode(record, number)
		}
		if s.buffer = record; cap(record) > 1<<20 {
			s.buffer = nil
		}
		if body == nil && s.ship != nil {
			if err := s.ship(Change{number, record[wal.Head:]}); err != nil {
				err = fmt.Errorf("%w: %w", ErrShip, err)
				s.fail(err, false)
				return fmt.Errorf("commit: %w", err)
			}
		}
		if _, err := s.log.Append(record); err != nil {
			err = fmt.Errorf("%w: %w", ErrWrite, err)
			s.fail(err, false)
			return fmt.Errorf("commit: %w", err)
		}
	}
	failpoint.Hit(failpoint.CommitAfter)
	s.publishing.Lock()
	defer s.publishing.Unlock()
	st := s.add(c, number, s.state.Load())
	if s.due(st) {
		st = st.freeze(s.seen)
	}
	s.publish(st)
	if st.upTo != 0 {
		s.kick() // behind the state that it is to see
	}
	return nil
}

// add applies a change in memory.
func (s *Store) add(c *content, number uint64, st *state) *state {
	c.rows.put(meta.name, metaLast, []byte(Time(c.at)))
	if c.horizon != 0 {
		c.rows.put(meta.name, metaHorizon, []byte(Number(c.horizon)))
		s.seen.Horizon(c.horizon)
	}
	s.seen.Add(number, c.records)
	return st.add(c, s.seen)
}

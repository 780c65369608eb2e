package store

import (
	"context"
	"errors"
	"time"

	"moot/internal/failpoint"
	"moot/store/bolt"
	"moot/store/disk"
	"moot/store/wal"
)

// due reports whether a checkpoint begins with this state.
func (s *Store) due(st *state) bool {
	return st.upTo == 0 && (st.bytes >= s.cfg.limits.Memtable || s.seen.Full(st.seenNow()))
}

// tooMuch reports whether commits have to wait for the checkpoint that is under way.
func (s *Store) tooMuch() bool {
	st := s.state.Load()
	most := s.cfg.limits.Most
	return st.upTo != 0 &&
		(st.bytes >= most*s.cfg.limits.Memtable || st.events >= most*s.cfg.limits.Seen.Table)
}

// gentleShare is what part of a slice the checkpointer takes where it has time.
const gentleShare = 8

// gently reports whether the checkpointer has time: nobody waits for it, and less than half of what begins
// the next checkpoint has come together. It then writes little at once, as each sync of its file holds
// up that of a commit.
func (s *Store) gently(st *state) bool {
	return s.awaited.Load() == 0 && st.bytes < s.cfg.limits.Memtable/2 && st.events < s.cfg.limits.Seen.Table/2
}

func (s *Store) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// checkpoints works until the store is closed.
func (s *Store) checkpoints() {
	for {
		select {
		case <-s.quit:
			return
		case <-s.wake:
		}
		for s.step() {
			select {
			case <-s.quit:
				return
			default:
			}
		}
	}
}

// step does a slice of work and reports whether there is more to do. Where the disk is full it
// waits a while.
func (s *Store) step() bool {
	s.writing.Lock()
	did, err := s.slice()
	s.writing.Unlock()
	s.publishing.Lock()
	broken := s.broken != nil
	switch {
	case err == nil:
		s.full = nil
	case disk.IsFull(err):
		s.full = err
	}
	s.progress.Broadcast()
	s.publishing.Unlock()
	switch {
	case broken:
		return false
	case disk.IsFull(err):
		select {
		case <-s.quit:
		case <-s.wake:
		case <-time.After(fullRetry):
		}
		return true
	case err != nil:
		s.fail(err, true)
		return false
	}
	return did
}

// slice does a slice of the most urgent work, and reports whether there was any. The caller holds
// writing.
func (s *Store) slice() (bool, error) {
	st := s.state.Load()
	now := st.seenNow()
	if s.space != nil {
		if err := s.space(); err != nil {
			return false, err
		}
	}
	idle := s.seen.Idle(now)
	s.tending.Store(!idle)
	// Where too many runs wait to be merged, merges and the checkpoint take turns.
	if st.upTo != 0 && (s.merged || idle || !s.seen.Behind()) {
		s.merged = false
		return true, s.checkpointSlice(st)
	}
	if idle {
		return false, nil
	}
	s.merged = true
	did, gently := false, s.gently(st)
	err := s.update(func(tx *bolt.Tx) (err error) {
		did, err = s.seen.Tend(tx.Bolt, now, gently)
		return err
	}, func(*state, int) {})
	return did || st.upTo != 0, err
}

// update makes a transaction of what do does to the file. When it is durable, change makes the
// state that is published of the one that is the present one then.
func (s *Store) update(do func(*bolt.Tx) error, change func(next *state, id int)) error {
	id, err := s.file.Update(do)
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if err != nil {
		s.seen.Aborted()
		return err
	}
	s.seen.Committed()
	next := *s.state.Load()
	change(&next, id)
	next.seen = s.seen.State()
	s.publish(&next)
	return nil
}

// checkpointSlice writes a slice of the frozen rows, or of the frozen table.
func (s *Store) checkpointSlice(st *state) error {
	at, from := s.at, wal.From{}
	gently, rows := s.gently(st), s.cfg.limits.Slice
	if gently {
		rows /= gentleShare
	}
	err := s.update(func(tx *bolt.Tx) error {
		if !at.through {
			if err := at.write(tx, st.frozen, rows); err != nil || !at.through {
				return err
			}
		}
		done, err := s.seen.Build(tx.Bolt, gently)
		if err != nil || !done {
			return err
		}
		from = wal.From{Change: st.upTo}
		if s.log != nil {
			from = s.log.Place(st.upTo)
		}
		return errors.Join(
			tx.Put(checkpoint, checkpointChange, []byte(Number(from.Change))),
			tx.Put(checkpoint, checkpointSegment, []byte(Number(from.Segment))),
		)
	}, func(next *state, id int) {
		if from.Change != 0 {
			next.frozen, next.upTo, next.holds, next.needs = nil, 0, from.Change, id
		}
	})
	if err != nil {
		return err
	}
	if s.at = at; from.Change == 0 {
		return nil
	}
	s.at = place{}
	s.file.Release()
	failpoint.Hit(failpoint.LogTrim)
	if s.log == nil {
		return nil
	}
	left, err := s.log.Trim(from)
	if log := s.logger.Load(); left > 0 && log != nil {
		log.Warn("followers of the store were too slow and need a new base", "followers", left)
	}
	return err
}

// Checkpoint writes everything to the file and merges what is to be merged, until nothing is left
// to do. The store does so by itself and in time; it is for those who want to measure, or to make
// the file small.
func (s *Store) Checkpoint(ctx context.Context) error {
	s.awaited.Add(1)
	defer s.awaited.Add(-1)
	change := s.state.Load().change
	for s.state.Load().holds < change {
		if err := s.begin(); err != nil {
			return err
		}
		if err := s.wait(ctx, func(st *state) bool { return st.upTo == 0 }); err != nil {
			return err
		}
	}
	for more := true; more; {
		more = s.step()
		if err := s.wait(ctx, func(*state) bool { return s.full == nil && s.broken == nil }); err != nil {
			return err
		}
	}
	return nil
}

// begin begins a checkpoint of all that is only in memory, where none is under way.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishing.Lock()
	defer s.publishing.Unlock()
	st := s.state.Load()
	switch {
	case s.cfg.ReadOnly:
		return ErrReadOnly
	case st.upTo == 0 && st.holds < st.change:
		s.publish(st.freeze(s.seen))
	}
	s.full = nil // it is tried again
	s.kick()
	return nil
}

// stop ends the checkpointer. It first writes what is only in memory, if the disk has space for it:
// if not, the log of commits has it.
func (s *Store) stop() error {
	if s.cfg.ReadOnly {
		return nil
	}
	s.awaited.Add(1) // for good
	close(s.quit)
	s.stopped.Wait()
	for {
		s.publishing.Lock()
		st, broken := s.state.Load(), s.broken != nil
		if !broken && st.upTo == 0 && st.holds < st.change {
			st = st.freeze(s.seen)
			s.publish(st)
		}
		s.publishing.Unlock()
		if broken || st.upTo == 0 || s.cfg.Scratch {
			return nil
		}
		s.writing.Lock()
		err := s.checkpointSlice(st)
		s.writing.Unlock()
		if err != nil && !disk.IsFull(err) {
			return err
		}
		if err != nil {
			return nil
		}
	}
}

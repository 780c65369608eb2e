package store

import (
	"context"
	"time"

	"go.etcd.io/bbolt"
)

// Merge brings what the journal holds into sorted runs, and merges these, until nothing is left to do. Commits do so by
// themselves and in time; it is for those who want to measure, or to make the file small. It makes commits of its own,
// none of which holds up others for long.
func (s *Store) Merge(ctx context.Context) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.Commit(time.Time{}, func(c *Commit) error {
			more = !c.journal.idle() || c.journal.active.size() > 0
			c.merging = more
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Stats says how much the store holds of seen events, and in what.
type Stats struct {
	Journal int // events that are in no run yet
	Runs    int
	Events  int   // rows in runs; one that was recorded again in another run counts twice
	Indexed int   // events in the index by time of runs
	Filters int   // bytes of memory that the filters take
	Moving  bool  // whether commits are at work on a run
	Bytes   int64 // of the file that are in use
	Free    int64 // bytes of the file that wait to be used again; Compact returns them
}

// Stats returns how much the store holds. It waits for the commit that runs.
func (s *Store) Stats() (st Stats, err error) {
	s.mu.Lock()
	st.Moving = s.journal.flush != nil || s.journal.merge != nil
	s.mu.Unlock()
	s.viewing.RLock()
	j, db := s.journal.state, s.db
	s.viewing.RUnlock()
	for _, t := range []*table{j.active, j.frozen} {
		if t != nil {
			t.mu.RLock()
			st.Journal += t.size()
			t.mu.RUnlock()
		}
	}
	for _, r := range j.runs {
		st.Runs++
		st.Events += r.events()
		for _, c := range r.Times {
			st.Indexed += c.IDs
		}
		for _, f := range r.filters {
			st.Filters += 8 * len(f.BitSet().Words())
		}
	}
	err = db.View(func(tx *bbolt.Tx) error {
		size := int64(db.Info().PageSize)
		free := db.Stats()
		st.Free = int64(free.FreePageN+free.PendingPageN) * size
		st.Bytes = tx.Size() - st.Free
		return nil
	})
	return st, err
}

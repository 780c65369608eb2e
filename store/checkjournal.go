package store

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// check reads all that the file holds of seen events and returns what is wrong with it, at most ten things.
func (j *journal) check(tx *bbolt.Tx) (errs []error) {
	defer faulted()
	say := func(format string, args ...any) {
		if len(errs) < 10 {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if b := tx.Bucket([]byte(journalBucket)); b != nil {
		_ = b.ForEachBucket(func(g []byte) error {
			return b.Bucket(g).ForEach(func(k, v []byte) error {
				if _, _, err := decodeEntry(v); err != nil {
					say("journal, generation %d, entry %d: %w", ParseNumber(string(g)), ParseNumber(string(k)), err)
				}
				return nil
			})
		})
	}
	owned := map[chunkKey]bool{}
	if b := tx.Bucket([]byte(runsBucket)); b != nil {
		_ = b.ForEach(func(k, v []byte) error {
			r, err := readRun(tx, ParseNumber(string(k)), v)
			if err != nil {
				say("%w", err)
			}
			for _, c := range r.Seen {
				owned[chunkKey{runSeenBucket, c.ID}] = true
			}
			for _, c := range r.Times {
				owned[chunkKey{runTimesBucket, c.ID}] = true
			}
			if err == nil && r.State == runReady {
				j.checkRun(tx, r, say)
			}
			return nil
		})
	}
	for _, parent := range []string{runSeenBucket, runTimesBucket} {
		if b := tx.Bucket([]byte(parent)); b != nil {
			_ = b.ForEachBucket(func(k []byte) error {
				if id := ParseNumber(string(k)); !owned[chunkKey{parent, id}] {
					say("%s: chunk %d belongs to no run", parent, id)
				}
				return nil
			})
		}
	}
	return errs
}

// checkRun reads the chunks of a run: their rows are whole, as many as the header says, and known to the filters. A key
// in which a bit has changed is not.
func (j *journal) checkRun(tx *bbolt.Tx, r *run, say func(string, ...any)) {
	f, before := newFile(tx), ""
	each := func(parent string, list []chunkHeader, row func(i int, k, v []byte) (ids int, fault string)) {
		before = ""
		for i, c := range list {
			rows, ids, bad := 0, 0, ""
			all := f.rows(parent, c.ID, r.Blocks)
			for ok := all.first(); ok; ok = all.next() {
				n, fault := row(i, all.key, all.value)
				if bad == "" {
					bad = fault
				}
				k := string(all.key)
				switch {
				case rows == 0 && (k != string(c.First) || k <= before):
					bad = "its first key is not where it should be"
				case k <= before && bad == "":
					bad = fmt.Sprintf("the row of %.80q is not in order", k)
				}
				before, rows, ids = k, rows+1, ids+n
			}
			if all.err != nil && bad == "" {
				bad = all.err.Error()
			}
			if bad == "" && (rows != c.Rows || ids != c.IDs) {
				bad = fmt.Sprintf("it has %d rows of %d events, and should have %d of %d", rows, ids, c.Rows, c.IDs)
			}
			if bad != "" {
				say("run %d, %s, chunk %d: %s", r.number, parent, c.ID, bad)
			}
		}
	}
	each(runSeenBucket, r.Seen, func(i int, k, v []byte) (int, string) {
		switch {
		case len(v) < 9 || Disposition(v[8]) == Unseen || Disposition(v[8]) > Duplicate:
			return 0, fmt.Sprintf("the row of %.80q cannot be read", k)
		case binary.BigEndian.Uint64(v) > r.Newest:
			return 0, fmt.Sprintf("the row of %.80q is younger than the run", k)
		case !r.filters[i].Test(append(j.seed[:len(j.seed):len(j.seed)], k...)):
			return 0, fmt.Sprintf("the filter does not know %.80q", k)
		}
		return 0, ""
	})
	each(runTimesBucket, r.Times, func(_ int, k, v []byte) (int, string) {
		if len(k) < 8+len(Sep) || len(v) == 0 {
			return 1, fmt.Sprintf("the row of %.80q cannot be read", k)
		}
		return countIDs(v), ""
	})
}

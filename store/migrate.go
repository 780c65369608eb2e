package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"moot/internal/failpoint"
)

// migration changes a file of one schema version into one of the next.
type migration struct {
	// prepare makes what is to be beside what is, in transactions of its own; nil where one is enough. After a crash it
	// is called once more, and clears away what is left of the call before.
	prepare func(*bbolt.DB, limits) error
	// change is the transaction that brings the file to the next version.
	change func(*bbolt.Tx) error
}

// migrations lead from a file of version n to n+1; a new file starts at the last version. Version 1 is the first
// that was ever released, so there is nothing to change on the way to it.
var migrations = []migration{
	{change: func(*bbolt.Tx) error { return nil }},
	{prepare: prepareRuns, change: adoptRuns},
	{change: func(*bbolt.Tx) error { return nil }}, // new runs have blocks, of which older versions know nothing
}

// What schema 1 had in place of the journal and its runs: two buckets with the same rows as the chunks of a run.
const (
	oldSeenBucket  = "seen"
	oldTimesBucket = "seen-by-time"
)

// prepareRuns copies what was seen into runs, one for each partition of time.
func prepareRuns(db *bbolt.DB, l limits) error {
	counts := map[int64]int{}
	var seed []byte
	err := db.Update(func(tx *bbolt.Tx) error {
		seed = filterSeed(tx)
		for _, name := range []string{runsBucket, runSeenBucket, runTimesBucket, filtersBucket, journalBucket} {
			if tx.Bucket([]byte(name)) != nil {
				if err := tx.DeleteBucket([]byte(name)); err != nil {
					return err
				}
			}
		}
		old := tx.Bucket([]byte(oldSeenBucket))
		if old == nil {
			return nil
		}
		return old.ForEach(func(k, v []byte) error {
			at, err := oldTime(oldSeenBucket, k, v)
			counts[partition(at, int64(l.Span))]++
			return err
		})
	})
	if err != nil || len(counts) == 0 {
		return err
	}
	builders := map[int64]*builder{}
	for i, p := range slices.Sorted(maps.Keys(counts)) {
		err := db.Update(func(tx *bbolt.Tx) (err error) {
			h := runHeader{From: uint64(i + 1), To: uint64(i + 1), Partition: p}
			if builders[p], err = newBuilder(tx, h, seed, l, counts[p]); err != nil {
				return err
			}
			return builders[p].end()
		})
		if err != nil {
			return err
		}
	}
	for _, name := range []string{oldSeenBucket, oldTimesBucket} {
		if err := copyRows(db, name, builders, l); err != nil {
			return err
		}
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, b := range builders {
			b.begin(tx)
			if err := b.finishFilter(); err != nil {
				return err
			}
			if err := putRun(tx, b.number, &b.header); err != nil { // with the final counts, and still as being built
				return err
			}
		}
		return nil
	})
}

// copyRows copies the rows of one old bucket to the runs of their partitions. A part of sorted rows is sorted.
func copyRows(db *bbolt.DB, name string, builders map[int64]*builder, l limits) error {
	var after []byte
	for more := true; more; {
		err := db.Update(func(tx *bbolt.Tx) error {
			more = false
			old := tx.Bucket([]byte(name))
			if old == nil {
				return nil
			}
			for _, b := range builders {
				b.begin(tx)
			}
			c := old.Cursor()
			k, v := c.Seek(after)
			if after != nil && bytes.Equal(k, after) {
				k, v = c.Next()
			}
			for n := 0; k != nil; k, v = c.Next() {
				if n++; n > l.Most {
					more = true
					break
				}
				at, err := oldTime(name, k, v)
				if err != nil {
					return err
				}
				b := builders[partition(at, int64(l.Span))]
				switch {
				case b == nil:
					return fmt.Errorf("%w: %s has the key %q, of a time of which nothing was seen", ErrDamaged, name, k)
				case name == oldSeenBucket:
					err = b.addSeen(k, v)
				default:
					err = b.addTimes(k, v)
				}
				if err != nil {
					return err
				}
				after = append(after[:0], k...)
			}
			for _, b := range builders {
				if err := b.end(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		failpoint.Hit(failpoint.MigrateCopied)
	}
	return nil
}

// oldTime returns when the events of an old row were recorded.
func oldTime(bucket string, k, v []byte) (uint64, error) {
	switch {
	case bucket == oldSeenBucket && len(v) >= 9:
		return binary.BigEndian.Uint64(v), nil
	case bucket == oldTimesBucket && len(k) >= 8+len(Sep):
		return binary.BigEndian.Uint64(k[len(k)-8:]), nil
	}
	return 0, fmt.Errorf("%w: %s has the key %q", ErrDamaged, bucket, k)
}

// adoptRuns makes the prepared runs count, in place of the old buckets.
func adoptRuns(tx *bbolt.Tx) error {
	if b := tx.Bucket([]byte(runsBucket)); b != nil {
		var runs []*run
		err := b.ForEach(func(k, v []byte) error {
			r, err := readRun(tx, ParseNumber(string(k)), v)
			runs = append(runs, r)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range runs {
			r.State = runReady
			if err := putRun(tx, r.number, &r.runHeader); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{oldSeenBucket, oldTimesBucket} {
		if tx.Bucket([]byte(name)) != nil {
			if err := tx.DeleteBucket([]byte(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

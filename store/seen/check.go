package seen

import (
	"slices"

	"go.etcd.io/bbolt"
)

// Check reads all that the file has of the record and returns what is wrong with it, at most ten
// things.
func Check(tx *bbolt.Tx, c Config) (errs []error) {
	say := func(err error) {
		if err != nil && len(errs) < 10 {
			errs = append(errs, err)
		}
	}
	m, err := readManifest(tx)
	if err != nil {
		return []error{err}
	}
	h := newHasher(c.Secret)
	for _, r := range m.Runs {
		t := chunks{tx: tx}
		var before *row
		oldest, newest := ^uint64(0), uint64(0)
		for _, c := range r.Chunks {
			say(t.check(h, c, func(r *row) error {
				if before != nil && before.compare(r) >= 0 {
					return damaged("chunk %d: a row of %s is not in order", c.ID, r.room)
				}
				now := *r
				before, oldest, newest = &now, min(oldest, r.at), max(newest, r.at)
				return nil
			}))
		}
		if len(errs) == 0 && (oldest != r.Oldest || newest != r.Newest) {
			say(damaged("a run of %d events is not of the time that its manifest says", r.events()))
		}
	}
	return errs
}

// check reads a chunk: its rows are as many as there should be, and each has its fingerprint.
func (t *chunks) check(h hasher, c *chunk, each func(*row) error) error {
	b, err := t.bucket(c)
	if err != nil {
		return err
	}
	var want, have []uint64
	for n := range c.Blocks {
		rows, err := t.block(b, c, n)
		if err != nil {
			return err
		}
		for rows.next() {
			if len(want) == 0 && (string(rows.room) != c.Room || rows.at != c.At) {
				return damaged("chunk %d does not begin where it should", c.ID)
			}
			if err := each(&rows.row); err != nil {
				return err
			}
			want = append(want, uint64(fingerprint(hash(h, rows.room, rows.kind, rows.id)))<<32|uint64(n))
		}
		if rows.failed {
			return damaged("chunk %d, block %d", c.ID, n)
		}
	}
	err = t.eachPage(c, func(p page) error {
		for i := range p.len() {
			have = append(have, uint64(p.fingerprint(i))<<32|uint64(p.block(i)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(want)
	if !slices.Equal(want, have) {
		return damaged("chunk %d: its fingerprints are not those of its rows", c.ID)
	}
	return nil
}

package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/bits-and-blooms/bloom/v3"
	"go.etcd.io/bbolt"
)

// builder makes a run out of rows that come in the order of their keys, over any number of commits.
type builder struct {
	number  uint64
	header  runHeader
	filters []*bloom.BloomFilter
	seed    []byte
	chunk   int // rows of a full chunk
	left    int // rows of Seen that may still come, at most
	scratch []byte

	// These belong to the commit that begin was last called for.
	tx      *bbolt.Tx
	open    *bbolt.Bucket // the bucket of the last chunk, nil where none was written to yet
	inTimes bool          // whether that is one of Times

	dirty bool // whether the header has changed since it was written
}

// newBuilder begins a run of at most that many rows.
func newBuilder(tx *bbolt.Tx, h runHeader, seed []byte, chunk, rows int) (*builder, error) {
	runs, err := tx.CreateBucketIfNotExists([]byte(runsBucket))
	if err != nil {
		return nil, err
	}
	b := &builder{header: h, seed: seed, chunk: chunk, left: rows}
	b.header.State, b.header.Oldest = runBuilding, math.MaxUint64
	if b.number, err = runs.NextSequence(); err != nil {
		return nil, err
	}
	b.begin(tx)
	b.dirty = true
	return b, nil
}

// resumeBuilder goes on with a run that was being built when the process ended: what it has of that is in the file, except
// for the counts and the filter of the last chunks. At most that many rows may still come.
func resumeBuilder(tx *bbolt.Tx, r *run, seed []byte, chunk, rows int) (*builder, error) {
	b := &builder{number: r.number, header: r.runHeader, seed: seed, chunk: chunk}
	b.begin(tx)
	b.dirty = true
	f := newFile(tx)
	count := func(parent string, list []chunkHeader, row func(k, v []byte)) {
		if len(list) == 0 {
			return
		}
		c := &list[len(list)-1]
		c.Rows, c.IDs = 0, 0
		_ = f.chunk(parent, c.ID).ForEach(func(k, v []byte) error {
			c.Rows++
			if parent == runTimesBucket {
				c.IDs += countIDs(v)
			}
			row(k, v)
			return nil
		})
	}
	b.left = rows
	for i, c := range b.header.Seen {
		if i < len(b.header.Seen)-1 {
			filter, err := storedFilter(tx, c.ID)
			if err != nil {
				return nil, fmt.Errorf("run %d, chunk %d: %w", r.number, c.ID, err)
			}
			b.filters = append(b.filters, filter)
			b.left -= c.Rows
			continue
		}
		filter := newFilter(min(b.left, chunk))
		count(runSeenBucket, b.header.Seen, func(k, v []byte) {
			b.scratch = append(append(b.scratch[:0], seed...), k...)
			filter.Add(b.scratch)
			b.saw(v)
		})
		b.filters = append(b.filters, filter)
		b.left -= b.header.Seen[i].Rows
	}
	count(runTimesBucket, b.header.Times, func(k, v []byte) {})
	return b, nil
}

// lastKey returns the last key of an index, nil if it has none.
func (b *builder) lastKey(parent string, list []chunkHeader) []byte {
	if len(list) == 0 {
		return nil
	}
	k, _ := newFile(b.tx).chunk(parent, list[len(list)-1].ID).Cursor().Last()
	return bytes.Clone(k)
}

// saw takes a row of Seen into account.
func (b *builder) saw(value []byte) {
	at := binary.BigEndian.Uint64(value)
	b.header.Oldest, b.header.Newest = min(b.header.Oldest, at), max(b.header.Newest, at)
}

// begin goes on in another commit.
func (b *builder) begin(tx *bbolt.Tx) { b.tx, b.open = tx, nil }

// end writes what the commit has to know of the run.
func (b *builder) end() error {
	b.open = nil
	if !b.dirty {
		return nil
	}
	b.dirty = false
	return putRun(b.tx, b.number, &b.header)
}

// addSeen adds a row to Seen.
func (b *builder) addSeen(key, value []byte) error {
	b.saw(value)
	c, err := b.place(runSeenBucket, &b.header.Seen, false, key, b.chunk)
	if err != nil {
		return err
	}
	if c.Rows == 0 {
		b.filters = append(b.filters, newFilter(min(b.left, b.chunk)))
	}
	b.scratch = append(append(b.scratch[:0], b.seed...), key...)
	b.filters[len(b.filters)-1].Add(b.scratch)
	b.left--
	c.Rows++
	if c.Rows == b.chunk {
		if err := b.finishFilter(); err != nil {
			return err
		}
	}
	return b.open.Put(key, value)
}

// addTimes adds a row to Times.
func (b *builder) addTimes(key, value []byte) error {
	c, err := b.place(runTimesBucket, &b.header.Times, true, key, b.chunk)
	if err != nil {
		return err
	}
	c.Rows++
	c.IDs += countIDs(value)
	return b.open.Put(key, value)
}

// place returns the chunk for the next row, and opens its bucket.
func (b *builder) place(parent string, list *[]chunkHeader, times bool, key []byte, full int) (*chunkHeader, error) {
	last := len(*list) - 1
	if last >= 0 && max((*list)[last].Rows, (*list)[last].IDs) < full {
		if b.open != nil && b.inTimes == times {
			return &(*list)[last], nil
		}
		p := b.tx.Bucket([]byte(parent))
		b.open, b.inTimes = p.Bucket([]byte(Number((*list)[last].ID))), times
		b.open.FillPercent = 1
		return &(*list)[last], nil
	}
	p, err := b.tx.CreateBucketIfNotExists([]byte(parent))
	if err != nil {
		return nil, err
	}
	id, err := p.NextSequence()
	if err != nil {
		return nil, err
	}
	if b.open, err = p.CreateBucket([]byte(Number(id))); err != nil {
		return nil, err
	}
	b.open.FillPercent = 1
	b.inTimes, b.dirty = times, true
	*list = append(*list, chunkHeader{ID: id, First: append([]byte(nil), key...)})
	return &(*list)[last+1], nil
}

// finishFilter writes the filter of the last chunk of Seen.
func (b *builder) finishFilter() error {
	filters, err := b.tx.CreateBucketIfNotExists([]byte(filtersBucket))
	if err != nil {
		return err
	}
	id := b.header.Seen[len(b.header.Seen)-1].ID
	return filters.Put([]byte(Number(id)), encodeFilter(b.filters[len(b.filters)-1]))
}

// finish makes the run ready. It returns nil if nothing is in it.
func (b *builder) finish() (*run, error) {
	if n := len(b.header.Seen); n > 0 && b.header.Seen[n-1].Rows < b.chunk {
		if err := b.finishFilter(); err != nil {
			return nil, err
		}
	}
	b.dirty, b.header.State = true, runReady
	if len(b.header.Seen)+len(b.header.Times) == 0 {
		b.header.State = runDropping // which removes it
		return nil, b.end()
	}
	return &run{b.number, b.header, b.filters}, b.end()
}

// countIDs returns how many events are in a row of Times.
func countIDs(value []byte) int { return 1 + bytes.Count(value, []byte(Sep)) }

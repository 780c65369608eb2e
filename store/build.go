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
	limits  limits
	left    int // rows of Seen that may still come, at most
	scratch []byte

	// These belong to the commit that begin was last called for. A block is written at its end at the latest.
	tx       *bbolt.Tx
	open     *bbolt.Bucket // the bucket of the last chunk, nil where none was written to yet
	inTimes  bool          // whether that is one of Times
	block    []byte        // what is to be written to it; bbolt reads it until the commit is through
	blockKey []byte        // of its first row
	lastKey  []byte        // of its last row

	dirty bool // whether the header has changed since it was written
}

// newBuilder begins a run of at most that many rows.
func newBuilder(tx *bbolt.Tx, h runHeader, seed []byte, l limits, rows int) (*builder, error) {
	runs, err := tx.CreateBucketIfNotExists([]byte(runsBucket))
	if err != nil {
		return nil, err
	}
	b := &builder{header: h, seed: seed, limits: l, left: rows}
	b.header.State, b.header.Blocks, b.header.Oldest = runBuilding, true, math.MaxUint64
	if b.number, err = runs.NextSequence(); err != nil {
		return nil, err
	}
	b.begin(tx)
	b.dirty = true
	return b, nil
}

// resumeBuilder goes on with a run that was being built when the process ended: what it has of that is in the file, except
// for the counts and the filter of the last chunks. At most that many rows may still come.
func resumeBuilder(tx *bbolt.Tx, r *run, seed []byte, l limits, rows int) (*builder, error) {
	b := &builder{number: r.number, header: r.runHeader, seed: seed, limits: l}
	b.begin(tx)
	b.dirty = true
	f := newFile(tx)
	count := func(parent string, list []chunkHeader, row func(k, v []byte)) {
		if len(list) == 0 {
			return
		}
		c := &list[len(list)-1]
		c.Rows, c.IDs = 0, 0
		all := f.rows(parent, c.ID, true)
		for ok := all.first(); ok; ok = all.next() {
			c.Rows++
			if parent == runTimesBucket {
				c.IDs += countIDs(all.value)
			}
			row(all.key, all.value)
		}
		all.check()
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
		filter := newFilter(min(b.left, l.Chunk))
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

// last returns the last key of an index, nil if it has none.
func (b *builder) last(parent string, list []chunkHeader) (key []byte) {
	if len(list) == 0 {
		return nil
	}
	rows := newFile(b.tx).rows(parent, list[len(list)-1].ID, true)
	for ok := rows.lastBlock(); ok; ok = rows.next() {
		key = rows.key
	}
	rows.check()
	return bytes.Clone(key)
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
	if err := b.endBlock(); err != nil {
		return err
	}
	b.open = nil
	if !b.dirty {
		return nil
	}
	b.dirty = false
	return putRun(b.tx, b.number, &b.header)
}

// endBlock writes the block to its chunk.
func (b *builder) endBlock() error {
	if len(b.block) == 0 {
		return nil
	}
	block := checksummed(b.block)
	b.block = nil
	return b.open.Put(b.blockKey, block)
}

// addSeen adds a row to Seen.
func (b *builder) addSeen(key, value []byte) error {
	b.saw(value)
	c, err := b.place(runSeenBucket, &b.header.Seen, false, key)
	if err != nil {
		return err
	}
	if c.Rows == 0 {
		b.filters = append(b.filters, newFilter(min(b.left, b.limits.Chunk)))
	}
	b.scratch = append(append(b.scratch[:0], b.seed...), key...)
	b.filters[len(b.filters)-1].Add(b.scratch)
	b.left--
	c.Rows++
	if c.Rows == b.limits.Chunk {
		if err := b.finishFilter(); err != nil {
			return err
		}
	}
	return b.add(key, value)
}

// addTimes adds a row to Times.
func (b *builder) addTimes(key, value []byte) error {
	c, err := b.place(runTimesBucket, &b.header.Times, true, key)
	if err != nil {
		return err
	}
	c.Rows++
	c.IDs += countIDs(value)
	return b.add(key, value)
}

// add adds a row to the block. One that is larger than a block has one of its own.
func (b *builder) add(key, value []byte) error {
	size := rowSize(key, value)
	if len(b.block) > 0 && len(b.block)+size+blockTail > b.limits.Block {
		if err := b.endBlock(); err != nil {
			return err
		}
	}
	if len(b.block) == 0 {
		b.block = make([]byte, 0, max(b.limits.Block, size+blockTail))
		b.blockKey, b.lastKey = append(b.blockKey[:0], key...), b.lastKey[:0]
	}
	b.block = appendRow(b.block, b.lastKey, key, value)
	b.lastKey = append(b.lastKey[:0], key...)
	return nil
}

// place returns the chunk for the next row, and opens its bucket.
func (b *builder) place(parent string, list *[]chunkHeader, times bool, key []byte) (*chunkHeader, error) {
	last := len(*list) - 1
	full := last < 0 || max((*list)[last].Rows, (*list)[last].IDs) >= b.limits.Chunk
	if !full && b.open != nil && b.inTimes == times {
		return &(*list)[last], nil
	}
	if err := b.endBlock(); err != nil {
		return nil, err
	}
	p, err := b.tx.CreateBucketIfNotExists([]byte(parent))
	if err != nil {
		return nil, err
	}
	if full {
		id, err := p.NextSequence()
		if err != nil {
			return nil, err
		}
		*list = append(*list, chunkHeader{ID: id, First: bytes.Clone(key)})
		last, b.dirty = last+1, true
	}
	if b.open, err = p.CreateBucketIfNotExists([]byte(Number((*list)[last].ID))); err != nil {
		return nil, err
	}
	b.open.FillPercent = 1
	b.inTimes = times
	return &(*list)[last], nil
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
	if n := len(b.header.Seen); n > 0 && b.header.Seen[n-1].Rows < b.limits.Chunk {
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

package store

import (
	"bytes"
	"encoding/binary"
	"sort"

	"go.etcd.io/bbolt"
)

// The two jobs make one run each, a slice in each commit. Their units of work are rows. step goes on for about that many
// units, and returns the run when it is done, nil if it would be empty. After an error the job is of no use any more.

// rowUnits is what a row counts for: a long one is more work than one.
func rowUnits(value []byte) int { return 1 + len(value)/256 }

// flush makes a run out of a table.
type flush struct {
	*builder
	rows // what is left of them
}

// newFlush begins with a table that has ended, or goes on with the run that an earlier process began to make of it.
func newFlush(tx *bbolt.Tx, t *table, begun *run, seed []byte, l limits) (*flush, error) {
	f := &flush{rows: t.rows()}
	var err error
	if begun == nil {
		f.builder, err = newBuilder(tx, runHeader{From: t.generation, To: t.generation, Partition: t.partition}, seed, l, len(f.seen))
		return f, err
	}
	if f.builder, err = resumeBuilder(tx, begun, seed, l, len(f.seen)); err != nil {
		return nil, err
	}
	if last := f.last(runTimesBucket, f.header.Times); last != nil {
		f.seen, f.times = nil, rowsAfter(f.times, last)
	} else if last := f.last(runSeenBucket, f.header.Seen); last != nil {
		f.seen = rowsAfter(f.seen, last)
	}
	return f, nil
}

// rowsAfter returns the rows behind a key.
func rowsAfter(list []row, key []byte) []row {
	return list[sort.Search(len(list), func(i int) bool { return bytes.Compare(list[i].key, key) > 0 }):]
}

func (f *flush) step(tx *bbolt.Tx, _ uint64, units int) (used int, done bool, made *run, err error) {
	f.begin(tx)
	for len(f.seen) > 0 && used < units {
		r := f.seen[0]
		f.seen = f.seen[1:]
		if err := f.addSeen(r.key, r.value); err != nil {
			return used, false, nil, err
		}
		used++
	}
	for len(f.seen) == 0 && len(f.times) > 0 && used < units {
		r := f.times[0]
		f.times = f.times[1:]
		if err := f.addTimes(r.key, r.value); err != nil {
			return used, false, nil, err
		}
		used += rowUnits(r.value)
	}
	if len(f.seen)+len(f.times) > 0 {
		return used, false, nil, f.end()
	}
	made, err = f.finish()
	return used, true, made, err
}

// merge makes one run out of several.
type merge struct {
	*builder
	sources []*run // newest first: the first that has a key is right
	times   bool   // whether Seen is through
	after   []byte // the last key that was taken; nil at the beginning
}

// newMerge begins with some runs, or goes on with the run that an earlier process began to make of them.
func newMerge(tx *bbolt.Tx, sources []*run, begun *run, seed []byte, l limits) (*merge, error) {
	m := &merge{sources: sources}
	newest, oldest := sources[0], sources[len(sources)-1]
	h := runHeader{From: oldest.From, To: newest.To, Partition: oldest.Partition}
	rows := 0
	for _, r := range sources {
		h.Level = max(h.Level, r.Level+1)
		rows += r.events()
	}
	var err error
	if begun == nil {
		m.builder, err = newBuilder(tx, h, seed, l, rows)
		return m, err
	}
	if m.builder, err = resumeBuilder(tx, begun, seed, l, rows); err != nil {
		return nil, err
	}
	if m.after = m.last(runTimesBucket, m.header.Times); m.after != nil {
		m.times = true
	} else {
		m.after = m.last(runSeenBucket, m.header.Seen)
	}
	return m, nil
}

func (m *merge) step(tx *bbolt.Tx, floor uint64, units int) (used int, done bool, made *run, err error) {
	m.begin(tx)
	f := newFile(tx)
	for !m.times {
		used, done, err = m.index(f, runSeenBucket, used, units, func(key, value []byte) error {
			if binary.BigEndian.Uint64(value) < floor {
				return nil
			}
			return m.addSeen(key, value)
		})
		if err != nil {
			return used, false, nil, err
		}
		if !done {
			return used, false, nil, m.end()
		}
		m.times, m.after = true, nil
	}
	used, done, err = m.index(f, runTimesBucket, used, units, func(key, value []byte) error {
		if binary.BigEndian.Uint64(key[len(key)-8:]) < floor {
			return nil
		}
		return m.addTimes(key, value)
	})
	if err != nil {
		return used, false, nil, err
	}
	if !done {
		return used, false, nil, m.end()
	}
	made, err = m.finish()
	return used, true, made, err
}

// index goes on with one of the two indexes: it calls take for each key once, with the value of the newest run that
// has it.
func (m *merge) index(f *file, parent string, used, units int, take func(key, value []byte) error) (int, bool, error) {
	heads := make(heads, 0, len(m.sources))
	for i, r := range m.sources {
		list := r.Seen
		if parent == runTimesBucket {
			list = r.Times
		}
		h := &head{file: f, parent: parent, source: r, chunks: list, age: i}
		if h.seek(m.after) {
			heads = append(heads, h)
		}
	}
	heads.init()
	for len(heads) > 0 {
		if used >= units {
			return used, false, nil
		}
		h := heads[0]
		// The last key is remembered over commits: a copy of it outlives this one.
		if m.after == nil || !bytes.Equal(h.key, m.after) {
			m.after = append(m.after[:0], h.key...)
			if err := take(h.key, h.value); err != nil {
				return used, false, err
			}
		}
		used += rowUnits(h.value)
		if !h.next() {
			last := len(heads) - 1
			heads[0] = heads[last]
			heads = heads[:last]
		}
		heads.down(0)
	}
	return used, true, nil
}

// head is a place in one source of a merge.
type head struct {
	*chunkRows
	file   *file
	parent string
	source *run
	chunks []chunkHeader
	age    int // a source with a smaller one is newer
}

// seek goes to the first key that is not before after, or to the first of all if it is nil. It tells whether there is one.
func (h *head) seek(after []byte) bool {
	for after != nil && len(h.chunks) > 1 && bytes.Compare(h.chunks[1].First, after) <= 0 {
		h.chunks = h.chunks[1:]
	}
	if len(h.chunks) == 0 {
		return false
	}
	h.chunkRows = h.file.rows(h.parent, h.chunks[0].ID, h.source.Blocks)
	return h.at(h.chunkRows.seek(after))
}

// next goes on by one.
func (h *head) next() bool { return h.at(h.chunkRows.next()) }

// at goes on to the next chunk where there is no row, and panics where it is none.
func (h *head) at(row bool) bool {
	for !row {
		h.check()
		if len(h.chunks) < 2 {
			return false
		}
		h.chunks = h.chunks[1:]
		h.chunkRows = h.file.rows(h.parent, h.chunks[0].ID, h.source.Blocks)
		row = h.first()
	}
	if h.parent == runSeenBucket && len(h.value) < seenHead || h.parent == runTimesBucket && len(h.key) < 8+len(Sep) {
		panic(fault{"chunk of " + h.parent + " has a row of the key " + string(h.key)})
	}
	return true
}

// heads is a heap: the smallest key comes first, and of equal ones the newest.
type heads []*head

func (h heads) less(i, j int) bool {
	c := bytes.Compare(h[i].key, h[j].key)
	return c < 0 || c == 0 && h[i].age < h[j].age
}

func (h heads) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h heads) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h.less(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

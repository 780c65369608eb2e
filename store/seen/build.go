package seen

import (
	"encoding/binary"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"moot/store/disk"
)

// builder writes a run, chunk after chunk, over any number of transactions.
type builder struct {
	hasher  hasher
	limits  Limits
	run     run
	durable int // chunks that committed transactions have created
	rows    int // about how many rows it will have

	chunk  *chunk   // that is being written, the last of the run; nil where none is begun
	prints []uint64 // of its rows: fingerprint and number of the block
	writer blockWriter

	bucket *bbolt.Bucket // of the chunk, in the transaction of this slice
}

func newBuilder(h hasher, l Limits, level, rows int, partition int64) *builder {
	return &builder{
		hasher: h, limits: l, rows: rows, run: run{Level: level, Partition: partition, Oldest: math.MaxUint64},
	}
}

// open begins a slice in a transaction.
func (b *builder) open(tx *bbolt.Tx) (err error) {
	b.bucket = nil
	if b.chunk == nil {
		return nil
	}
	if b.bucket, err = (&chunks{tx: tx}).bucket(b.chunk); err == nil {
		b.bucket.FillPercent = 1 // keys rise
	}
	return err
}

// maxBlocks is how many blocks a chunk has at most: the pages have two bytes for the number of one.
const maxBlocks = 1 << 16

// add adds the next row. Its hash is that of the event.
func (b *builder) add(tx *bbolt.Tx, r *row, hash uint64) error {
	disk.Breathe(len(b.prints))
	if !b.writer.empty() && b.writer.size(r) > b.limits.Block {
		if err := b.endBlock(); err != nil {
			return err
		}
	}
	if b.chunk != nil && (b.chunk.Rows >= b.limits.Chunk || b.chunk.Blocks == maxBlocks) {
		if err := b.endChunk(); err != nil {
			return err
		}
	}
	if b.chunk == nil {
		if err := b.beginChunk(tx, r); err != nil {
			return err
		}
	}
	b.writer.add(r)
	b.prints = append(b.prints, uint64(fingerprint(hash))<<32|uint64(b.chunk.Blocks))
	b.chunk.Rows++
	b.run.Oldest, b.run.Newest = min(b.run.Oldest, r.at), max(b.run.Newest, r.at)
	return nil
}

func (b *builder) beginChunk(tx *bbolt.Tx, r *row) error {
	root := tx.Bucket(bucketName)
	if root == nil {
		return errMissing
	}
	id, err := root.NextSequence()
	if err != nil {
		return err
	}
	if b.bucket, err = root.CreateBucket(chunkKey(id)); err != nil {
		return err
	}
	b.bucket.FillPercent = 1 // keys rise
	b.chunk = &chunk{ID: id, Room: string(r.room), At: r.at}
	b.prints = slices.Grow(b.prints, min(b.limits.Chunk, b.rows))
	b.run.Chunks = append(b.run.Chunks, b.chunk)
	return nil
}

func (b *builder) endBlock() error {
	place := partPlace(b.chunk.ID, keyRows, uint32(b.chunk.Blocks))
	b.chunk.Blocks++
	return b.bucket.Put(place[8:], b.writer.finish(place[:]))
}

// endChunk writes the pages of the chunk.
func (b *builder) endChunk() error {
	if !b.writer.empty() {
		if err := b.endBlock(); err != nil {
			return err
		}
	}
	sortPrints(b.prints, make([]uint64, len(b.prints)))
	b.chunk.filter = newFilter(len(b.prints))
	most := max(1, (b.limits.Block-pageHead-sumSize)/pagePrint)
	first := uint32(0)
	for start := 0; start < len(b.prints); {
		disk.Breathe(0)
		// A fingerprint is in one page, however often it comes.
		end := min(start+most, len(b.prints))
		for end < len(b.prints) && b.prints[end]>>32 == b.prints[end-1]>>32 {
			end++
		}
		last := uint32(math.MaxUint32)
		if end < len(b.prints) {
			last = uint32(b.prints[end]>>32) - 1
		}
		page := make([]byte, 0, pageHead+(end-start)*pagePrint+sumSize)
		page = binary.BigEndian.AppendUint32(page, last)
		for _, p := range b.prints[start:end] {
			b.chunk.filter.add(uint32(p >> 32))
			page = binary.BigEndian.AppendUint32(page, uint32(p>>32))
			page = binary.BigEndian.AppendUint16(page, uint16(p))
		}
		place := partPlace(b.chunk.ID, keyPages, first)
		if err := b.bucket.Put(place[8:], seal(place[:], page)); err != nil {
			return err
		}
		start, first = end, last+1
	}
	b.chunk, b.prints = nil, b.prints[:0]
	return nil
}

// sortPrints sorts by fingerprint, and leaves those that are the same in their order, which is that of
// their blocks. space is as long as prints. It goes byte by byte, which for so many takes a quarter of
// the time of comparing.
func sortPrints(prints, space []uint64) {
	for shift := 32; shift < 64; shift += 8 {
		var ends [257]int
		for _, p := range prints {
			ends[p>>shift&0xff+1]++
		}
		for i := range 256 {
			ends[i+1] += ends[i]
		}
		for i, p := range prints {
			disk.Breathe(i)
			at := &ends[p>>shift&0xff]
			space[*at] = p
			*at++
		}
		prints, space = space, prints // four times, so that they end where they were
	}
}

// finish completes the run.
func (b *builder) finish() error {
	if b.chunk == nil {
		return nil
	}
	return b.endChunk()
}

// dropChunk removes a chunk from the file.
func dropChunk(tx *bbolt.Tx, id uint64) error {
	root := tx.Bucket(bucketName)
	if root == nil || root.Bucket(chunkKey(id)) == nil {
		return nil
	}
	return root.DeleteBucket(chunkKey(id))
}

// eachChunk goes through the chunks in the file.
func eachChunk(tx *bbolt.Tx, each func(id uint64)) {
	root := tx.Bucket(bucketName)
	if root == nil {
		return
	}
	_ = root.ForEachBucket(func(k []byte) error {
		if len(k) == 8 {
			each(binary.BigEndian.Uint64(k))
		}
		return nil
	})
}

// build makes a run of level 0 of a table.
type build struct {
	*builder
	shape *shape
	left  []*version
	room  []byte // of the last row
	last  uint32
}

func newBuild(h hasher, l Limits, t *table, horizon uint64) *build {
	s := t.shape.Load()
	left := s.sorted(math.MaxUint64, func(v *version) bool { return v.at >= horizon })
	return &build{builder: newBuilder(h, l, 0, len(left), t.partition), shape: s, left: left}
}

func (b *build) slice(tx *bbolt.Tx, rows int) (done bool, err error) {
	if err := b.open(tx); err != nil {
		return false, err
	}
	n := min(rows, len(b.left))
	for _, e := range b.left[:n] {
		if b.room == nil || b.last != e.room {
			b.room, b.last = []byte(b.shape.rooms[e.room]), e.room
		}
		kind, id := b.shape.name(e)
		r := row{b.room, e.at, kind, id, e.disposition, []byte(b.shape.reasons[e.reason])}
		if err := b.add(tx, &r, e.hash); err != nil {
			return false, err
		}
	}
	if b.left = b.left[n:]; len(b.left) > 0 {
		return false, nil
	}
	return true, b.finish()
}

// merge makes one run of several, in which the newest row of each event is left.
type merge struct {
	*builder
	sources []*run // the newest first
	heads   []*scanner
}

func newMerge(h hasher, l Limits, sources []*run) *merge {
	level, rows := 0, 0
	for _, r := range sources {
		level, rows = max(level, r.Level+1), rows+r.events()
	}
	m := &merge{builder: newBuilder(h, l, level, rows, sources[0].Partition), sources: sources}
	for _, r := range sources {
		m.heads = append(m.heads, &scanner{run: r})
	}
	return m
}

func (m *merge) slice(tx *bbolt.Tx, horizon uint64, rows int) (done bool, err error) {
	if err := m.open(tx); err != nil {
		return false, err
	}
	t := &chunks{tx: tx}
	for _, h := range m.heads {
		if err := h.open(t); err != nil {
			return false, err
		}
	}
	for n := 0; n < rows; {
		var first *scanner
		for _, h := range m.heads {
			if h.ok && (first == nil || h.compare(&first.row) < 0) {
				first = h
			}
		}
		if first == nil {
			return true, m.finish()
		}
		if first.at >= horizon {
			if err := m.add(tx, &first.row, hash(m.hasher, first.room, first.kind, first.id)); err != nil {
				return false, err
			}
		}
		// The rows of older runs for the same event come to nothing.
		same := first.row
		for _, h := range m.heads {
			if h.ok && (h == first || h.compare(&same) == 0) {
				n++
				if err := h.next(t); err != nil {
					return false, err
				}
			}
		}
	}
	return false, nil
}

// scanner goes through the rows of a run, over any number of transactions.
type scanner struct {
	run   *run
	chunk int
	block int
	read  int // rows of the block that were passed
	blockReader
	ok bool // it stands at a row
}

// open goes on in another transaction: it stands at the row where it stood.
func (s *scanner) open(t *chunks) error {
	passed := s.read
	if err := s.load(t); err != nil {
		return err
	}
	for range passed {
		if err := s.next(t); err != nil {
			return err
		}
	}
	return nil
}

// load reads the block, and goes to its first row.
func (s *scanner) load(t *chunks) error {
	s.ok, s.read = false, 0
	if s.chunk == len(s.run.Chunks) {
		return nil
	}
	c := s.run.Chunks[s.chunk]
	b, err := t.bucket(c)
	if err != nil {
		return err
	}
	if s.blockReader, err = t.block(b, c, s.block); err != nil {
		return err
	}
	if s.ok = s.blockReader.next(); !s.ok {
		return damaged("chunk %d, block %d", c.ID, s.block)
	}
	return nil
}

// next goes to the next row.
func (s *scanner) next(t *chunks) error {
	s.read++
	if s.ok = s.blockReader.next(); s.ok {
		return nil
	}
	c := s.run.Chunks[s.chunk]
	if s.failed {
		return damaged("chunk %d, block %d", c.ID, s.block)
	}
	if s.block++; s.block == c.Blocks {
		s.chunk, s.block = s.chunk+1, 0
	}
	return s.load(t)
}

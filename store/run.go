package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"sort"

	"github.com/bits-and-blooms/bloom/v3"
	"go.etcd.io/bbolt"
)

// Buckets of the sorted runs: see doc.go. The last three are keyed by the number of a chunk.
const (
	runsBucket     = "runs"
	runSeenBucket  = "run-seen"
	runTimesBucket = "run-seen-by-time"
	filtersBucket  = "run-filters"
)

// runState is how far a run is.
type runState string

const (
	runBuilding runState = "building" // nothing reads it yet
	runReady    runState = "ready"
	runDropping runState = "dropping" // nothing reads it any more
)

// runHeader is what the file says of a run. It is a value of the bucket runs, in JSON.
type runHeader struct {
	State runState
	// Blocks is whether the chunks keep their rows in blocks. Those of schema 2 do not.
	Blocks bool `json:",omitempty"`
	// Level is how often its events were merged: zero means that they come from the journal.
	Level int
	// From and To are the generations of the journal whose events it holds. Those of two ready runs do not overlap.
	From, To uint64
	// Partition is the span of time in which its events were recorded.
	Partition int64
	// Oldest and Newest are when the first and the last of its events were recorded.
	Oldest, Newest uint64
	// Seen and Times are the chunks of its two indexes, in the order of their keys.
	Seen, Times []chunkHeader
}

// chunkHeader is a part of an index, which has a bucket of its own, so that it can be dropped within one commit.
type chunkHeader struct {
	ID    uint64
	First []byte // its first key
	Rows  int
	// IDs is how many events are in the rows of a chunk of times.
	IDs int `json:",omitempty"`
}

// events returns how many events the run holds.
func (h *runHeader) events() (n int) {
	for _, c := range h.Seen {
		n += c.Rows
	}
	return n
}

// run is a sorted run in memory.
type run struct {
	number uint64
	runHeader
	filters []*bloom.BloomFilter // of the chunks of Seen
}

// find returns the row of the key, nil if the run has none. locations are those of the key in a filter.
func (r *run) find(f *file, key []byte, locations []uint64) []byte {
	i := 0
	if len(r.Seen) != 1 {
		i = sort.Search(len(r.Seen), func(i int) bool { return bytes.Compare(r.Seen[i].First, key) > 0 }) - 1
	}
	if i < 0 || !r.filters[i].TestLocations(locations) {
		return nil
	}
	if !r.Blocks {
		return f.chunk(runSeenBucket, r.Seen[i].ID).Get(key)
	}
	rows := f.rows(runSeenBucket, r.Seen[i].ID, true)
	if found := rows.seek(key); found && bytes.Equal(rows.key, key) {
		return rows.value
	}
	rows.check()
	return nil
}

// The filter of a chunk says "no" for certain and "maybe" with an error of one in a thousand: 16 bits an event, which
// stay in memory, and six of them set. It is stored with its chunk:
//
//	filter   version (1 byte) | bits set for a key (1 byte) | CRC-32C of the words (4 bytes) | words
//
// The words are 64 bits, little-endian. What is set depends on a seed of the file, so that nobody outside can choose
// identifiers that look alike.
const (
	filterVersion = 1
	filterBits    = 16
	filterHashes  = 6
	filterHead    = 6
)

func newFilter(rows int) *bloom.BloomFilter {
	words := max(1, (rows*filterBits+63)/64)
	return bloom.From(make([]uint64, words), filterHashes)
}

func encodeFilter(f *bloom.BloomFilter) []byte {
	words := f.BitSet().Words()
	b := make([]byte, filterHead, filterHead+8*len(words))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	b[0], b[1] = filterVersion, filterHashes
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[filterHead:], castagnoli))
	return b
}

var errFilter = errors.New("the filter cannot be read")

func decodeFilter(b []byte) (*bloom.BloomFilter, error) {
	if len(b) < filterHead+8 || len(b)%8 != filterHead || b[0] != filterVersion || b[1] != filterHashes ||
		binary.BigEndian.Uint32(b[2:]) != crc32.Checksum(b[filterHead:], castagnoli) {
		return nil, errFilter
	}
	words := make([]uint64, 0, len(b)/8)
	for b = b[filterHead:]; len(b) > 0; b = b[8:] {
		words = append(words, binary.LittleEndian.Uint64(b))
	}
	return bloom.From(words, filterHashes), nil
}

// storedFilter reads the filter of a chunk.
func storedFilter(tx *bbolt.Tx, id uint64) (*bloom.BloomFilter, error) {
	var v []byte
	if b := tx.Bucket([]byte(filtersBucket)); b != nil {
		v = b.Get([]byte(Number(id)))
	}
	return decodeFilter(v)
}

// readRun reads a run with its filters.
func readRun(tx *bbolt.Tx, number uint64, v []byte) (*run, error) {
	r := &run{number: number}
	if err := json.Unmarshal(v, &r.runHeader); err != nil {
		return nil, fmt.Errorf("run %d: %w", number, err)
	}
	if r.State != runReady {
		return r, nil
	}
	for _, c := range r.Seen {
		f, err := storedFilter(tx, c.ID)
		if err != nil {
			return nil, fmt.Errorf("run %d, chunk %d: %w", number, c.ID, err)
		}
		r.filters = append(r.filters, f)
	}
	return r, nil
}

// putRun writes the header of a run, or removes it if it has nothing left to drop.
func putRun(tx *bbolt.Tx, number uint64, h *runHeader) error {
	b, err := tx.CreateBucketIfNotExists([]byte(runsBucket))
	if err != nil {
		return err
	}
	if h.State == runDropping && len(h.Seen)+len(h.Times) == 0 {
		return b.Delete([]byte(Number(number)))
	}
	v, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return b.Put([]byte(Number(number)), v)
}

// dropChunk drops the last chunk of the run and returns how many rows it had.
func dropChunk(tx *bbolt.Tx, h *runHeader) (rows int, err error) {
	list, parent := &h.Times, runTimesBucket
	if len(*list) == 0 {
		list, parent = &h.Seen, runSeenBucket
	}
	last := len(*list) - 1
	c := (*list)[last]
	*list = (*list)[:last:last]
	id := []byte(Number(c.ID))
	if b := tx.Bucket([]byte(parent)); b != nil && b.Bucket(id) != nil {
		if err := b.DeleteBucket(id); err != nil {
			return 0, fmt.Errorf("drop chunk %d of %s: %w", c.ID, parent, err)
		}
	}
	if b := tx.Bucket([]byte(filtersBucket)); b != nil && parent == runSeenBucket {
		if err := b.Delete(id); err != nil {
			return 0, err
		}
	}
	return c.Rows, nil
}

// chunk returns the bucket of a chunk.
func (f *file) chunk(parent string, id uint64) *bbolt.Bucket {
	key := chunkKey{parent, id}
	b := f.chunks[key]
	if b == nil {
		if p := f.bucket(parent); p != nil {
			b = p.Bucket([]byte(Number(id)))
		}
		if b == nil {
			panic(fault{fmt.Sprintf("%s has no chunk %d", parent, id)})
		}
		if f.chunks == nil {
			f.chunks = map[chunkKey]*bbolt.Bucket{}
		}
		f.chunks[key] = b
	}
	return b
}

// rows returns the rows of a chunk.
func (f *file) rows(parent string, id uint64, blocks bool) *chunkRows {
	return newChunkRows(f.chunk(parent, id), blocks)
}

type chunkKey struct {
	parent string
	id     uint64
}

package seen

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sort"

	"go.etcd.io/bbolt"

	"moot/store/disk"
)

// damaged is the error of what cannot be read.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: the record of seen events: %s", disk.ErrDamaged, fmt.Sprintf(format, args...))
}

var errMissing = damaged("its bucket is missing")

// Create makes an empty record in a new file.
func Create(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucket(bucketName); err != nil {
		return err
	}
	return writeManifest(tx, &manifest{})
}

var (
	bucketName  = []byte("seen")
	manifestKey = []byte("manifest")
)

// manifest says which runs there are. It is written in the transaction that completes a run.
type manifest struct {
	Runs []*run // the newest first
}

// run is a sorted run. It does not change.
type run struct {
	Level     int // how often its events were merged
	Partition int64
	Oldest    uint64 // times of its first and last events
	Newest    uint64
	Chunks    []*chunk
}

// chunk is a part of a run. It has a bucket of its own.
type chunk struct {
	ID     uint64
	Room   string // of its first row
	At     uint64
	Rows   int
	Blocks int
	filter filter
}

// ids returns the numbers of chunks.
func ids(list []*chunk) (ids []uint64) {
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}

// events returns how many rows the run has.
func (r *run) events() (n int) {
	for _, c := range r.Chunks {
		n += c.Rows
	}
	return n
}

// blocks returns how many blocks the run has.
func (r *run) blocks() (n int) {
	for _, c := range r.Chunks {
		n += c.Blocks
	}
	return n
}

// of returns the chunks that may have rows of a room, which are neighbours.
func (r *run) of(room string) []*chunk {
	if len(r.Chunks) == 1 {
		return r.Chunks
	}
	from := sort.Search(len(r.Chunks), func(i int) bool { return r.Chunks[i].Room >= room })
	to := sort.Search(len(r.Chunks), func(i int) bool { return r.Chunks[i].Room > room })
	return r.Chunks[max(0, from-1):to]
}

// find returns the record of an event, if the run has it.
func (r *run) find(t *chunks, k *Key) (rec Record, ok bool, err error) {
	fp := fingerprint(k.hash)
	for _, c := range r.of(string(k.Room)) {
		if !c.filter.has(fp) {
			continue
		}
		if rec, ok, err = t.find(c, fp, k); ok || err != nil {
			return rec, ok, err
		}
	}
	return rec, false, nil
}

// chunks reads chunks in a transaction.
type chunks struct {
	tx   *bbolt.Tx
	root *bbolt.Bucket
}

// Keys in a chunk. The pages of fingerprints come last, as they are known last.
const (
	keyRows  = 'r'
	keyPages = 'x'
)

// partPlace returns the key of a part of a chunk, with the number of the chunk before it: the place
// of the part.
func partPlace(id uint64, kind byte, n uint32) (place [13]byte) {
	binary.BigEndian.PutUint64(place[:], id)
	place[8] = kind
	binary.BigEndian.PutUint32(place[9:], n)
	return place
}

func chunkKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// bucket returns the bucket of a chunk.
func (t *chunks) bucket(c *chunk) (*bbolt.Bucket, error) {
	if t.root == nil {
		t.root = t.tx.Bucket(bucketName)
	}
	if t.root != nil {
		if b := t.root.Bucket(chunkKey(c.ID)); b != nil {
			return b, nil
		}
	}
	return nil, damaged("chunk %d is missing", c.ID)
}

// block returns the numbered block of a chunk.
func (t *chunks) block(b *bbolt.Bucket, c *chunk, n int) (r blockReader, err error) {
	place := partPlace(c.ID, keyRows, uint32(n))
	body, ok := unseal(place[:], b.Get(place[8:]))
	if !ok || len(body) == 0 {
		return r, damaged("chunk %d, block %d", c.ID, n)
	}
	return readBlock(body), nil
}

const (
	pageHead  = 4 // the last fingerprint that the page may have
	pagePrint = 6 // fingerprint, number of the block
)

// A page holds the fingerprints from the one in its key to the one in its head, in order. Pages
// meet without a gap, so that each fingerprint has one page where it must be.
//
//	page   last fingerprint (4 bytes) | n × print | CRC-32C of its place and of what is before it (4 bytes)
//	print  fingerprint (4 bytes) | number of the block (2 bytes)
type page struct{ prints []byte }

func (p page) len() int                 { return len(p.prints) / pagePrint }
func (p page) fingerprint(i int) uint32 { return binary.BigEndian.Uint32(p.prints[i*pagePrint:]) }
func (p page) block(i int) int          { return int(binary.BigEndian.Uint16(p.prints[i*pagePrint+4:])) }

// page reads a page from its key and value.
func (t *chunks) page(c *chunk, key, value []byte) (p page, first, last uint32, err error) {
	if len(key) != 5 || key[0] != keyPages {
		return p, 0, 0, damaged("chunk %d has no page where one should be", c.ID)
	}
	first = binary.BigEndian.Uint32(key[1:])
	place := partPlace(c.ID, keyPages, first)
	body, ok := unseal(place[:], value)
	if !ok || len(body) < pageHead || (len(body)-pageHead)%pagePrint != 0 {
		return p, 0, 0, damaged("chunk %d, page %x", c.ID, first)
	}
	return page{body[pageHead:]}, first, binary.BigEndian.Uint32(body), nil
}

// find returns the record of an event whose fingerprint the filter knows.
func (t *chunks) find(c *chunk, fp uint32, k *Key) (rec Record, ok bool, err error) {
	b, err := t.bucket(c)
	if err != nil {
		return rec, false, err
	}
	place := partPlace(c.ID, keyPages, fp)
	cursor := b.Cursor()
	key, value := cursor.Seek(place[8:])
	if string(key) != string(place[8:]) {
		if key == nil {
			key, value = cursor.Last()
		} else {
			key, value = cursor.Prev()
		}
	}
	p, first, last, err := t.page(c, key, value)
	if err != nil {
		return rec, false, err
	}
	if fp < first || fp > last {
		return rec, false, damaged("chunk %d has no page for %x", c.ID, fp)
	}
	kind, id := k.name()
	read := -1
	i := sort.Search(p.len(), func(i int) bool { return p.fingerprint(i) >= fp })
	for ; i < p.len() && p.fingerprint(i) == fp; i++ {
		if p.block(i) == read {
			continue
		}
		read = p.block(i)
		rows, err := t.block(b, c, read)
		if err != nil {
			return rec, false, err
		}
		for rows.next() {
			if rows.is(k, kind, id) {
				return rows.record(*k), true, nil
			}
		}
		if rows.failed {
			return rec, false, damaged("chunk %d, block %d", c.ID, read)
		}
	}
	return rec, false, nil
}

// readManifest reads which runs there are, with their filters.
func readManifest(tx *bbolt.Tx) (m manifest, err error) {
	root := tx.Bucket(bucketName)
	if root == nil {
		return m, errMissing
	}
	v := root.Get(manifestKey)
	body, ok := unseal(manifestKey, v)
	if !ok {
		return m, damaged("its manifest cannot be read")
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, damaged("its manifest cannot be read: %v", err)
	}
	t := chunks{tx: tx}
	for _, r := range m.Runs {
		for _, c := range r.Chunks {
			if err := t.loadFilter(c); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

func writeManifest(tx *bbolt.Tx, m *manifest) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	root := tx.Bucket(bucketName)
	if root == nil {
		return errMissing
	}
	return root.Put(manifestKey, seal(manifestKey, body))
}

// loadFilter makes the filter of a chunk from its pages.
func (t *chunks) loadFilter(c *chunk) error {
	c.filter = newFilter(c.Rows)
	return t.eachPage(c, func(p page) error {
		for i := range p.len() {
			c.filter.add(p.fingerprint(i))
		}
		return nil
	})
}

// eachPage goes through the pages of a chunk, which must be whole.
func (t *chunks) eachPage(c *chunk, each func(page) error) error {
	b, err := t.bucket(c)
	if err != nil {
		return err
	}
	next, rows := uint64(0), 0
	cursor := b.Cursor()
	for key, value := cursor.Seek([]byte{keyPages}); key != nil; key, value = cursor.Next() {
		p, first, last, err := t.page(c, key, value)
		if err != nil {
			return err
		}
		if uint64(first) != next || last < first {
			return damaged("chunk %d has no page for %x", c.ID, next)
		}
		next, rows = uint64(last)+1, rows+p.len()
		if err := each(p); err != nil {
			return err
		}
	}
	if next != 1<<32 || rows != c.Rows {
		return damaged("chunk %d has %d fingerprints instead of %d", c.ID, rows, c.Rows)
	}
	return nil
}

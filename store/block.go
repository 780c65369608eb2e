package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
)

// A chunk of a run keeps its rows in blocks: neighbours stand together in one value of its bucket, under the key of the
// first of them. To append a row to a bucket of its own costs a search from the root each time, and the keys of one room
// begin alike.
//
//	block   n × row | CRC-32C of what is before it (4 bytes)
//	row     shared uvarint | rest uvarint | value uvarint | rest of the key | value
//
// The key of a row is as many bytes of the key before it as are shared, and the rest. The first row of a block shares none.
// The runs of schema 2 have each row under a key of its own: see runHeader.Blocks.
const blockTail = 4

// sharedPrefix returns how many bytes two keys have in common at the beginning.
func sharedPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// appendRow appends a row to the block b, whose last key is before.
func appendRow(b, before, key, value []byte) []byte {
	shared := sharedPrefix(before, key)
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(key)-shared))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = append(b, key[shared:]...)
	return append(b, value...)
}

// rowSize is how many bytes appendRow adds at most.
func rowSize(key, value []byte) int { return 3*binary.MaxVarintLen32 + len(key) + len(value) }

// chunkRows goes through the rows of a chunk, in the order of their keys. It is valid for one transaction.
type chunkRows struct {
	cursor *bbolt.Cursor
	blocks bool
	rest   []byte // of the block
	// key and value are the row that it stands at. The key is overwritten by the next one.
	key, value []byte
	// err is why it goes no further, nil at the end of the chunk.
	err error
}

func newChunkRows(chunk *bbolt.Bucket, blocks bool) *chunkRows {
	return &chunkRows{cursor: chunk.Cursor(), blocks: blocks}
}

// first goes to the first row, and tells whether there is one.
func (c *chunkRows) first() bool { return c.open(c.cursor.First()) }

// next goes on by one.
func (c *chunkRows) next() bool {
	if len(c.rest) > 0 {
		return c.row()
	}
	return c.open(c.cursor.Next())
}

// lastBlock goes to the first row of the last block.
func (c *chunkRows) lastBlock() bool { return c.open(c.cursor.Last()) }

// seek goes to the first row whose key is not before the key.
func (c *chunkRows) seek(key []byte) bool {
	k, v := c.cursor.Seek(key)
	if c.blocks && !bytes.Equal(k, key) {
		// It may be within the block before.
		if k == nil {
			k, v = c.cursor.Last()
		} else if k, v = c.cursor.Prev(); k == nil {
			k, v = c.cursor.First()
		}
	}
	ok := c.open(k, v)
	for ok && bytes.Compare(c.key, key) < 0 {
		ok = c.next()
	}
	return ok
}

// open goes to the first row of what the bucket holds under one key.
func (c *chunkRows) open(key, value []byte) bool {
	if key == nil {
		return false
	}
	if !c.blocks {
		c.key, c.value = key, value
		return true
	}
	body := len(value) - blockTail
	if body <= 0 || binary.BigEndian.Uint32(value[body:]) != crc32.Checksum(value[:body], castagnoli) {
		return c.fail(key)
	}
	c.rest, c.key = value[:body:body], c.key[:0]
	if !c.row() {
		return false
	}
	if !bytes.Equal(c.key, key) {
		return c.fail(key)
	}
	return true
}

// row reads the next row of the block.
func (c *chunkRows) row() bool {
	d := decoder{rest: c.rest}
	shared, rest, value := d.uvarint(), d.uvarint(), d.uvarint()
	key := d.take(rest)
	c.value = d.take(value)
	if d.failed || shared > uint64(len(c.key)) {
		return c.fail(c.key)
	}
	c.key, c.rest = append(c.key[:shared], key...), d.rest
	return true
}

func (c *chunkRows) fail(at []byte) bool {
	c.rest, c.err = nil, fmt.Errorf("the block of %.80q cannot be read", at)
	return false
}

// check panics where the rows did not end in good order.
func (c *chunkRows) check() {
	if c.err != nil {
		panic(fault{c.err})
	}
}

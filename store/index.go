package store

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"
)

// index lists the numbers of facts under their terms. A term is known by the first eight
// bytes of its SHA-256. Its latest numbers stand under the hash itself; from time to time they
// become a row of their own, which no longer grows.
//
//	key                               value
//	hash (8 bytes)                    chunk of the latest numbers
//	hash (8 bytes) | number (8 bytes) full chunk, of which this is the last number
//
//	chunk   last number uvarint | distance to the one before uvarint | distance to the one before that uvarint | …
//
// So a fact costs a byte or two under a term that many have, and what a commit writes anew is
// short.
var index = SharedBucket("index")

// fullChunk is how many bytes a chunk has at least when it becomes a row of its own.
const fullChunk = 64

// hashed returns the key of a term.
func hashed(term string) string {
	sum := sha256.Sum256([]byte(term))
	return string(sum[:8])
}

// chunk is a list of numbers, the last one first. An empty one holds none.
type chunk []byte

// last returns the last number, and the rest: what lies before it, as distances. It returns 0 for
// an empty chunk.
func (c chunk) last() (n uint64, rest []byte) {
	n, used := binary.Uvarint(c)
	return n, c[max(used, 0):]
}

// with returns the chunk with one more number, which is larger than all that it has.
func (c chunk) with(n uint64) chunk {
	last, rest := c.last()
	out := binary.AppendUvarint(make(chunk, 0, len(c)+binary.MaxVarintLen64), n)
	if len(c) > 0 {
		out = binary.AppendUvarint(out, n-last)
	}
	return append(out, rest...)
}

// numbers returns the numbers, the last one first.
func (c chunk) numbers() []uint64 {
	if len(c) == 0 {
		return nil
	}
	numbers := make([]uint64, 0, len(c))
	n, rest := c.last()
	for {
		numbers = append(numbers, n)
		distance, used := binary.Uvarint(rest)
		if used <= 0 || distance == 0 || distance >= n {
			return numbers
		}
		n, rest = n-distance, rest[used:]
	}
}

// chunkOf returns the chunk of numbers, of which the last one comes first.
func chunkOf(numbers []uint64) (c chunk) {
	for i, n := range numbers {
		if i > 0 {
			n = numbers[i-1] - n
		}
		c = binary.AppendUvarint(c, n)
	}
	return c
}

// post lists a number, larger than all before it, under a term. One that is listed already stays
// so.
func post(l *layer, term string, n uint64) {
	open := chunk(l.get(index.name, term))
	last, _ := open.last()
	if last == n {
		return
	}
	if len(open) >= fullChunk {
		l.put(index.name, term+Number(last), open)
		open = nil
	}
	l.put(index.name, term, open.with(n))
}

// unpost removes a number from those listed under a term.
func (tx *Tx) unpost(term string, n uint64) {
	key, listed := term, chunk(nil)
	for k, v := range tx.Range(index, term+Number(n), After(term)) {
		key, listed = k, v
		break
	}
	if key == term {
		listed = tx.Get(index, term)
	}
	numbers := listed.numbers()
	i := slices.Index(numbers, n)
	if i < 0 {
		return
	}
	numbers = slices.Delete(numbers, i, i+1)
	if i == 0 || len(numbers) == 0 {
		tx.layer.put(index.name, key, nil)
	}
	if len(numbers) > 0 {
		if key != term {
			key = term + Number(numbers[0])
		}
		tx.layer.put(index.name, key, chunkOf(numbers))
	}
}

// Indexed goes through the numbers of the facts that are listed under the term: those from from
// (inclusive) to to (exclusive, zero means no end), in order or, if backward, in reverse order.
// Terms are told apart by eight bytes of a hash; so a caller that must not be mistaken looks at the
// fact.
func (tx *Tx) Indexed(term string, from, to uint64, backward bool) iter.Seq[uint64] {
	term = hashed(term)
	if backward {
		return tx.listedBackward(term, from, to)
	}
	return tx.listed(term, from, to)
}

func (tx *Tx) listed(term string, from, to uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		each := func(c chunk) (more bool) {
			for _, n := range slices.Backward(c.numbers()) {
				if to != 0 && n >= to || n >= from && !yield(n) {
					return false
				}
			}
			return true
		}
		for _, v := range tx.Range(index, term+Number(from), After(term)) {
			if !each(v) {
				return
			}
		}
		each(tx.Get(index, term))
	}
}

func (tx *Tx) listedBackward(term string, from, to uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		each := func(c chunk) (more bool) {
			for _, n := range c.numbers() {
				if n < from || (to == 0 || n < to) && !yield(n) {
					return false
				}
			}
			return true
		}
		if !each(tx.Get(index, term)) {
			return
		}
		end := After(term)
		if to != 0 {
			end = term + Number(to)
			for _, v := range tx.Range(index, end, After(term)) { // the chunk that reaches beyond the end
				if !each(v) {
					return
				}
				break
			}
		}
		for _, v := range tx.Backward(index, term+Number(from), end) {
			if !each(v) {
				return
			}
		}
	}
}

package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

var (
	facts = SharedBucket("facts")
	index = SharedBucket("index")
)

// Record is an entry of the append-only log: bytes that mean something to whoever appends them, and the prefixes
// under which the index lists it.
//
//	record   version (1 byte) | n uvarint | n × (length uvarint, prefix) | data
type Record struct {
	Index []string
	Data  []byte
}

const recordVersion = 1

// Append adds a record to the log. Its number is given when the transaction becomes part of the commit, so that a
// discarded one leaves no gap; nobody reads it before.
func (tx *Tx) Append(r Record) {
	switch {
	case !tx.writable():
	default:
		for _, prefix := range r.Index {
			if prefix == "" || len(prefix) > maxKey-16 {
				tx.fail(fmt.Errorf("%w: index entry %.80q", ErrKey, prefix))
				return
			}
		}
		tx.facts = append(tx.facts, Record{slices.Clone(r.Index), bytes.Clone(r.Data)})
	}
}

func (c *Commit) appendFacts(records []Record) {
	for _, r := range records {
		n := Number(c.next("facts"))
		c.layer.put(facts.name, n, encodeRecord(r))
		for _, prefix := range r.Index {
			c.layer.put(index.name, Key(prefix, n), []byte{})
		}
		c.appended = true
	}
}

// NextRecord returns the number that the next record will get.
func (tx *Tx) NextRecord() uint64 {
	if n := ParseNumber(string(tx.Get(meta, "facts-next"))); n != 0 {
		return n
	}
	return 1
}

// Record returns the data of a record; nil if it is not in the log (any more).
func (tx *Tx) Record(n uint64) []byte {
	data, _ := recordData(tx.Get(facts, Number(n)))
	return data
}

// Records goes through the log from the given number on, in order.
func (tx *Tx) Records(from uint64) iter.Seq2[uint64, Record] {
	return func(yield func(uint64, Record) bool) {
		for k, v := range tx.Range(facts, Number(from), "") {
			if r, ok := decodeRecord(v); ok && !yield(ParseNumber(k), r) {
				return
			}
		}
	}
}

// Log is Records for those who want nothing but the data.
func (tx *Tx) Log(from uint64) iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		for k, v := range tx.Range(facts, Number(from), "") {
			if data, ok := recordData(v); ok && !yield(ParseNumber(k), data) {
				return
			}
		}
	}
}

// Indexed goes through the numbers of the records that have the prefix as an index entry: those from from (inclusive)
// to to (exclusive, zero means no end), in order or, if backward, in reverse order.
func (tx *Tx) Indexed(prefix string, from, to uint64, backward bool) iter.Seq[uint64] {
	start, end := Key(prefix, Number(from)), After(prefix+Sep)
	if to != 0 {
		end = Key(prefix, Number(to))
	}
	walk := tx.Range
	if backward {
		walk = tx.Backward
	}
	return func(yield func(uint64) bool) {
		for k := range walk(index, start, end) {
			// A longer prefix that continues with a separator sorts in between; its keys are longer.
			if len(k) == len(start) && !yield(ParseNumber(k)) {
				return
			}
		}
	}
}

// DropRecord removes a record from the log, and if forget is set its index entries too. One that is not there stays so.
func (tx *Tx) DropRecord(n uint64, forget bool) {
	if !tx.writable() {
		return
	}
	r, ok := decodeRecord(tx.Get(facts, Number(n)))
	if !ok {
		return
	}
	tx.layer.put(facts.name, Number(n), nil)
	if forget {
		for _, prefix := range r.Index {
			tx.layer.put(index.name, Key(prefix, Number(n)), nil)
		}
	}
}

func encodeRecord(r Record) []byte {
	b := []byte{recordVersion}
	b = binary.AppendUvarint(b, uint64(len(r.Index)))
	for _, p := range r.Index {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return append(b, r.Data...)
}

// recordData returns the data of a record without decoding its index.
func recordData(b []byte) ([]byte, bool) {
	if len(b) == 0 || b[0] != recordVersion {
		return nil, false
	}
	n, used := binary.Uvarint(b[1:])
	if used <= 0 || n > uint64(len(b)) {
		return nil, false
	}
	b = b[1+used:]
	for range n {
		size, used := binary.Uvarint(b)
		if used <= 0 || size > uint64(len(b)-used) {
			return nil, false
		}
		b = b[used+int(size):]
	}
	return b, true
}

func decodeRecord(b []byte) (r Record, ok bool) {
	if len(b) == 0 || b[0] != recordVersion {
		return r, false
	}
	n, used := binary.Uvarint(b[1:])
	if used <= 0 || n > uint64(len(b)) {
		return r, false
	}
	b = b[1+used:]
	for range n {
		size, used := binary.Uvarint(b)
		if used <= 0 || size > uint64(len(b)-used) {
			return r, false
		}
		r.Index = append(r.Index, string(b[used:used+int(size)]))
		b = b[used+int(size):]
	}
	r.Data = b
	return r, true
}

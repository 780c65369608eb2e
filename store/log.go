package store

import "iter"

// facts holds the log: the data of each fact under its number.
var facts = SharedBucket("facts")

// Append adds a fact to the log: bytes that mean something to those who append them, and the
// terms under which the index lists it. Its number is given when the transaction becomes part of
// the commit, so that a discarded one leaves no gap; nobody reads it before.
func (tx *Tx) Append(data []byte, terms ...string) {
	if tx.writable() {
		f := fact{append([]byte{}, data...), make([]string, len(terms))}
		for i, term := range terms {
			f.terms[i] = hashed(term)
		}
		tx.facts = append(tx.facts, f)
	}
}

func (c *Commit) appendFacts(list []fact) {
	for _, f := range list {
		n := c.next("facts")
		c.layer.put(facts.name, Number(n), f.data)
		for _, term := range f.terms {
			post(c.layer, term, n)
		}
		c.appended = true
	}
}

// NextFact returns the number that the next fact will get.
func (tx *Tx) NextFact() uint64 {
	if n := ParseNumber(string(tx.Get(meta, "facts-next"))); n != 0 {
		return n
	}
	return 1
}

// Fact returns the data of a fact; nil if it is not in the log (any more).
func (tx *Tx) Fact(n uint64) []byte { return tx.Get(facts, Number(n)) }

// Log goes through the facts from the given number on, in order.
func (tx *Tx) Log(from uint64) iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		for k, v := range tx.Range(facts, Number(from), "") {
			if !yield(ParseNumber(k), v) {
				return
			}
		}
	}
}

// DropFact removes a fact from the log, and from the index under the given terms; under others
// it stays listed. One that is not there stays so.
func (tx *Tx) DropFact(n uint64, terms ...string) {
	if !tx.writable() || tx.Fact(n) == nil {
		return
	}
	tx.layer.put(facts.name, Number(n), nil)
	for _, term := range terms {
		tx.unpost(hashed(term), n)
	}
}

package events

import (
	"iter"
	"math"

	"moot/store"
)

// Query says which facts are wanted. The zero value wants all.
type Query struct {
	// Kind of the facts; zero means any, known or not.
	Kind string
	// Filters all have to hold: the values of keys, of roles (see [Number.String]) and of [KeyPerson], [KeyScope] and
	// [KeyCause] (see [CauseValue]).
	Filters map[string]string
	// After and Before are numbers between which the facts lie, themselves excluded; zero means no bound.
	After, Before uint64
	// Backward is whether the last comes first.
	Backward bool
	// Limit is how many are wanted at most; zero means all.
	Limit int
}

// Matching goes through the facts that a query wants, in the window and in the archive, in order. A fact that cannot be
// read comes as an error with its Seq, and the next ones follow if the loop goes on.
func (b *Bus) Matching(tx *store.Tx, q Query) iter.Seq2[Fact, error] {
	return func(yield func(Fact, error) bool) {
		for key, value := range q.Filters {
			if err := checkName("key", key); err != nil {
				yield(Fact{}, err)
				return
			}
			if err := checkValue(key, value); err != nil {
				yield(Fact{}, err)
				return
			}
		}
		var kinds []string
		if q.Kind != "" {
			kinds = []string{q.Kind}
		}
		found := 0
		reader := b.reader(tx)
		for n := range b.seqs(tx, kinds, q) {
			if !yield(reader.fact(n)) {
				return
			}
			if found++; found == q.Limit {
				return
			}
		}
	}
}

// Get returns one fact; ok is false if the log has none of that number (any more).
func (b *Bus) Get(tx *store.Tx, seq uint64) (f Fact, ok bool, err error) {
	data, err := b.reader(tx).find(seq)
	if data == nil || err != nil {
		return f, false, err
	}
	f, err = decodeFact(seq, data)
	return f, err == nil, err
}

// All goes through the whole log from the given number on, oldest first, without the index. Errors come as those of
// Matching do, but for damage to the archive, behind which the loop goes on with what is in the window.
func (b *Bus) All(tx *store.Tx, from uint64) iter.Seq2[Fact, error] {
	return func(yield func(Fact, error) bool) {
		for doc, err := range b.reader(tx).archived(from) {
			if err != nil {
				if !yield(Fact{}, err) {
					return
				}
				break
			}
			if !yield(decodeFact(doc.seq, doc.data)) {
				return
			}
		}
		for n, data := range tx.Log(from) {
			if !yield(decodeFact(n, data)) {
				return
			}
		}
	}
}

// seqs goes through the numbers of the facts of the kinds (all, where there are none) that the filters and bounds of
// the query let through. It reads nothing but the index.
func (b *Bus) seqs(tx *store.Tx, kinds []string, q Query) iter.Seq[uint64] {
	if q.After == math.MaxUint64 {
		return func(func(uint64) bool) {}
	}
	if len(kinds) == 0 {
		kinds = b.Kinds(tx)
	}
	sources := make([]iter.Seq[uint64], len(kinds))
	for i, kind := range kinds {
		s := span{tx: tx, from: q.After + 1, to: q.Before, backward: q.Backward}
		for _, key := range sortedKeys(q.Filters) {
			s.prefixes = append(s.prefixes, indexPrefix(kind, key, q.Filters[key]))
		}
		if len(s.prefixes) == 0 {
			s.prefixes = append(s.prefixes, indexPrefix(kind, "", ""))
		}
		sources[i] = s.all()
	}
	return merge(sources, q.Backward)
}

// span is a part of the index: the numbers that stand under all of its prefixes, from from (inclusive) to to (exclusive;
// zero means no end).
type span struct {
	tx       *store.Tx
	prefixes []string
	from, to uint64
	backward bool
}

// all goes through the numbers of the span.
func (s span) all() iter.Seq[uint64] {
	if len(s.prefixes) == 1 {
		return s.tx.Indexed(s.prefixes[0], s.from, s.to, s.backward)
	}
	return func(yield func(uint64) bool) {
		rest := s
		for {
			n := rest.first()
			if n == 0 || !yield(n) {
				return
			}
			rest.skip(n)
		}
	}
}

// first returns the first number of the span, zero if there is none. The prefixes take turns in naming the next number
// that they have, until all name the same; so the one with the fewest sets the pace.
func (s span) first() uint64 {
	var candidate uint64
	for i, agreed := 0, 0; agreed < len(s.prefixes); i++ {
		var n uint64
		for n = range s.tx.Indexed(s.prefixes[i%len(s.prefixes)], s.from, s.to, s.backward) {
			break
		}
		switch {
		case n == 0:
			return 0
		case n == candidate:
			agreed++
		default:
			candidate, agreed = n, 1
			if s.backward {
				s.to = n + 1
			} else {
				s.from = n
			}
		}
	}
	return candidate
}

// skip leaves out what comes up to n, and n itself.
func (s *span) skip(n uint64) {
	if s.backward {
		s.to = n
	} else {
		s.from = n + 1
	}
}

// merge goes through the numbers of several sources, each of them in order, as one. No number is in two of them.
func merge(sources []iter.Seq[uint64], backward bool) iter.Seq[uint64] {
	if len(sources) == 1 {
		return sources[0]
	}
	return func(yield func(uint64) bool) {
		type head struct {
			n    uint64
			next func() (uint64, bool)
		}
		var heads []head
		for _, s := range sources {
			next, stop := iter.Pull(s)
			defer stop()
			if n, ok := next(); ok {
				heads = append(heads, head{n, next})
			}
		}
		for len(heads) > 0 {
			nearest := 0
			for i, h := range heads {
				if i != nearest && (h.n < heads[nearest].n) != backward {
					nearest = i
				}
			}
			h := &heads[nearest]
			if !yield(h.n) {
				return
			}
			var ok bool
			if h.n, ok = h.next(); !ok {
				heads = append(heads[:nearest], heads[nearest+1:]...)
			}
		}
	}
}

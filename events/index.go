package events

import (
	"iter"
	"slices"
	"strings"

	"moot/protocol"
	"moot/store"
)

// published holds the kinds that were ever published, and the roles that people had in them.
var published = store.SharedBucket("kinds")

// rolesOf returns the roles that people ever had in facts of a kind, in order.
func rolesOf(tx *store.Tx, kind string) []string {
	v := tx.Get(published, kind)
	if len(v) == 0 {
		return nil
	}
	return strings.Split(string(v), store.Sep)
}

// register notes that a fact with these roles is published.
func register(tx *store.Tx, f Fact) {
	roles := rolesOf(tx, f.Kind)
	known := len(roles)
	for role := range f.People {
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	if len(roles) > known || !tx.Has(published, f.Kind) {
		slices.Sort(roles)
		tx.Put(published, f.Kind, []byte(strings.Join(roles, store.Sep)))
	}
}

// kindsOf returns all kinds that were ever published, in order.
func kindsOf(tx *store.Tx) (kinds []string) {
	for k := range tx.Range(published, "", "") {
		kinds = append(kinds, k)
	}
	return kinds
}

// terms returns what the fact is listed under, each once and in order. It follows from the fact
// alone.
func (f Fact) terms() []string {
	terms := make([]string, 0, 3+len(f.Keys)+len(f.People))
	terms = append(terms, term(f.Kind, "", ""))
	for key, value := range f.Keys {
		terms = append(terms, term(f.Kind, key, value))
	}
	for role, n := range f.People {
		terms = append(terms, term(f.Kind, role, n.String()))
	}
	if f.Scope != "" {
		terms = append(terms, term(f.Kind, KeyScope, string(f.Scope)))
	}
	if f.Cause != (protocol.Ref{}) {
		terms = append(terms, term(f.Kind, KeyCause, CauseValue(f.Cause)))
	}
	slices.Sort(terms)
	return terms
}

// term returns the term for a key and its value; for an empty key that of the kind itself. Names
// and values hold no separator, so that no two terms are the same.
func term(kind, key, value string) string { return store.Key(kind, key, value) }

// span is a part of the index: the numbers that every filter lists under any of its terms, from
// from (inclusive) to to (exclusive; zero means no end).
type span struct {
	tx       *store.Tx
	filters  [][]string
	from, to uint64
	backward bool

	ahead []uint64 // read by next, and not returned yet
	batch int      // how many it read the last time
}

// all goes through the numbers of the span.
func (s span) all() iter.Seq[uint64] {
	if len(s.filters) == 1 && len(s.filters[0]) == 1 {
		return s.tx.Indexed(s.filters[0][0], s.from, s.to, s.backward)
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

// first returns the first number of the span, zero if there is none. The filters take turns in
// naming the next number that they have, until all name the same; so the one with the fewest sets
// the pace.
func (s span) first() uint64 {
	var candidate uint64
	for i, agreed := 0, 0; agreed < len(s.filters); i++ {
		n := s.firstOf(s.filters[i%len(s.filters)])
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

// firstOf returns the first number of the span that any of the terms lists, zero if there is none.
func (s span) firstOf(terms []string) (first uint64) {
	for _, term := range terms {
		for n := range s.tx.Indexed(term, s.from, s.to, s.backward) {
			if first == 0 || (n < first) != s.backward {
				first = n
			}
			break
		}
	}
	return first
}

// skip leaves out what comes up to n, and n itself.
func (s *span) skip(n uint64) {
	if s.backward {
		s.to = n
	} else {
		s.from = n + 1
	}
}

// maxBatch is how many numbers a span reads ahead at most.
const maxBatch = 64

// next returns the next number of the span and goes past it, zero if there is none. It reads ahead,
// more each time. (An iter.Pull would do it in another goroutine, where a page that cannot be read
// ends the process.)
func (s *span) next() (n uint64) {
	if len(s.ahead) == 0 {
		s.batch = min(max(1, 2*s.batch), maxBatch)
		for n := range s.all() {
			if s.ahead = append(s.ahead, n); len(s.ahead) == s.batch {
				break
			}
		}
		if len(s.ahead) == 0 {
			return 0
		}
		s.skip(s.ahead[len(s.ahead)-1])
	}
	n, s.ahead = s.ahead[0], s.ahead[1:]
	return n
}

// merge goes through the numbers of several spans in the same direction, as one. No number is in
// two of them.
func merge(spans []*span) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		type head struct {
			n    uint64
			span *span
		}
		var heads []head
		for _, s := range spans {
			if n := s.next(); n != 0 {
				heads = append(heads, head{n, s})
			}
		}
		for len(heads) > 0 {
			nearest := 0
			for i, h := range heads {
				if (h.n < heads[nearest].n) != h.span.backward && i != nearest {
					nearest = i
				}
			}
			h := &heads[nearest]
			if !yield(h.n) {
				return
			}
			if h.n = h.span.next(); h.n == 0 {
				heads = append(heads[:nearest], heads[nearest+1:]...)
			}
		}
	}
}

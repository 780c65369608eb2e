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
	// Filters all have to hold: the values of keys, of roles (see [people.Number.String]) and of
	// [KeyPerson], [KeyScope] and [KeyCause] (see [CauseValue]).
	Filters map[string]string
	// After and Before are numbers between which the facts lie, themselves excluded; zero means no
	// bound.
	After, Before uint64
	// Backward is whether the last comes first.
	Backward bool
	// Limit is how many are wanted at most; zero means all.
	Limit int
}

// wants reports whether the query is for the fact, bounds aside.
func (q Query) wants(f Fact) bool {
	if q.Kind != "" && f.Kind != q.Kind {
		return false
	}
	for key, value := range q.Filters {
		if !f.has(key, value) {
			return false
		}
	}
	return true
}

// seqs goes through the numbers of the facts of the kinds (all, where there are none) that the
// filters and bounds of the query let through. It reads nothing but the index, which may be
// mistaken: the fact itself has the last word.
func seqs(tx *store.Tx, kinds []string, q Query) iter.Seq[uint64] {
	if q.After == math.MaxUint64 {
		return func(func(uint64) bool) {}
	}
	if len(kinds) == 0 {
		kinds = kindsOf(tx)
	}
	spans := make([]*span, len(kinds))
	for i, kind := range kinds {
		s := &span{tx: tx, from: q.After + 1, to: q.Before, backward: q.Backward}
		for _, key := range sortedKeys(q.Filters) {
			var any []string
			if key == KeyPerson { // a person is listed under each of their roles
				for _, role := range rolesOf(tx, kind) {
					any = append(any, term(kind, role, q.Filters[key]))
				}
			} else {
				any = append(any, term(kind, key, q.Filters[key]))
			}
			s.filters = append(s.filters, any)
		}
		if len(s.filters) == 0 {
			s.filters = append(s.filters, []string{term(kind, "", "")})
		}
		spans[i] = s
	}
	if len(spans) == 1 {
		return spans[0].all()
	}
	return merge(spans)
}

// history reads the log, in the window and in the archive.
type history struct {
	store   *store.Store
	archive *archive
}

// Matching goes through the facts that a query wants, in the window and in the archive, in order. A
// fact that cannot be read comes as an error with its Seq, and the next ones follow if the loop
// goes on.
func (h *history) Matching(tx *store.Tx, q Query) iter.Seq2[Fact, error] {
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
		reader := newReader(tx, h.archive)
		for n := range seqs(tx, kinds, q) {
			f, err := reader.fact(n)
			if err == nil && !q.wants(f) {
				continue
			}
			if !yield(f, err) {
				return
			}
			if found++; found == q.Limit {
				return
			}
		}
	}
}

// Get returns one fact; ok is false if the log has none of that number (any more).
func (h *history) Get(tx *store.Tx, seq uint64) (f Fact, ok bool, err error) {
	data, err := newReader(tx, h.archive).find(seq)
	if data == nil || err != nil {
		return f, false, err
	}
	f, err = decodeFact(seq, data)
	return f, err == nil, err
}

// All goes through the whole log from the given number on, oldest first, without the index. Errors
// come as those of Matching do, but for damage to the archive, behind which the loop goes on with
// what is in the window.
func (h *history) All(tx *store.Tx, from uint64) iter.Seq2[Fact, error] {
	return func(yield func(Fact, error) bool) {
		for doc, err := range newReader(tx, h.archive).all(from) {
			f := Fact{Seq: doc.seq}
			if err == nil {
				f, err = decodeFact(doc.seq, doc.data)
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// Kinds returns all kinds that were ever published, in order.
func (h *history) Kinds(tx *store.Tx) []string { return kindsOf(tx) }

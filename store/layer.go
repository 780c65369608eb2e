package store

import (
	"maps"
	"slices"

	"github.com/tidwall/btree"
)

// reader is what a layer lies upon: the file, or another layer.
type reader interface {
	// get returns the value, nil if there is none. It must not be changed, and lives as long as the
	// transaction.
	get(bucket, key string) []byte
	// walk returns a place in the bucket from which to step.
	walk(bucket string, reverse bool) walker
}

// walker steps through a bucket. Nothing may be written to what it walks through between two calls.
type walker interface {
	// seek goes to the first key not below key, or, in reverse, to the last one below it (the last
	// of all where key is empty).
	seek(key string) (string, []byte, bool)
	// step goes on by one.
	step() (string, []byte, bool)
}

// rows are keys and values by buckets. A nil value is a deletion.
type rows map[string]*btree.Map[string, []byte]

// put sets a value; nil deletes.
func (r rows) put(bucket, key string, value []byte) {
	b := r[bucket]
	if b == nil {
		b = &btree.Map[string, []byte]{}
		r[bucket] = b
	}
	b.Set(key, value)
}

// get returns a value, nil for one that was deleted, and reports whether the key is there.
func (r rows) get(bucket, key string) (value []byte, ok bool) {
	if b := r[bucket]; b != nil {
		return b.Get(key)
	}
	return nil, false
}

// first returns the first key of a bucket that is not deleted, one behind all others where there is
// none.
func (r rows) first(bucket string) string {
	first := "\xff"
	if b := r[bucket]; b != nil {
		b.Scan(func(k string, v []byte) bool {
			if v != nil {
				first = k
			}
			return v == nil
		})
	}
	return first
}

// names returns the names of the buckets, in order.
func (r rows) names() []string { return slices.Sorted(maps.Keys(r)) }

// rowBytes is about what a row takes in memory beside its key and its value.
const rowBytes = 64

// with returns what r holds with more on top, and by how many bytes that makes it larger at most.
// Both stay as they are, and nobody changes more any longer. What is not changed is shared, so that
// it costs what is changed.
func (r rows) with(more rows) (sum rows, bytes int) {
	sum = maps.Clone(r)
	if sum == nil {
		sum = rows{}
	}
	for name, b := range more {
		old := sum[name]
		if old == nil {
			old = &btree.Map[string, []byte]{}
		}
		changed := old.Copy()
		b.Scan(func(k string, v []byte) bool {
			changed.Set(k, v)
			bytes += len(k) + len(v) + rowBytes
			return true
		})
		sum[name] = changed
	}
	return sum, bytes
}

// layer holds rows over a reader.
type layer struct {
	rows
	below  reader
	writes int // counts, so that a range notices writes made while it runs
}

func newLayer(below reader) *layer { return &layer{rows: rows{}, below: below} }

func (l *layer) get(bucket, key string) []byte {
	if b := l.rows[bucket]; b != nil {
		if v, ok := b.Get(key); ok {
			return v
		}
	}
	return l.below.get(bucket, key)
}

func (l *layer) put(bucket, key string, value []byte) {
	l.rows.put(bucket, key, value)
	l.writes++
}

// mergeInto writes everything to the layer below.
func (l *layer) mergeInto(below *layer) {
	for name, b := range l.rows {
		b.Scan(func(k string, v []byte) bool {
			below.put(name, k, v)
			return true
		})
	}
}

func (l *layer) walk(bucket string, reverse bool) walker {
	below := l.below.walk(bucket, reverse)
	b := l.rows[bucket]
	if b == nil {
		return below
	}
	return &merged{over: &treeWalker{iter: b.Iter(), reverse: reverse}, under: below, reverse: reverse}
}

type treeWalker struct {
	iter    btree.MapIter[string, []byte]
	reverse bool
}

func (w *treeWalker) seek(key string) (string, []byte, bool) {
	switch {
	case !w.reverse:
		return w.at(w.iter.Seek(key))
	case key == "" || !w.iter.Seek(key):
		return w.at(w.iter.Last())
	default:
		return w.at(w.iter.Prev())
	}
}

func (w *treeWalker) step() (string, []byte, bool) {
	if w.reverse {
		return w.at(w.iter.Prev())
	}
	return w.at(w.iter.Next())
}

func (w *treeWalker) at(ok bool) (string, []byte, bool) {
	if !ok {
		return "", nil, false
	}
	return w.iter.Key(), w.iter.Value(), true
}

// merged walks through a layer and what lies below it as one; the layer hides what it overwrites or
// deletes.
type merged struct {
	over, under walker
	reverse     bool
	a, b        row
}

type row struct {
	key   string
	value []byte
	ok    bool
}

func (r *row) set(key string, value []byte, ok bool) { *r = row{key, value, ok} }

func (m *merged) seek(key string) (string, []byte, bool) {
	m.a.set(m.over.seek(key))
	m.b.set(m.under.seek(key))
	return m.next()
}

func (m *merged) step() (string, []byte, bool) { return m.next() }

// next returns the nearer of the two heads and moves past it.
func (m *merged) next() (string, []byte, bool) {
	for {
		switch {
		case !m.a.ok && !m.b.ok:
			return "", nil, false
		case !m.a.ok || m.b.ok && m.nearer(m.b.key, m.a.key):
			e := m.b
			m.b.set(m.under.step())
			return e.key, e.value, true
		}
		e := m.a
		if m.b.ok && m.b.key == e.key {
			m.b.set(m.under.step())
		}
		m.a.set(m.over.step())
		if e.value != nil {
			return e.key, e.value, true
		}
	}
}

func (m *merged) nearer(x, y string) bool {
	if m.reverse {
		return x > y
	}
	return x < y
}

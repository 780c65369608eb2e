package store

import "github.com/tidwall/btree"

// reader is what a layer lies upon: the file, or another layer.
type reader interface {
	// get returns the value, nil if there is none. It must not be changed, and lives as long as the transaction.
	get(bucket, key string) []byte
	// walk returns a place in the bucket from which to step.
	walk(bucket string, reverse bool) walker
}

// walker steps through a bucket. Nothing may be written to what it walks through between two calls.
type walker interface {
	// seek goes to the first key not below key, or, in reverse, to the last one below it (the last of all where key
	// is empty).
	seek(key string) (string, []byte, bool)
	// step goes on by one.
	step() (string, []byte, bool)
}

// layer holds writes over a reader until they are merged into what lies below, or dropped.
type layer struct {
	below   reader
	buckets map[string]*btree.Map[string, []byte] // a nil value is a deletion
	writes  int                                   // counts, so that a range notices writes made while it runs
}

func newLayer(below reader) *layer {
	return &layer{below: below, buckets: map[string]*btree.Map[string, []byte]{}}
}

func (l *layer) get(bucket, key string) []byte {
	if b := l.buckets[bucket]; b != nil {
		if v, ok := b.Get(key); ok {
			return v
		}
	}
	return l.below.get(bucket, key)
}

// put sets a value; nil deletes.
func (l *layer) put(bucket, key string, value []byte) {
	b := l.buckets[bucket]
	if b == nil {
		b = &btree.Map[string, []byte]{}
		l.buckets[bucket] = b
	}
	b.Set(key, value)
	l.writes++
}

// mergeInto writes everything to the layer below.
func (l *layer) mergeInto(below *layer) {
	for name, b := range l.buckets {
		b.Scan(func(k string, v []byte) bool {
			below.put(name, k, v)
			return true
		})
	}
}

func (l *layer) walk(bucket string, reverse bool) walker {
	below := l.below.walk(bucket, reverse)
	b := l.buckets[bucket]
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

// merged walks through a layer and what lies below it as one; the layer hides what it overwrites or deletes.
type merged struct {
	over, under walker
	reverse     bool
	a, b        entry
}

type entry struct {
	key   string
	value []byte
	ok    bool
}

func (e *entry) set(key string, value []byte, ok bool) { *e = entry{key, value, ok} }

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

package seen

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sort"

	"go.etcd.io/bbolt"

	"moot/protocol"
)

// Between goes through what a room has from one place (inclusive) to another (exclusive), in order
// or, backward, from the last to the first: each event once, as it was recorded last. The zero
// Place as to means that there is no end. After an error, which is [disk.ErrDamaged], nothing
// comes.
func (st *State) Between(tx *bbolt.Tx, room protocol.RoomID, from, to Place, backward bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if to == (Place{}) {
			to.At = math.MaxUint64
		}
		if from.At < st.horizon {
			from = Place{At: st.horizon}
		}
		s := span{room: string(room), from: from.bound(), to: to.bound(), backward: backward}
		var sources []source // the newest first
		for _, t := range []*table{st.active, st.frozen} {
			if t != nil {
				sources = append(sources, &listed{rows: s.of(t, st.change)})
			}
		}
		for _, r := range st.runs {
			if r.Newest >= from.At && r.Oldest <= to.At {
				sources = append(sources, &ranged{t: chunks{tx: tx}, run: r, span: s})
			}
		}
		var heads []*head
		for _, src := range sources {
			h := &head{source: src}
			if err := h.advance(); err != nil {
				yield(Record{}, err)
				return
			}
			heads = append(heads, h)
		}
		for {
			var first *head
			for _, h := range heads {
				if h.row != nil && (first == nil || s.order(h.row, first.row) < 0) {
					first = h
				}
			}
			if first == nil {
				return
			}
			r := first.row
			key := st.hasher.key(room, unpack(r.kind, r.id))
			if !yield(r.record(key), nil) {
				return
			}
			for _, h := range heads {
				for h.row != nil && h.row.compare(r) == 0 {
					if err := h.advance(); err != nil {
						yield(Record{}, err)
						return
					}
				}
			}
		}
	}
}

// bound is a place as rows are compared with it.
type bound struct {
	at   uint64
	none bool // before all events of the time
	kind idKind
	id   []byte
}

func (p Place) bound() bound {
	b := bound{at: p.At, none: p.Event == ""}
	if !b.none {
		k := Key{Event: p.Event, id: pack(p.Event)}
		b.kind, b.id = k.name()
	}
	return b
}

// reached reports whether a row of the room is at the bound or behind it.
func (b *bound) reached(r *row) bool {
	if r.at != b.at {
		return r.at > b.at
	}
	return b.none || compareIDs(r.kind, r.id, b.kind, b.id) >= 0
}

// span is what Between is asked for.
type span struct {
	room     string
	from, to bound
	backward bool
}

// order compares rows as they are to come.
func (s *span) order(a, b *row) int {
	if s.backward {
		return b.compare(a)
	}
	return a.compare(b)
}

func (s *span) has(r *row) bool {
	return string(r.room) == s.room && s.from.reached(r) && !s.to.reached(r)
}

// source gives rows in the order of the span. They stay as they are.
type source interface {
	// next returns nil at the end.
	next() (*row, error)
}

type head struct {
	source
	row *row
}

func (h *head) advance() (err error) {
	h.row, err = h.next()
	return err
}

// listed is a source of rows that are there.
type listed struct{ rows []row }

func (l *listed) next() (*row, error) {
	if len(l.rows) == 0 {
		return nil, nil
	}
	r := &l.rows[0]
	l.rows = l.rows[1:]
	return r, nil
}

// of returns the rows of a table as of a change.
func (s *span) of(t *table, change uint64) (rows []row) {
	sh := t.shape.Load()
	room := slices.Index(sh.rooms, protocol.RoomID(s.room))
	if room < 0 {
		return nil
	}
	name := []byte(s.room)
	for _, e := range sh.sorted(change, func(e *version) bool {
		return e.room == uint32(room) && e.at >= s.from.at && e.at <= s.to.at
	}) {
		kind, id := sh.name(e)
		r := row{name, e.at, kind, id, e.disposition, []byte(sh.reasons[e.reason])}
		if s.has(&r) {
			rows = append(rows, r)
		}
	}
	if s.backward {
		slices.Reverse(rows)
	}
	return rows
}

// ranged is a source of the rows of a run, block after block.
type ranged struct {
	t   chunks
	run *run
	span
	listed
	begun bool
	block int // that is read next, counted over all chunks
}

func (g *ranged) next() (*row, error) {
	for {
		if r, _ := g.listed.next(); r != nil {
			return r, nil
		}
		if !g.begun {
			if err := g.begin(); err != nil {
				return nil, err
			}
		}
		if g.block < 0 || g.block >= g.run.blocks() {
			return nil, nil
		}
		end, err := g.load()
		if err != nil {
			return nil, err
		}
		if end {
			g.block = -1
		}
	}
}

// open returns a block of the run at its first row.
func (g *ranged) open(n int) (r blockReader, err error) {
	for _, c := range g.run.Chunks {
		if n >= c.Blocks {
			n -= c.Blocks
			continue
		}
		b, err := g.t.bucket(c)
		if err != nil {
			return r, err
		}
		if r, err = g.t.block(b, c, n); err != nil {
			return r, err
		}
		if !r.next() {
			return r, damaged("chunk %d, block %d", c.ID, n)
		}
		return r, nil
	}
	return r, damaged("a run has no block %d", n)
}

// begin finds the block to begin with: the last one that begins before the span does or, backward,
// before it ends.
func (g *ranged) begin() (err error) {
	g.begun = true
	edge := &g.from
	if g.backward {
		edge = &g.to
	}
	n := sort.Search(g.run.blocks(), func(i int) bool {
		if err != nil {
			return true
		}
		var r blockReader
		if r, err = g.open(i); err != nil {
			return true
		}
		c := cmp.Compare(string(r.room), g.room)
		return c > 0 || c == 0 && edge.reached(&r.row)
	})
	g.block = max(0, n-1)
	return err
}

// load reads the rows of the next block, and reports whether none of the blocks after it has any.
func (g *ranged) load() (end bool, err error) {
	n := g.block
	r, err := g.open(n)
	if err != nil {
		return false, err
	}
	g.rows = g.rows[:0:0]
	past := false // a row behind the span
	first := r.row
	for ok := true; ok; ok = r.next() {
		if g.has(&r.row) {
			g.rows = append(g.rows, r.row)
		}
		c := cmp.Compare(string(r.room), g.room)
		past = c > 0 || c == 0 && g.to.reached(&r.row)
	}
	if r.failed {
		return false, damaged("a block of a run")
	}
	if !g.backward {
		g.block++
		return past, nil
	}
	slices.Reverse(g.rows)
	g.block--
	c := cmp.Compare(string(first.room), g.room)
	return c < 0 || c == 0 && !g.from.reached(&first), nil
}

package store

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"

	"moot/protocol"
)

// table holds exactly what the journal holds and no sorted run does yet: the events of one generation of the journal.
// The commit adds to it, while views read it.
type table struct {
	generation uint64
	partition  int64  // of its first event
	oldest     uint64 // time of its oldest event; the largest number where it has none

	mu    sync.RWMutex
	known map[address]*version // guarded by mu
	// fresh are the events that were first recorded here, in the order of their commits. It belongs to the commit.
	fresh []*version
	// rows returns the rows of the run that is to be made of it, and waits for them. It is nil until the table has ended.
	rows func() rows
}

// version is what one commit recorded of an event.
type version struct {
	recorded
	commit uint64   // its number
	before *version // what an earlier commit recorded, for the views that began before this one; nil where the table knows none
}

// newTable returns an empty table that will take about so many events.
func newTable(generation uint64, size int) *table {
	return &table{generation: generation, oldest: math.MaxUint64, known: make(map[address]*version, size)}
}

// get returns what is known as of the numbered commit.
func (t *table) get(a address, commit uint64) (r recorded, ok bool) {
	t.mu.RLock()
	v := t.known[a]
	t.mu.RUnlock()
	for ; v != nil; v = v.before {
		if v.commit <= commit {
			return v.recorded, true
		}
	}
	return r, false
}

// size returns how many events the table holds.
func (t *table) size() int { return len(t.known) }

// add adds what the numbered commit recorded.
func (t *table) add(commit uint64, records []recorded, span int64) {
	versions := make([]version, len(records))
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range records {
		v := &versions[i]
		*v = version{recorded: records[i], commit: commit, before: t.known[records[i].address]}
		if len(t.known) == 0 {
			t.partition = partition(v.at, span)
		}
		t.oldest = min(t.oldest, v.at)
		if t.known[v.address] = v; v.fresh {
			t.fresh = append(t.fresh, v)
		}
	}
}

// row is a row of an index of a run.
type row struct{ key, value []byte }

// rows are a table in the order in which a run keeps it, as they will stand in the file.
type rows struct{ seen, times []row }

// end ends the table: it does not change any more, and is put in order beside the commits that follow, by a goroutine of
// the group.
func (t *table) end(floor uint64, sorting *sync.WaitGroup) {
	t.rows = sync.OnceValue(func() rows { return t.sorted(floor) })
	sorting.Go(func() { t.rows() })
}

// sorted returns the rows of the table. What was recorded before the floor is left out. It groups by rooms first: keys
// of one room differ in the event alone, which is much faster to sort.
func (t *table) sorted(floor uint64) (r rows) {
	type room struct{ all, fresh []*version }
	rooms := map[protocol.RoomID]*room{}
	in := func(id protocol.RoomID) *room {
		x := rooms[id]
		if x == nil {
			x = &room{}
			rooms[id] = x
		}
		return x
	}
	n, bytes := 0, 0
	for _, v := range t.known {
		if v.at >= floor {
			x := in(v.room)
			x.all = append(x.all, v)
			n++
			bytes += len(v.room) + len(Sep) + len(v.event) + seenHead + len(v.reason)
		}
	}
	for _, v := range t.fresh {
		if v.at >= floor {
			x := in(v.room)
			x.fresh = append(x.fresh, v)
		}
	}
	names := make([]string, 0, len(rooms))
	for id := range rooms {
		names = append(names, string(id)+Sep)
	}
	slices.Sort(names)
	r.seen = make([]row, 0, n)
	b := make([]byte, 0, bytes) // of all rows of seen
	for _, name := range names {
		x := rooms[protocol.RoomID(strings.TrimSuffix(name, Sep))]
		slices.SortFunc(x.all, func(a, b *version) int { return cmp.Compare(a.event, b.event) })
		for _, v := range x.all {
			start := len(b)
			b = v.appendKey(b)
			value := len(b)
			b = v.appendSeen(b)
			r.seen = append(r.seen, row{b[start:value:value], b[value:len(b):len(b)]})
		}
		for start, i := 0, 1; i <= len(x.fresh); i++ {
			if i == len(x.fresh) || x.fresh[i].at != x.fresh[start].at {
				r.times = append(r.times, timesRow(x.fresh[start:i]))
				start = i
			}
		}
	}
	return r
}

// timesRow returns the row of the index by time for what one commit first recorded in one room.
func timesRow(commit []*version) row {
	var value []byte
	for i, v := range commit {
		if i > 0 {
			value = append(value, Sep...)
		}
		value = append(value, v.event...)
	}
	return row{[]byte(Key(commit[0].room, Number(commit[0].at))), value}
}

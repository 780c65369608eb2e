package seen

import (
	"cmp"
	"slices"
	"sync/atomic"

	"moot/protocol"
	"moot/store/disk"
)

// table holds exactly what the changes of one range recorded. One writer adds to it while any
// number of readers ask: what a reader can reach does not change any more.
//
// It has no pointers an event, so that the collector of garbage has nothing to follow: versions lie
// in parts, in the order in which they came; slots say where the newest version of each event is.
type table struct {
	partition int64 // of time, in which its first change lies

	shape atomic.Pointer[shape]

	// The writer's alone.
	places  []int // of the versions of one add, in the slots
	rooms   map[protocol.RoomID]uint32
	reasons map[string]uint32
}

// version is what one change recorded of an event.
type version struct {
	hash        uint64
	at          uint64
	change      uint64
	id          [idSize]byte // packed; of an id that does not fit, its place among the long ones
	room        uint32
	reason      uint32
	before      uint32 // the version of an earlier change for the same event, plus one; 0: none
	kind        idKind
	size        uint8
	disposition Disposition
}

// shape is all that a reader of a table needs. It does not change, but for the slots.
type shape struct {
	// slots are a hash table with linear probing: the number of a version plus one, and the upper
	// half of its hash above that; 0 is free. Their number is a power of two, of which at most two
	// thirds are used.
	slots   []atomic.Uint64
	used    int // slots
	n       int // versions
	parts   []*[partSize]version
	rooms   []protocol.RoomID
	reasons []string // the first is empty
	long    []protocol.EventID
}

const partSize = 1 << 9

// newTable returns an empty table that is likely to take so many events.
func newTable(size int) *table {
	slots := 64
	for slots*2 < size*3 {
		slots *= 2
	}
	t := &table{rooms: map[protocol.RoomID]uint32{}, reasons: map[string]uint32{"": 0}}
	t.shape.Store(&shape{slots: make([]atomic.Uint64, slots), reasons: []string{""}})
	return t
}

// size returns how many events the table holds.
func (t *table) size() int { return t.shape.Load().used }

func (s *shape) version(i int) *version { return &s.parts[i/partSize][i%partSize] }

// name returns the packed id of a version.
func (s *shape) name(e *version) (idKind, []byte) {
	if e.size == longID {
		return idText, []byte(s.longID(e))
	}
	return e.kind, e.id[:e.size]
}

func (s *shape) longID(e *version) protocol.EventID {
	return s.long[uint32(e.id[0])|uint32(e.id[1])<<8|uint32(e.id[2])<<16|uint32(e.id[3])<<24]
}

// is reports whether the version is one of the event.
func (s *shape) is(e *version, k *Key) bool {
	if e.hash != k.hash || e.size != k.id.size || e.kind != k.id.kind || s.rooms[e.room] != k.Room {
		return false
	}
	if e.size == longID {
		return s.longID(e) == k.Event
	}
	return e.id == k.id.bytes
}

// record returns the record of a version.
func (s *shape) record(e *version, k Key) Record {
	return Record{k, e.at, e.disposition, s.reasons[e.reason]}
}

// find returns what is known of the event as of a change.
func (t *table) find(k *Key, change uint64) (r Record, ok bool) {
	s := t.shape.Load()
	_, i := s.seek(t, k)
	for i >= 0 {
		if s.n <= i {
			s = t.shape.Load() // the slot is newer than the shape
		}
		e := s.version(i)
		if e.change <= change {
			return s.record(e, *k), true
		}
		i = int(e.before) - 1
	}
	return r, false
}

// seek returns the slot of the event, or the free one where it would be, and its newest version, -1
// if it has none.
func (s *shape) seek(t *table, k *Key) (slot, at int) {
	mask := uint64(len(s.slots) - 1)
	versions := s
	for i := k.hash & mask; ; i = (i + 1) & mask {
		v := s.slots[i].Load()
		if v == 0 {
			return int(i), -1
		}
		if uint32(v>>32) != fingerprint(k.hash) {
			continue
		}
		at := int(uint32(v)) - 1
		if at >= versions.n {
			versions = t.shape.Load()
		}
		if versions.is(versions.version(at), k) {
			return int(i), at
		}
	}
}

// add adds what a change recorded, each event once. Versions are complete, and within reach of the
// shape that readers load, before a slot leads to them.
func (t *table) add(change uint64, records []Record) {
	old := t.shape.Load()
	s := *old
	s.grow(len(records))
	t.places = t.places[:0]
	for i := range records {
		r := &records[i]
		if s.n/partSize == len(s.parts) {
			s.parts = append(s.parts, new([partSize]version))
		}
		slot, before := s.seek(t, &r.Key)
		e := s.version(s.n)
		*e = version{
			hash: r.hash, at: r.At, change: change, id: r.id.bytes, room: t.room(&s, r.Room),
			reason: t.reason(&s, r.Reason),
			before: uint32(before + 1), kind: r.id.kind, size: r.id.size, disposition: r.Disposition,
		}
		if e.size == longID {
			n := len(s.long)
			s.long = append(s.long, r.Event)
			e.id[0], e.id[1], e.id[2], e.id[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
		}
		s.n++
		t.places = append(t.places, slot)
		if before < 0 {
			s.used++
		}
	}
	t.shape.Store(&s)
	mask := len(s.slots) - 1
	for i, slot := range t.places {
		n := old.n + i
		if s.version(n).before == 0 {
			for s.slots[slot].Load() != 0 { // taken by another event of this change
				slot = (slot + 1) & mask
			}
		}
		s.slots[slot].Store(uint64(fingerprint(records[i].hash))<<32 | uint64(n+1))
	}
}

// grow makes place for so many more events.
func (s *shape) grow(more int) {
	need := len(s.slots)
	for need*2 < (s.used+more)*3 {
		need *= 2
	}
	if need == len(s.slots) {
		return
	}
	slots, mask := make([]atomic.Uint64, need), uint64(need-1)
	for i := range s.slots {
		v := s.slots[i].Load()
		if v == 0 {
			continue
		}
		j := s.version(int(uint32(v))-1).hash & mask
		for slots[j].Load() != 0 {
			j = (j + 1) & mask
		}
		slots[j].Store(v)
	}
	s.slots = slots
}

func (t *table) room(s *shape, room protocol.RoomID) uint32 {
	n, ok := t.rooms[room]
	if !ok {
		n = uint32(len(s.rooms))
		t.rooms[room] = n
		s.rooms = append(s.rooms, room)
	}
	return n
}

func (t *table) reason(s *shape, reason string) uint32 {
	n, ok := t.reasons[reason]
	if !ok {
		n = uint32(len(s.reasons))
		t.reasons[reason] = n
		s.reasons = append(s.reasons, reason)
	}
	return n
}

// numbered is a version with its place among all.
type numbered struct {
	*version
	n int
}

// sorted returns the newest version as of a change of each event that is wanted, in the order of
// runs.
func (s *shape) sorted(change uint64, want func(*version) bool) []*version {
	// By room first, each in the order in which they came: that is nearly the order of runs.
	ends := make([]int, len(s.rooms)+1)
	for i := range s.n {
		if v := s.version(i); v.change <= change && want(v) {
			ends[v.room+1]++
		}
	}
	order := make([]int, len(s.rooms))
	for i := range order {
		order[i] = i
		ends[i+1] += ends[i]
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.rooms[a], s.rooms[b]) })
	list := make([]numbered, ends[len(s.rooms)])
	for i := range s.n {
		disk.Breathe(i)
		if v := s.version(i); v.change <= change && want(v) {
			list[ends[v.room]] = numbered{v, i}
			ends[v.room]++ // begins where the room does, and ends where the next one begins
		}
	}
	sorted := make([]*version, 0, len(list))
	for _, room := range order {
		disk.Breathe(0)
		begin := 0
		if room > 0 {
			begin = ends[room-1]
		}
		sorted = s.appendSorted(sorted, list[begin:ends[room]])
	}
	return sorted
}

// appendSorted appends the newest versions of a room, which are in the order in which they came.
func (s *shape) appendSorted(sorted []*version, list []numbered) []*version {
	same := func(a, b numbered) int {
		x, xs := s.name(a.version)
		y, ys := s.name(b.version)
		return compareIDs(x, xs, y, ys)
	}
	byTime := func(a, b numbered) int { return cmp.Compare(a.at, b.at) }
	compare := func(a, b numbered) int {
		if c := byTime(a, b); c != 0 {
			return c
		}
		if c := same(a, b); c != 0 {
			return c
		}
		return b.n - a.n
	}
	if !slices.IsSortedFunc(list, byTime) { // one was recorded again
		slices.SortFunc(list, compare)
	} else {
		for end, begin := 0, 0; begin < len(list); begin = end {
			for end = begin + 1; end < len(list) && list[end].at == list[begin].at; end++ {
			}
			slices.SortFunc(list[begin:end], compare)
		}
	}
	for i, v := range list {
		if i == 0 || byTime(list[i-1], v) != 0 || same(list[i-1], v) != 0 {
			sorted = append(sorted, v.version)
		}
	}
	return sorted
}

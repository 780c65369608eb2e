package seen

// Batch is what a commit that is under way records. The zero Batch is empty.
type Batch struct {
	records []Record
	slots   []uint32 // a hash table with linear probing: the number of a record plus one; 0 is free
}

// Find returns what the batch has of the event.
func (b *Batch) Find(k *Key) (r Record, ok bool) {
	if _, at := b.seek(k); at >= 0 {
		return b.records[at], true
	}
	return r, false
}

// seek returns the slot of the event, or the free one where it would be, and its record, -1 if it
// has none.
func (b *Batch) seek(k *Key) (slot uint64, at int) {
	if len(b.records) == 0 {
		return k.hash & uint64(len(b.slots)-1), -1
	}
	mask := uint64(len(b.slots) - 1)
	for slot = k.hash & mask; ; slot = (slot + 1) & mask {
		if at = int(b.slots[slot]) - 1; at < 0 || b.records[at].same(k) {
			return slot, at
		}
	}
}

// Put adds a record, or replaces that of the same event.
func (b *Batch) Put(r Record) {
	if 3*(len(b.records)+1) > 2*len(b.slots) {
		b.slots = make([]uint32, max(16, 2*len(b.slots)))
		for i := range b.records {
			slot, _ := b.seek(&b.records[i].Key)
			b.slots[slot] = uint32(i + 1)
		}
	}
	slot, at := b.seek(&r.Key)
	if at >= 0 {
		b.records[at] = r
		return
	}
	b.records = append(b.records, r)
	b.slots[slot] = uint32(len(b.records))
}

// Records returns the records, each event once, in the order in which the events first came. They
// belong to the batch until it is reset.
func (b *Batch) Records() []Record { return b.records }

// Reset empties the batch. It keeps its memory for one that is about as large.
func (b *Batch) Reset() {
	if n := len(b.records); n > 1<<14 || 16*n+16 < len(b.slots) {
		*b = Batch{}
		return
	}
	clear(b.records)
	clear(b.slots)
	b.records = b.records[:0]
}

package seen

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// A block is some two hundred rows of a chunk in their order: by room, time and event. A room
// stands once before its rows, without what it has in common with the room before it; so does a
// reason, which is a number after that.
//
//	block  n × (room, m uvarint, m × row) | CRC-32C of its place and of what is before it (4 bytes)
//	room   shared uvarint | rest
//	row    flags | time since the row before it (uvarint; varint in the first row of a room) | id | [reason]
//	reason number uvarint | [text, where it comes first]
//	flags  kind of the id (2 bits) | disposition (3 bits) | 0x20: has a reason
//	id     see id.go
const flagReason = 0x20

func rowFlags(kind idKind, disposition Disposition, reason string) byte {
	flags := byte(kind) | byte(disposition&7)<<2
	if reason != "" {
		flags |= flagReason
	}
	return flags
}

// row is a row of a run. Its bytes belong to whoever made it.
type row struct {
	room        []byte
	at          uint64
	kind        idKind
	id          []byte
	disposition Disposition
	reason      []byte
}

// compare is the order of rows.
func (r *row) compare(x *row) int {
	if c := bytes.Compare(r.room, x.room); c != 0 {
		return c
	}
	if c := cmp.Compare(r.at, x.at); c != 0 {
		return c
	}
	return compareIDs(r.kind, r.id, x.kind, x.id)
}

// is reports whether the row is the one of the event.
func (r *row) is(k *Key, kind idKind, id []byte) bool {
	return r.kind == kind && bytes.Equal(r.id, id) && string(r.room) == string(k.Room)
}

// record returns the record of the row of a known event.
func (r *row) record(k Key) Record { return Record{k, r.at, r.disposition, string(r.reason)} }

// blockWriter makes a block.
type blockWriter struct {
	b       []byte // finished rooms
	rows    []byte // of the last room
	n       int    // of them
	room    []byte
	before  []byte // the room before it
	at      uint64 // of the last row
	reasons dictionary
}

// size returns how long the block is with one more row of the same kind, about.
func (w *blockWriter) size(r *row) int {
	return len(w.b) + len(w.rows) + len(w.room) + len(r.room) + len(r.id) + len(r.reason) + 32 + sumSize
}

func (w *blockWriter) empty() bool { return w.n == 0 }

func (w *blockWriter) add(r *row) {
	first := w.n == 0 || !bytes.Equal(w.room, r.room)
	if first {
		w.endRoom()
		w.room = append(w.room[:0], r.room...)
	}
	flags := rowFlags(r.kind, r.disposition, "")
	if len(r.reason) > 0 {
		flags |= flagReason
	}
	w.rows = append(w.rows, flags)
	if first {
		w.rows = binary.AppendVarint(w.rows, int64(r.at-w.at))
	} else {
		w.rows = binary.AppendUvarint(w.rows, r.at-w.at)
	}
	w.rows = appendID(w.rows, r.kind, r.id)
	if len(r.reason) > 0 {
		w.rows = w.reasons.append(w.rows, string(r.reason))
	}
	w.at = r.at
	w.n++
}

func (w *blockWriter) endRoom() {
	if w.n == 0 {
		return
	}
	shared := 0
	for shared < min(len(w.room), len(w.before)) && w.room[shared] == w.before[shared] {
		shared++
	}
	w.b = binary.AppendUvarint(w.b, uint64(shared))
	w.b = binary.AppendUvarint(w.b, uint64(len(w.room)-shared))
	w.b = append(w.b, w.room[shared:]...)
	w.b = binary.AppendUvarint(w.b, uint64(w.n))
	w.b = append(w.b, w.rows...)
	w.before = append(w.before[:0], w.room...)
	w.rows, w.n = w.rows[:0], 0
}

// finish returns the block, which is the caller's, and begins another one.
func (w *blockWriter) finish(place []byte) []byte {
	w.endRoom()
	block := seal(place, w.b)
	*w = blockWriter{b: make([]byte, 0, cap(w.b)), rows: w.rows[:0], room: w.room[:0], before: w.before[:0]}
	return block
}

// blockReader reads the rows of a block. The rows lie in the block.
type blockReader struct {
	decoder
	row
	left    uint64 // rows of the room
	reasons [][]byte
}

// readBlock begins to read what unseal returned.
func readBlock(body []byte) blockReader { return blockReader{decoder: decoder{rest: body}} }

// next goes to the next row, and reports whether there is one. Where a block cannot be read, failed
// says so.
func (r *blockReader) next() bool {
	first := r.left == 0
	if first {
		if len(r.rest) == 0 {
			return false
		}
		shared, rest := r.uvarint(), r.bytes()
		if shared > uint64(len(r.room)) {
			r.fail()
			return false
		}
		// The room before it may still be in use.
		r.room = append(r.room[:shared:shared], rest...)
		if r.left = r.uvarint(); r.left == 0 {
			r.fail()
			return false
		}
	}
	flags := r.byte()
	r.kind, r.disposition = idKind(flags&3), Disposition(flags>>2&7)
	if first {
		r.at += uint64(r.varint())
	} else {
		r.at += r.uvarint()
	}
	r.id = r.name(r.kind)
	r.reason = nil
	if flags&flagReason != 0 {
		n := r.uvarint()
		if n == uint64(len(r.reasons)) {
			r.reasons = append(r.reasons, r.bytes())
		}
		if n >= uint64(len(r.reasons)) {
			r.fail()
			return false
		}
		r.reason = r.reasons[n]
	}
	if r.failed || flags&^(flagReason|0x1f) != 0 {
		r.fail()
		return false
	}
	r.left--
	return true
}

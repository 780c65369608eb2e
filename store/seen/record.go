package seen

import (
	"fmt"

	"github.com/dchest/siphash"

	"moot/protocol"
)

// Key names an event. [Index.Key] makes it; it can be asked for as often as it is needed.
type Key struct {
	Room  protocol.RoomID
	Event protocol.EventID
	hash  uint64
	id    packed
}

// name is the packed id.
func (k *Key) name() (idKind, []byte) {
	if k.id.size == longID {
		return idText, []byte(k.Event)
	}
	return k.id.kind, k.id.bytes[:k.id.size]
}

func (k *Key) same(x *Key) bool { return k.hash == x.hash && k.Event == x.Event && k.Room == x.Room }

// Record is what is recorded of an event.
type Record struct {
	Key
	At          uint64 // nanoseconds since 1970: the time of the commit that first recorded it
	Disposition Disposition
	Reason      string // may be empty
}

// Disposition is what became of an event. The package keeps it and does not look at it; it has
// three bits.
type Disposition uint8

// The dispositions. All but Waiting are final. The numbers are in the file.
const (
	Unseen    Disposition = 0
	Handled   Disposition = 1
	Ignored   Disposition = 2 // for a reason that is recorded
	Refused   Disposition = 3 // it broke a rule of the words
	Failed    Disposition = 4 // a dead letter
	Waiting   Disposition = 5 // for its key
	Duplicate Disposition = 6 // of a delivery; it is not recorded, as the first delivery's stands
)

func (d Disposition) String() string {
	switch d {
	case Unseen:
		return "unseen"
	case Handled:
		return "handled"
	case Ignored:
		return "ignored"
	case Refused:
		return "refused"
	case Failed:
		return "failed"
	case Waiting:
		return "waiting for key"
	case Duplicate:
		return "duplicate"
	}
	return fmt.Sprintf("disposition %d", byte(d))
}

// Place is a place in the order of a room: by time, and by event where several have the same time.
// The zero event stands before all events of its time. The order of events of one time is not that
// of their names.
type Place struct {
	At    uint64
	Event protocol.EventID
}

// hasher makes the keyed hashes. Nobody who does not know its secret can choose events of equal
// hash.
type hasher struct{ k0, k1 uint64 }

func newHasher(secret []byte) hasher {
	return hasher{
		siphash.Hash(0, 0, append([]byte("seen 0\x00"), secret...)),
		siphash.Hash(0, 1, append([]byte("seen 1\x00"), secret...)),
	}
}

// hash returns the hash of a room and a packed id.
func hash[T ~string | ~[]byte](h hasher, room T, kind idKind, id []byte) uint64 {
	var space [256]byte
	b := append(space[:0], room...)
	b = append(b, protocol.Separator[0], byte(kind))
	b = append(b, id...)
	return siphash.Hash(h.k0, h.k1, b)
}

func (h hasher) key(room protocol.RoomID, event protocol.EventID) Key {
	k := Key{Room: room, Event: event, id: pack(event)}
	kind, id := k.name()
	k.hash = hash(h, room, kind, id)
	return k
}

// fingerprint is the half of a hash that is kept in the file.
func fingerprint(hash uint64) uint32 { return uint32(hash >> 32) }

package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"moot/protocol"
)

// address names an event. Its parts keep the rules of identifiers: see seenIDs.
type address struct {
	room  protocol.RoomID
	event protocol.EventID
}

// appendKey appends the address as a key of a sorted run to b.
func (a address) appendKey(b []byte) []byte {
	b = append(b, a.room...)
	b = append(b, Sep...)
	return append(b, a.event...)
}

// recorded is what a commit recorded of an event.
type recorded struct {
	address
	at          uint64 // when it was first recorded, in nanoseconds
	disposition Disposition
	fresh       bool // whether this is the first record, so that at is the time of the commit
	reason      string
}

func (r *recorded) seen() Seen {
	return Seen{ParseTime(Number(r.at)), r.disposition, r.reason}
}

// An entry of the journal holds what one commit recorded. Rooms and reasons stand in it once:
//
//	entry   version (1 byte) | time | rooms | reasons | n uvarint | n × event | CRC-32C of what is before it (4 bytes)
//	rooms, reasons
//	        n uvarint | n × (length uvarint, text)
//	event   room uvarint | reason uvarint | disposition (1 byte; +128: recorded again) | length uvarint, id |
//	        time of the first record, if recorded again
const (
	entryVersion  = 1
	recordedAgain = 0x80
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errEntry   = errors.New("an entry of the journal cannot be read")
)

// encodeEntry encodes what a commit at the given time recorded.
func encodeEntry(at uint64, records []recorded) []byte {
	var rooms, reasons dictionary
	size := 32
	for i := range records {
		rooms.add(string(records[i].room))
		reasons.add(records[i].reason)
		size += len(records[i].event) + 14
	}
	b := make([]byte, 0, size+rooms.size+reasons.size)
	b = append(b, entryVersion)
	b = binary.BigEndian.AppendUint64(b, at)
	b = rooms.append(b)
	b = reasons.append(b)
	b = binary.AppendUvarint(b, uint64(len(records)))
	for i := range records {
		r := &records[i]
		b = binary.AppendUvarint(b, rooms.place(string(r.room)))
		b = binary.AppendUvarint(b, reasons.place(r.reason))
		if r.fresh {
			b = append(b, byte(r.disposition))
		} else {
			b = append(b, byte(r.disposition)|recordedAgain)
		}
		b = binary.AppendUvarint(b, uint64(len(r.event)))
		b = append(b, r.event...)
		if !r.fresh {
			b = binary.BigEndian.AppendUint64(b, r.at)
		}
	}
	return checksummed(b)
}

// checksummed appends the checksum of b.
func checksummed(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeEntry decodes what encodeEntry has encoded.
func decodeEntry(b []byte) (at uint64, records []recorded, err error) {
	if len(b) < 1+8+4 || b[0] != entryVersion {
		return 0, nil, errEntry
	}
	body := b[:len(b)-4]
	if binary.BigEndian.Uint32(b[len(body):]) != crc32.Checksum(body, castagnoli) {
		return 0, nil, errEntry
	}
	d := decoder{rest: body[1:]}
	at = d.number()
	rooms, reasons := d.texts(), d.texts()
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		return 0, nil, errEntry
	}
	records = make([]recorded, 0, n)
	for range n {
		room, reason, disposition, event := d.uvarint(), d.uvarint(), d.byte(), d.bytes()
		if room >= uint64(len(rooms)) || reason >= uint64(len(reasons)) {
			return 0, nil, errEntry
		}
		r := recorded{
			address:     address{protocol.RoomID(rooms[room]), protocol.EventID(event)},
			at:          at,
			disposition: Disposition(disposition &^ recordedAgain),
			fresh:       disposition&recordedAgain == 0,
			reason:      reasons[reason],
		}
		if !r.fresh {
			r.at = d.number()
		}
		records = append(records, r)
	}
	if d.failed || len(d.rest) > 0 {
		return 0, nil, errEntry
	}
	return at, records, nil
}

// dictionary numbers texts in the order in which they first come.
type dictionary struct {
	places map[string]uint64
	texts  []string
	size   int // of append's result, at most
	last   string
	at     uint64
}

func (d *dictionary) add(text string) {
	if len(d.texts) > 0 && text == d.last {
		return
	}
	place, ok := d.places[text]
	if !ok {
		if d.places == nil {
			d.places = map[string]uint64{}
		}
		place = uint64(len(d.texts))
		d.places[text] = place
		d.texts = append(d.texts, text)
		d.size += binary.MaxVarintLen32 + len(text)
	}
	d.last, d.at = text, place
}

func (d *dictionary) place(text string) uint64 {
	if text != d.last {
		d.last, d.at = text, d.places[text]
	}
	return d.at
}

func (d *dictionary) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(d.texts)))
	for _, t := range d.texts {
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
	}
	return b
}

// decoder reads from bytes that may be anything. After a fault it reads zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) uvarint() uint64 {
	n, used := binary.Uvarint(d.rest)
	if used <= 0 {
		d.rest, d.failed = nil, true
		return 0
	}
	d.rest = d.rest[used:]
	return n
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.rest, d.failed = nil, true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) number() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

func (d *decoder) texts() []string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	texts := make([]string, 0, n)
	for range n {
		texts = append(texts, string(d.bytes()))
	}
	return texts
}

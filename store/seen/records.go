package seen

import (
	"encoding/binary"
	"errors"

	"moot/protocol"
)

// The records of a change are written one after another. A room or a reason stands where it first
// comes, and is a number after that.
//
//	records  n uvarint | n × record
//	record   flags (see block.go; 0x40: recorded again) | room | [reason] | id |
//	         [time before that of the change, varint]
//	room, reason
//	         number uvarint | [text, where it comes first]
const flagAgain = 0x40

// AppendRecords appends to b what a commit at the given time recorded. It has no checksum.
func AppendRecords(b []byte, at uint64, records []Record) []byte {
	var rooms, reasons dictionary
	b = binary.AppendUvarint(b, uint64(len(records)))
	for i := range records {
		r := &records[i]
		kind, id := r.name()
		flags := rowFlags(kind, r.Disposition, r.Reason)
		if r.At != at {
			flags |= flagAgain
		}
		b = rooms.append(append(b, flags), string(r.Room))
		if r.Reason != "" {
			b = reasons.append(b, r.Reason)
		}
		b = appendID(b, kind, id)
		if r.At != at {
			b = binary.AppendVarint(b, int64(at-r.At))
		}
	}
	return b
}

var errRecords = errors.New("the records of seen events cannot be read")

// DecodeRecords reads what AppendRecords wrote for the same time, and returns what is behind it.
func (ix *Index) DecodeRecords(b []byte, at uint64) (records []Record, rest []byte, err error) {
	d := decoder{rest: b}
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		return nil, nil, errRecords
	}
	var rooms, reasons texts
	records = make([]Record, 0, n)
	for range n {
		flags := d.byte()
		r := Record{At: at, Disposition: Disposition(flags >> 2 & 7)}
		r.Room = protocol.RoomID(rooms.read(&d))
		if flags&flagReason != 0 {
			r.Reason = reasons.read(&d)
		}
		r.Event = unpackFrom(&d, idKind(flags&3))
		if flags&flagAgain != 0 {
			r.At -= uint64(d.varint())
		}
		if flags&0x80 != 0 || d.failed {
			return nil, nil, errRecords
		}
		r.Key = ix.hasher.key(r.Room, r.Event)
		records = append(records, r)
	}
	if d.failed {
		return nil, nil, errRecords
	}
	return records, d.rest, nil
}

func unpackFrom(d *decoder, kind idKind) protocol.EventID {
	if id := d.name(kind); !d.failed {
		return unpack(kind, id)
	}
	return ""
}

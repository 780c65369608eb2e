package seen

import (
	"encoding/binary"
	"hash/crc32"
)

// dictionary numbers texts in the order in which they first come.
type dictionary struct {
	places map[string]uint64
	last   string
	at     uint64
}

// append appends the number of the text, and the text where it is new.
func (d *dictionary) append(b []byte, text string) []byte {
	if text == d.last && len(d.places) > 0 {
		return binary.AppendUvarint(b, d.at)
	}
	at, known := d.places[text]
	if !known {
		if d.places == nil {
			d.places = map[string]uint64{}
		}
		at = uint64(len(d.places))
		d.places[text] = at
	}
	d.last, d.at = text, at
	b = binary.AppendUvarint(b, at)
	if !known {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}

// texts is a dictionary that is read.
type texts []string

func (t *texts) read(d *decoder) string {
	n := d.uvarint()
	if n == uint64(len(*t)) {
		*t = append(*t, string(d.bytes()))
	}
	if n >= uint64(len(*t)) {
		d.failed = true
		return ""
	}
	return (*t)[n]
}

// decoder reads from bytes that may be anything. After a fault it reads zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) fail() { d.rest, d.failed = nil, true }

func (d *decoder) uvarint() uint64 {
	n, used := binary.Uvarint(d.rest)
	if used <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[used:]
	return n
}

func (d *decoder) varint() int64 {
	n, used := binary.Varint(d.rest)
	if used <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[used:]
	return n
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumSize is how many bytes a checksum takes.
const sumSize = 4

// seal appends the checksum of b, which stands at a place.
func seal(place, b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Update(crc32.Checksum(place, castagnoli), castagnoli, b))
}

// unseal returns what seal was given.
func unseal(place, b []byte) (body []byte, ok bool) {
	n := len(b) - sumSize
	if n < 0 {
		return nil, false
	}
	body = b[:n:n]
	return body, binary.BigEndian.Uint32(b[n:]) == crc32.Update(crc32.Checksum(place, castagnoli), castagnoli, body)
}

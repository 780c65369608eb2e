package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"moot/store/disk"
	"moot/store/seen"
)

// Change is what one commit did. Changes are numbered from 1, without gaps, and applied in this
// order they make the same store anywhere.
type Change struct {
	Number uint64
	// Body is what was written. It has a version and a checksum of its own.
	Body []byte
}

// The body of a change. Texts and lists begin with their length as uvarint, and times are eight
// bytes.
//
//	body      version (1 byte) | time | horizon | buckets | attachments | records | CRC-32C (4 bytes)
//	bucket    name | rows, in the order of their keys
//	row       key | length of the value + 1, or 0 where the key is deleted (uvarint) | value
//	attached  name | bytes
//	records   see seen.AppendRecords
//
// Horizon is the time before which no event is remembered; 0 where the commit did not move it. The
// checksum covers the number of the change and what is before it.
const changeVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// content is what a change says.
type content struct {
	at       time.Time
	horizon  uint64
	rows     rows
	attached []attachment
	records  []seen.Record

	firstTimer string // what the commit found: before it no timer was; it is not part of the change
}

type attachment struct {
	name string
	data []byte
}

func checksum(number uint64, body []byte) uint32 {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], number)
	return crc32.Update(crc32.Checksum(n[:], castagnoli), castagnoli, body)
}

// encode appends the body of the numbered change to b.
func (c *content) encode(b []byte, number uint64) []byte {
	start := len(b)
	b = append(b, changeVersion)
	b = binary.BigEndian.AppendUint64(b, nanoseconds(c.at))
	b = binary.BigEndian.AppendUint64(b, c.horizon)
	b = binary.AppendUvarint(b, uint64(len(c.rows)))
	for _, name := range c.rows.names() {
		keys := c.rows[name]
		b = appendText(b, name)
		b = binary.AppendUvarint(b, uint64(keys.Len()))
		keys.Scan(func(k string, v []byte) bool {
			b = appendText(b, k)
			if v == nil {
				b = append(b, 0)
				return true
			}
			b = binary.AppendUvarint(b, uint64(len(v))+1)
			b = append(b, v...)
			return true
		})
	}
	b = binary.AppendUvarint(b, uint64(len(c.attached)))
	for _, a := range c.attached {
		b = appendText(b, a.name)
		b = binary.AppendUvarint(b, uint64(len(a.data)))
		b = append(b, a.data...)
	}
	b = seen.AppendRecords(b, nanoseconds(c.at), c.records)
	return binary.BigEndian.AppendUint32(b, checksum(number, b[start:]))
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// opened checks the version and the checksum of a change and returns its body without them.
func (ch Change) opened() ([]byte, error) {
	end := len(ch.Body) - 4
	switch {
	case end < 1+8+8:
		return nil, fmt.Errorf("%w: change %d has %d bytes", disk.ErrDamaged, ch.Number, len(ch.Body))
	case binary.BigEndian.Uint32(ch.Body[end:]) != checksum(ch.Number, ch.Body[:end]):
		return nil, fmt.Errorf("%w: the checksum of change %d is wrong", disk.ErrDamaged, ch.Number)
	case ch.Body[0] != changeVersion:
		return nil, fmt.Errorf("%w: change %d has version %d, this version knows %d",
			disk.ErrNewer, ch.Number, ch.Body[0], changeVersion)
	}
	return ch.Body[1:end], nil
}

// Time returns the time of the commit; zero where the change cannot be read.
func (ch Change) Time() time.Time {
	b, err := ch.opened()
	if err != nil {
		return time.Time{}
	}
	return ParseTime(string(b[:8]))
}

// Attached returns what was attached to the commit under the name, nil if nothing was.
func (ch Change) Attached(name string) ([]byte, error) {
	d, err := ch.decode()
	if err != nil {
		return nil, err
	}
	for _, a := range d.attached {
		if a.name == name {
			return a.data, nil
		}
	}
	return nil, nil
}

// decode reads a change but for its records, which stay in rest. What it returns shares no memory
// with the change.
func (ch Change) decode() (d decoded, err error) {
	b, err := ch.opened()
	if err != nil {
		return d, err
	}
	r := bodyReader{rest: string(b)}
	at := r.take(8)
	d.at, d.horizon = ParseTime(at), ParseNumber(r.take(8))
	r.failed = r.failed || Time(d.at) != at // no commit is from before 1970
	d.rows = rows{}
	for range r.count() {
		name := r.text()
		for range r.count() {
			key := r.text()
			switch n := r.uvarint(); n {
			case 0:
				d.rows.put(name, key, nil)
			default:
				d.rows.put(name, key, []byte(r.take(n-1)))
			}
		}
	}
	for range r.count() {
		d.attached = append(d.attached, attachment{r.text(), []byte(r.text())})
	}
	if r.failed {
		return d, fmt.Errorf("%w: change %d cannot be read", disk.ErrDamaged, ch.Number)
	}
	d.rest = b[len(b)-len(r.rest):]
	return d, nil
}

// decoded is a change of which the records are yet to be read.
type decoded struct {
	content
	rest []byte
}

// readRecords reads the records with the index that is to know them.
func (d *decoded) readRecords(ix *seen.Index, number uint64) error {
	records, rest, err := ix.DecodeRecords(d.rest, nanoseconds(d.at))
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes are behind them", len(rest))
	}
	if err != nil {
		return fmt.Errorf("%w: records of change %d: %w", disk.ErrDamaged, number, err)
	}
	d.records = records
	return nil
}

// bodyReader reads from bytes that may be anything. After a fault it reads zeros.
type bodyReader struct {
	rest   string
	failed bool
}

func (r *bodyReader) take(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.rest, r.failed = "", true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *bodyReader) uvarint() (n uint64) {
	for shift := uint(0); shift < 64; shift += 7 {
		b := r.take(1)
		if r.failed {
			return 0
		}
		if n |= uint64(b[0]&0x7f) << shift; b[0] < 0x80 {
			return n
		}
	}
	r.failed = true
	return 0
}

func (r *bodyReader) text() string { return r.take(r.uvarint()) }

// count is a uvarint that counts what follows, at least a byte for each.
func (r *bodyReader) count() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.rest, r.failed = "", true
		return 0
	}
	return n
}

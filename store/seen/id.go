package seen

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"moot/protocol"
)

// idKind is how an event id is packed. The numbers are in the file.
type idKind uint8

const (
	idText    idKind = 0 // as it is
	idHash    idKind = 1 // "$" and 43 characters of base64 (Matrix, room versions 4 and later): 32 bytes
	idNumber  idKind = 2 // a decimal number (a snowflake): 8 bytes
	idNumbers idKind = 3 // two of them, joined by "-" (Discord: channel and message): 16 bytes
)

const idSize = 32

// packed is an event id in its packed form. A text that does not fit stays outside: its size is
// longID.
type packed struct {
	bytes [idSize]byte
	kind  idKind
	size  uint8 // of bytes
}

const longID = 255

// idEncoding is strict, so that each id has one packed form at most.
var idEncoding = base64.RawURLEncoding.Strict()

// pack packs an id. Whatever does not come back the same is a text.
func pack(id protocol.EventID) (p packed) {
	s := string(id)
	switch {
	case len(s) == 44 && s[0] == '$':
		var space [idSize + 1]byte
		if n, err := idEncoding.Decode(space[:], []byte(s[1:])); err == nil && n == idSize {
			return packed{[idSize]byte(space[:idSize]), idHash, idSize}
		}
	case len(s) > 0 && s[0] >= '0' && s[0] <= '9':
		first, second, two := strings.Cut(s, "-")
		a, ok := number(first)
		if !ok {
			break
		}
		p.kind, p.size = idNumber, 8
		binary.BigEndian.PutUint64(p.bytes[:], a)
		if !two {
			return p
		}
		if b, ok := number(second); ok {
			p.kind, p.size = idNumbers, 16
			binary.BigEndian.PutUint64(p.bytes[8:], b)
			return p
		}
		p = packed{}
	}
	if len(s) > idSize {
		p.size = longID
		return p
	}
	p.size = uint8(copy(p.bytes[:], s))
	return p
}

// number reads a decimal number as it is usually written.
func number(s string) (n uint64, ok bool) {
	if len(s) == 0 || len(s) > 20 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// unpack returns the id of packed bytes.
func unpack(kind idKind, b []byte) protocol.EventID {
	switch kind {
	case idHash:
		var s [44]byte
		s[0] = '$'
		idEncoding.Encode(s[1:], b)
		return protocol.EventID(s[:])
	case idNumber, idNumbers:
		s := strconv.AppendUint(make([]byte, 0, 41), binary.BigEndian.Uint64(b), 10)
		if kind == idNumbers {
			s = strconv.AppendUint(append(s, '-'), binary.BigEndian.Uint64(b[8:]), 10)
		}
		return protocol.EventID(s)
	}
	return protocol.EventID(b)
}

// compareIDs is the order of events of one time: any, but always the same.
func compareIDs(a idKind, x []byte, b idKind, y []byte) int {
	if a != b {
		return cmp.Compare(a, b)
	}
	return bytes.Compare(x, y)
}

// appendID appends a packed id to b.
func appendID(b []byte, kind idKind, id []byte) []byte {
	if kind == idText {
		b = binary.AppendUvarint(b, uint64(len(id)))
	}
	return append(b, id...)
}

// name reads what appendID wrote.
func (d *decoder) name(kind idKind) []byte {
	switch kind {
	case idHash:
		return d.take(idSize)
	case idNumber:
		return d.take(8)
	case idNumbers:
		return d.take(16)
	}
	return d.bytes()
}

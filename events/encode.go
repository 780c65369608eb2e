package events

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"moot/protocol"
)

// encoding is the version of the form in which facts are written; doc.go draws it.
const encoding = 1

func encodeFact(f Fact) ([]byte, error) {
	at := f.Time.UnixNano()
	if !time.Unix(0, at).Equal(f.Time) {
		return nil, fmt.Errorf("the time %v is out of range", f.Time)
	}
	head := make([]byte, 0, 128)
	head = binary.BigEndian.AppendUint64(head, uint64(at))
	head = appendText(head, f.Kind)
	head = binary.AppendUvarint(head, uint64(f.Version))
	head = appendText(head, string(f.Cause.Room))
	head = appendText(head, string(f.Cause.Event))
	if string(f.Scope) == string(f.Cause.Room) {
		head = append(head, 0)
	} else {
		head = append(binary.AppendUvarint(head, uint64(len(f.Scope))+1), f.Scope...)
	}
	head = binary.AppendUvarint(head, uint64(len(f.People)))
	for _, role := range sortedKeys(f.People) {
		head = binary.AppendUvarint(appendText(head, role), uint64(f.People[role]))
	}
	head = binary.AppendUvarint(head, uint64(len(f.Keys)))
	for _, key := range sortedKeys(f.Keys) {
		head = appendText(appendText(head, key), f.Keys[key])
	}
	b := make([]byte, 0, 1+binary.MaxVarintLen32+len(head)+len(f.Payload))
	b = binary.AppendUvarint(append(b, encoding), uint64(len(head)))
	return append(append(b, head...), f.Payload...), nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errCut = errors.New("it is cut off or garbled")

// decodeFact reads what encodeFact wrote. With an error it returns nothing but the number.
func decodeFact(seq uint64, data []byte) (Fact, error) {
	f, err := decode(data)
	if err != nil {
		return Fact{Seq: seq}, fmt.Errorf("fact %d: %w: %w", seq, ErrFact, err)
	}
	f.Seq = seq
	return f, nil
}

func decode(data []byte) (f Fact, err error) {
	if len(data) == 0 || data[0] != encoding {
		return f, fmt.Errorf("it begins with %.1x, where version %d is known", data, encoding)
	}
	size, used := binary.Uvarint(data[1:])
	if used <= 0 || size > uint64(len(data)-1-used) || size < 8 {
		return f, errCut
	}
	head, payload := data[1+used:][:size], data[1+used:][size:]
	f.Time = time.Unix(0, int64(binary.BigEndian.Uint64(head))).UTC()
	r := headReader{rest: string(head[8:])} // one copy, of which all strings of the fact are parts
	f.Kind = r.text()
	f.Version = int(r.number(math.MaxInt32))
	f.Cause = protocol.Ref{Room: protocol.RoomID(r.text()), Event: protocol.EventID(r.text())}
	if n := r.number(math.MaxInt32); n == 0 {
		f.Scope = protocol.Scope(f.Cause.Room)
	} else {
		f.Scope = protocol.Scope(r.next(n - 1))
	}
	if n := r.number(MaxKeys); n > 0 {
		f.People = make(map[string]Number, n)
		for range n {
			role := r.text()
			f.People[role] = Number(r.number(math.MaxUint64))
		}
	}
	if n := r.number(MaxKeys); n > 0 {
		f.Keys = make(map[string]string, n)
		for range n {
			key := r.text()
			f.Keys[key] = r.text()
		}
	}
	if r.cut || r.rest != "" || f.Kind == "" {
		return Fact{}, errCut
	}
	if len(payload) > 0 {
		f.Payload = bytes.Clone(payload)
	}
	return f, nil
}

// headReader reads the head of a fact from its beginning. Once something is missing all that it
// reads is empty.
type headReader struct {
	rest string
	cut  bool
}

// next reads n bytes.
func (r *headReader) next(n uint64) (s string) {
	if n > uint64(len(r.rest)) {
		r.cut, r.rest = true, ""
		return ""
	}
	s, r.rest = r.rest[:n], r.rest[n:]
	return s
}

// number reads a number of at most so much.
func (r *headReader) number(most uint64) (n uint64) {
	for shift := 0; ; shift += 7 {
		b := r.next(1)
		if r.cut || shift == 63 && b[0] > 1 {
			r.cut = true
			return 0
		}
		n |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			break
		}
	}
	if n > most {
		r.cut = true
		return 0
	}
	return n
}

func (r *headReader) text() string { return r.next(r.number(math.MaxInt32)) }

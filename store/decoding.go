package store

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"moot/protocol"
)

// What appendQueued and appendDelivery have written is also read by hand, field by field in their order: where thousands of entries
// wait, decoding by encoding/json was a quarter of the loop's time. What stands there otherwise, such as a text that had to be
// escaped, is left to encoding/json.

// readQueued reads a queued entry, and reports whether it could.
func readQueued(value []byte) (q Queued, ok bool) {
	r := reading{rest: value, ok: true}
	q.Key = protocol.Key(r.field(`{"Key":`))
	q.Lane = r.field(`,"Lane":`)
	q.Message = protocol.Key(r.optional(`,"Message":`))
	q.Edit = r.skip(`,"Edit":true`)
	q.Expires = r.time(`,"Expires":`)
	q.Cause = r.ref(`,"Cause":`)
	r.must(`,"Payload":`)
	q.Payload = bytes.Clone(r.object())
	q.Number = r.number(`,"Number":`)
	q.Created = r.time(`,"Created":`)
	if r.skip(`,"Attempts":`) {
		q.Attempts = int(r.digits())
	}
	q.First = r.time(`,"First":`)
	q.Due = r.time(`,"Due":`)
	q.Fault = r.optional(`,"Fault":`)
	q.Doubt = r.time(`,"Doubt":`)
	return q, r.ends()
}

// readDelivery reads a delivery, and reports whether it could.
func readDelivery(value []byte) (d Delivery, ok bool) {
	r := reading{rest: value, ok: true}
	d.State = State(r.field(`{"State":`))
	d.Lane = r.field(`,"Lane":`)
	d.Number = r.number(`,"Number":`)
	d.Ref = r.ref(`,"Ref":`)
	d.Reason = r.optional(`,"Reason":`)
	d.Cause = r.ref(`,"Cause":`)
	d.Time = r.time(`,"Time":`)
	if r.skip(`,"Attempts":`) {
		d.Attempts = int(r.digits())
	}
	return d, r.ends()
}

// reading is how far a value is read, and whether it is as it should be so far.
type reading struct {
	rest []byte
	ok   bool
}

// skip steps over what is next, where it is that.
func (r *reading) skip(name string) bool {
	if !r.ok || len(r.rest) < len(name) || string(r.rest[:len(name)]) != name {
		return false
	}
	r.rest = r.rest[len(name):]
	return true
}

// must steps over what has to be next.
func (r *reading) must(name string) { r.ok = r.skip(name) }

// ends reports whether all of the value was read, and was as it should be.
func (r *reading) ends() bool {
	r.must("}")
	return r.ok && len(r.rest) == 0
}

func (r *reading) field(name string) string {
	r.must(name)
	return string(r.text())
}

func (r *reading) optional(name string) string {
	if !r.skip(name) {
		return ""
	}
	return string(r.text())
}

// text reads a text of which nothing is escaped.
func (r *reading) text() []byte {
	r.must(`"`)
	if !r.ok {
		return nil
	}
	for i, c := range r.rest {
		switch {
		case c == '"':
			text := r.rest[:i]
			r.rest = r.rest[i+1:]
			return text
		case c < ' ' || c > '~' || c == '\\':
			r.ok = false
			return nil
		}
	}
	r.ok = false
	return nil
}

func (r *reading) number(name string) uint64 {
	r.must(name)
	return r.digits()
}

func (r *reading) digits() uint64 {
	i := 0
	for i < len(r.rest) && '0' <= r.rest[i] && r.rest[i] <= '9' {
		i++
	}
	n, err := strconv.ParseUint(string(r.rest[:i]), 10, 63) // which is also an int
	if err != nil || r.rest[0] == '0' && i > 1 {
		r.ok = false
		return 0
	}
	r.rest = r.rest[i:]
	return n
}

// time reads a time where one is next. One that has to be there and is not is zero, which encoding/json writes too.
func (r *reading) time(name string) (t time.Time) {
	if r.skip(name) {
		r.ok = t.UnmarshalText(r.text()) == nil && r.ok
	}
	return t
}

func (r *reading) ref(name string) (ref protocol.Ref) {
	if !r.skip(name) {
		return ref
	}
	ref.Room = protocol.RoomID(r.field(`{"Room":`))
	ref.Event = protocol.EventID(r.field(`,"Event":`))
	ref.More = r.optional(`,"More":`)
	r.must("}")
	return ref
}

// object returns the object that is next, up to the brace that ends it. Whether what is in it is JSON shows when it is read.
func (r *reading) object() []byte {
	depth, quoted := 0, false
	for i := 0; i < len(r.rest); i++ {
		switch c := r.rest[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 {
			if r.rest[i] != '}' {
				break
			}
			object := r.rest[:i+1]
			r.rest = r.rest[i+1:]
			return object
		}
	}
	r.ok = false
	return nil
}

func decodeQueued(value []byte) (q Queued, ok bool) {
	if q, ok = readQueued(value); ok {
		return q, true
	}
	q = Queued{}
	return q, json.Unmarshal(value, &q) == nil
}

func decodeDelivery(value []byte) (d Delivery) {
	if d, ok := readDelivery(value); ok {
		return d
	}
	_ = json.Unmarshal(value, &d) // what the store wrote it can read
	return d
}

package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"moot/protocol"
)

// What waits in the outbox, and what is kept of it, is JSON, and stays so: it is read by versions before and after this one, and
// by people. It is also what a commit writes and reads most of, so it is written here by hand, byte for byte as encoding/json
// writes it (encoding_test.go compares them), and what a commit has written lately it need not read again.

// appendQueued appends a queued entry as encoding/json does. The payload is as encoding/json writes it; see Enqueue.
func appendQueued(b []byte, q *Queued) []byte {
	b = appendField(b, `{"Key":`, string(q.Key))
	b = appendField(b, `,"Lane":`, q.Lane)
	if q.Message != "" {
		b = appendField(b, `,"Message":`, string(q.Message))
	}
	if q.Edit {
		b = append(b, `,"Edit":true`...)
	}
	b = appendTime(b, `,"Expires":`, q.Expires)
	b = appendRef(b, `,"Cause":`, q.Cause)
	b = append(b, `,"Payload":`...)
	b = append(b, q.Payload...)
	b = append(b, `,"Number":`...)
	b = strconv.AppendUint(b, q.Number, 10)
	b = append(b, `,"Created":`...)
	b = appendMoment(b, q.Created)
	if q.Attempts != 0 {
		b = append(b, `,"Attempts":`...)
		b = strconv.AppendInt(b, int64(q.Attempts), 10)
	}
	b = appendTime(b, `,"First":`, q.First)
	b = appendTime(b, `,"Due":`, q.Due)
	if q.Fault != "" {
		b = appendField(b, `,"Fault":`, q.Fault)
	}
	b = appendTime(b, `,"Doubt":`, q.Doubt)
	return append(b, '}')
}

// appendDelivery appends a delivery as encoding/json does.
func appendDelivery(b []byte, d *Delivery) []byte {
	b = appendField(b, `{"State":`, string(d.State))
	b = appendField(b, `,"Lane":`, d.Lane)
	b = append(b, `,"Number":`...)
	b = strconv.AppendUint(b, d.Number, 10)
	b = appendRef(b, `,"Ref":`, d.Ref)
	if d.Reason != "" {
		b = appendField(b, `,"Reason":`, d.Reason)
	}
	b = appendRef(b, `,"Cause":`, d.Cause)
	b = append(b, `,"Time":`...)
	b = appendMoment(b, d.Time)
	if d.Attempts != 0 {
		b = append(b, `,"Attempts":`...)
		b = strconv.AppendInt(b, int64(d.Attempts), 10)
	}
	return append(b, '}')
}

func appendRef(b []byte, name string, r protocol.Ref) []byte {
	if r == (protocol.Ref{}) {
		return b
	}
	b = append(b, name...)
	b = appendField(b, `{"Room":`, string(r.Room))
	b = appendField(b, `,"Event":`, string(r.Event))
	if r.More != "" {
		b = appendField(b, `,"More":`, r.More)
	}
	return append(b, '}')
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(value) // a text can always be written
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, value...)
	return append(b, '"')
}

func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendMoment(append(b, name...), t)
}

func appendMoment(b []byte, t time.Time) []byte {
	b, err := t.AppendText(append(b, '"'))
	if err != nil {
		panic(fmt.Sprintf("encode a time: %v", err)) // those of this package lie within the years that JSON reaches
	}
	return append(b, '"')
}

const (
	// maxWritten is how many rows a half of written has at most, of how many bytes each, and in all.
	maxWritten     = 1024
	maxWrittenRow  = 64 << 10
	maxWrittenSize = 4 << 20
)

// written remembers what the last commits have written to a bucket, by its key, with the bytes that were written: where these stand
// in the bucket, it is what they mean. So it cannot be wrong, whatever became of the commit. It has two halves, and forgets the
// older one when the younger is full. It belongs to the commits.
type written[T any] struct {
	young, old map[string]writtenRow[T]
	size       int // of the values of young
}

type writtenRow[T any] struct {
	value []byte
	it    T
}

func (w *written[T]) get(key string, value []byte) (it T, ok bool) {
	r, ok := w.young[key]
	if !ok {
		r = w.old[key]
	}
	return r.it, len(value) > 0 && bytes.Equal(r.value, value)
}

func (w *written[T]) put(key string, value []byte, it T) {
	// What JSON cannot write stands there as something else.
	if len(value) > maxWrittenRow || bytes.Contains(value, []byte(`\ufffd`)) {
		return
	}
	if w.young == nil || len(w.young) >= maxWritten || w.size > maxWrittenSize {
		w.young, w.old, w.size = map[string]writtenRow[T]{}, w.young, 0
	}
	w.young[key] = writtenRow[T]{value, it}
	w.size += len(value)
}

func (w *written[T]) drop(key string) {
	delete(w.young, key)
	delete(w.old, key)
}

// lately is what the last commits have written to the outbox.
type lately struct {
	queued     written[Queued]
	deliveries written[Delivery]
	scratch    []byte // for what is written next
}

// queuedAt returns what waits at a place of the outbox; nil remembers nothing.
func (l *lately) queuedAt(key string, value []byte) (q Queued, ok bool) {
	if l != nil {
		if q, ok = l.queued.get(key, value); ok {
			return q, true
		}
	}
	if value == nil {
		return q, false
	}
	return decodeQueued(value)
}

// deliveryAt returns what is kept of a key; nil remembers nothing.
func (l *lately) deliveryAt(key string, value []byte) (d Delivery) {
	if value == nil {
		return d
	}
	if l != nil {
		if d, ok := l.deliveries.get(key, value); ok {
			return d
		}
	}
	return decodeDelivery(value)
}

// plainTime is a time as it is read from JSON.
func plainTime(t time.Time) time.Time { return t.Round(0).UTC() }

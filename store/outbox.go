package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"time"
	"unicode/utf8"

	"moot/protocol"
)

var (
	outbox     = SharedBucket("outbox")
	sent       = SharedBucket("sent")
	sentByTime = SharedBucket("sent-by-time")
)

// Entry is something to be sent. It is enqueued once and never changes; what changes is in Queued.
type Entry struct {
	Key protocol.Key
	// Lane is within what order is kept: the next entry of a lane waits for the end of the one before it.
	Lane string
	// Message is the key of the message that the entry belongs to, and Edit is whether it edits that message: then a
	// newer edit of it makes this one superseded.
	Message protocol.Key `json:",omitempty"`
	Edit    bool         `json:",omitempty"`
	Expires time.Time    `json:",omitzero"` // zero means never
	Cause   protocol.Ref `json:",omitzero"`
	Payload json.RawMessage
}

// Queued is an entry that waits in its lane, or is being sent.
type Queued struct {
	Entry
	Number   uint64
	Created  time.Time
	Attempts int       `json:",omitempty"` // those begun
	First    time.Time `json:",omitzero"`  // when the first attempt began
	Due      time.Time `json:",omitzero"`  // not before
	Fault    string    `json:",omitempty"` // of the last attempt
}

// State is what became of an entry.
type State string

// The states. Queued is the only one that is not an end.
const (
	StateQueued     State = "queued"
	StateSent       State = "sent"
	StateFailed     State = "failed"
	StateExpired    State = "expired"
	StateSuperseded State = "superseded" // by a newer edit of the same message
	StateAmbiguous  State = "ambiguous"  // it cannot be known whether it was sent
	StateEnded      State = "ended"      // the bot left the room
)

// Sent is what is kept of an entry for as long as events are: where it stands, or why it does not.
type Sent struct {
	Key      protocol.Key `json:"-"`
	State    State
	Lane     string
	Number   uint64
	Ref      protocol.Ref `json:",omitzero"` // where it stands in the network
	Reason   string       `json:",omitempty"`
	Cause    protocol.Ref `json:",omitzero"`
	Time     time.Time    // of the last change
	Attempts int          `json:",omitempty"`
}

// Enqueue puts an entry at the end of its lane, once: an entry whose key was ever enqueued before is dropped.
func (tx *Tx) Enqueue(e Entry) {
	switch {
	case !tx.writable():
	case e.Key == "" || e.Lane == "" || len(e.Key)+len(e.Lane) > maxKey-64, !utf8.ValidString(e.Lane):
		tx.fail(fmt.Errorf("%w: outbox entry %q in lane %.80q", ErrKey, e.Key, e.Lane))
	case json.Valid(e.Payload):
		if e.Expires = e.Expires.UTC(); e.Expires.Year() > 9999 {
			e.Expires = time.Time{} // JSON does not reach further
		}
		e.Payload = bytes.Clone(e.Payload)
		tx.sends = append(tx.sends, e)
	default:
		tx.fail(fmt.Errorf("outbox entry %q: the payload is not JSON", e.Key))
	}
}

func (c *Commit) enqueue(entries []Entry) {
	for _, e := range entries {
		if c.layer.get(sent.name, string(e.Key)) != nil {
			continue
		}
		q := Queued{Entry: e, Number: c.next("outbox"), Created: c.now}
		c.put(outbox, Key(q.Lane, Number(q.Number)), q)
		c.putSent(e.Key, Sent{State: StateQueued, Lane: q.Lane, Number: q.Number, Cause: e.Cause})
		c.queued = append(c.queued, q)
	}
}

// TakeQueued returns the entries that were enqueued in this commit since the last call.
func (c *Commit) TakeQueued() []Queued {
	q := c.queued
	c.queued = nil
	return q
}

// Queue goes through what waits in a lane, or in all where it is empty, from the given number on.
func (tx *Tx) Queue(lane string, from uint64) iter.Seq[Queued] {
	walk := tx.Range(outbox, "", "")
	if lane != "" {
		walk = tx.Range(outbox, Key(lane, Number(from)), After(lane+Sep))
	}
	return func(yield func(Queued) bool) {
		for k, v := range walk {
			if lane != "" && len(k) != len(lane)+len(Sep)+8 || ParseNumber(k) < from {
				continue
			}
			var q Queued
			if json.Unmarshal(v, &q) == nil && !yield(q) {
				return
			}
		}
	}
}

// Sent returns what is known of a key; the State is empty where nothing is.
func (tx *Tx) Sent(key protocol.Key) Sent {
	var s Sent
	if v := tx.Get(sent, string(key)); v != nil {
		_ = json.Unmarshal(v, &s) // what the store wrote it can read
	}
	s.Key = key
	return s
}

// RecentlySent goes through all that was ever enqueued and is still remembered, the last change first.
func (tx *Tx) RecentlySent() iter.Seq[Sent] {
	return func(yield func(Sent) bool) {
		for k := range tx.Backward(sentByTime, "", "") {
			if !yield(tx.Sent(protocol.Key(behindTime(k)))) {
				return
			}
		}
	}
}

// Begin notes that an attempt to send the entry begins, and returns it so changed.
func (c *Commit) Begin(q Queued) Queued {
	if q.Attempts++; q.Attempts == 1 {
		q.First = c.now
	}
	q.Due = time.Time{}
	c.put(outbox, Key(q.Lane, Number(q.Number)), q)
	return q
}

// Postpone notes that the attempt failed and that there is to be another one at the given time.
func (c *Commit) Postpone(q Queued, due time.Time, fault string) Queued {
	q.Due, q.Fault = due, protocol.Shorten(protocol.OneLine(fault), 300)
	c.put(outbox, Key(q.Lane, Number(q.Number)), q)
	return q
}

// Finish takes the entry out of its lane and notes what became of it.
func (c *Commit) Finish(q Queued, state State, ref protocol.Ref, reason string) {
	c.layer.put(outbox.name, Key(q.Lane, Number(q.Number)), nil)
	c.putSent(q.Key, Sent{
		State: state, Lane: q.Lane, Number: q.Number, Ref: ref, Cause: q.Cause, Attempts: q.Attempts,
		Reason: protocol.Shorten(protocol.OneLine(reason), 300),
	})
}

// Settle notes that an entry which was thought to have ended otherwise was sent after all, since the network shows it.
// One that waits, or was never enqueued, stays as it is.
func (c *Commit) Settle(key protocol.Key, ref protocol.Ref) {
	if s := c.Read().Sent(key); s.State != "" && s.State != StateQueued && s.State != StateSent {
		s.State, s.Ref, s.Reason = StateSent, ref, ""
		c.putSent(key, s)
	}
}

// Queued returns the entry of that key while it waits or is being sent.
func (c *Commit) Queued(key protocol.Key) (q Queued, ok bool) {
	s := c.Read().Sent(key)
	if s.State != StateQueued {
		return q, false
	}
	v := c.layer.get(outbox.name, Key(s.Lane, Number(s.Number)))
	return q, v != nil && json.Unmarshal(v, &q) == nil
}

func (c *Commit) putSent(key protocol.Key, s Sent) {
	if was := c.Read().Sent(key); was.State != "" {
		c.layer.put(sentByTime.name, Key(Time(was.Time), string(key)), nil)
	}
	s.Time = c.now
	c.put(sent, string(key), s)
	c.layer.put(sentByTime.name, Key(Time(c.now), string(key)), []byte{})
}

// SweepSent forgets entries that ended before the given time. It looks at limit of them, and of those that still wait.
// It starts at the place where the call before stopped (zero means at the beginning) and returns where to go on, zero
// when it is through.
func (c *Commit) SweepSent(before time.Time, from string, limit int) (next string, swept int) {
	looked := 0
	for k := range c.Read().Range(sentByTime, from, Time(before)) {
		if looked++; looked > limit {
			return k, swept
		}
		key := protocol.Key(behindTime(k))
		if c.Read().Sent(key).State == StateQueued {
			continue
		}
		c.layer.put(sent.name, string(key), nil)
		c.layer.put(sentByTime.name, k, nil)
		swept++
	}
	return "", swept
}

func (c *Commit) put(b Bucket, key string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		// Only types of this package come here, and their payload was checked when it was enqueued.
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	c.layer.put(b.name, key, data)
}

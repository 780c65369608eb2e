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

// Enqueue puts an entry at the end of its lane, once: an entry whose key was ever enqueued before
// is dropped.
func (tx *Tx) Enqueue(e Entry) {
	switch {
	case !tx.writable():
	case e.Key == "" || e.Lane == "" || len(e.Key)+len(e.Lane) > maxKey-64, !utf8.ValidString(e.Lane):
		tx.fail(fmt.Errorf("%w: outbox entry %q in lane %.80q", ErrKey, e.Key, e.Lane))
	default:
		if e.Expires = plainTime(e.Expires); e.Expires.Year() > 9999 {
			e.Expires = time.Time{} // JSON does not reach further
		}
		if e.Form == nil {
			payload, err := json.Marshal(e.Payload)
			if err != nil || len(e.Payload) == 0 {
				tx.fail(fmt.Errorf("outbox entry %q: the payload is not JSON", e.Key))
				return
			}
			e.Payload = payload
		}
		tx.sends = append(tx.sends, e)
	}
}

func (c *Commit) enqueue(entries []Entry) {
	for _, e := range entries {
		if c.layer.get(sent.name, string(e.Key)) != nil {
			continue
		}
		q := Queued{Entry: e, Number: c.next("outbox"), Created: c.now, Doubt: c.doubt}
		q = c.putQueued(q)
		c.putDelivery(e.Key, Delivery{State: StateQueued, Lane: q.Lane, Number: q.Number, Cause: e.Cause})
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
			if q, ok := tx.lately.queuedAt(k, v); ok && !yield(q) {
				return
			}
		}
	}
}

// Delivery returns what is known of a key; the State is empty where nothing is.
func (tx *Tx) Delivery(key protocol.Key) Delivery {
	s := tx.lately.deliveryAt(string(key), tx.Get(sent, string(key)))
	s.Key = key
	return s
}

// RecentDeliveries goes through all that was ever enqueued and is still remembered, the last change
// first.
func (tx *Tx) RecentDeliveries() iter.Seq[Delivery] {
	return func(yield func(Delivery) bool) {
		for k := range tx.Backward(sentByTime, "", "") {
			if !yield(tx.Delivery(protocol.Key(behindTime(k)))) {
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
	return c.putQueued(q)
}

// Postpone notes that the attempt failed and that there is to be another one at the given time.
func (c *Commit) Postpone(q Queued, due time.Time, fault string) Queued {
	q.Due, q.Fault = due, protocol.Shorten(protocol.OneLine(fault), 300)
	return c.putQueued(q)
}

// Finish takes the entry out of its lane and notes what became of it.
func (c *Commit) Finish(q Queued, state State, ref protocol.Ref, reason string) {
	key := Key(q.Lane, Number(q.Number))
	c.layer.put(outbox.name, key, nil)
	c.lately.queued.drop(key)
	c.putDelivery(q.Key, Delivery{
		State: state, Lane: q.Lane, Number: q.Number, Ref: ref, Cause: q.Cause, Attempts: q.Attempts,
		Reason: protocol.Shorten(protocol.OneLine(reason), 300),
	})
}

// Doubt says since when what is enqueued from here on may stand in the network already; zero means
// that it does not.
func (c *Commit) Doubt(since time.Time) { c.doubt = since }

// DoubtQueued has everything that waits count as what may stand in the network since it was
// enqueued, and returns how much that is.
func (c *Commit) DoubtQueued() (n int) {
	for q := range c.Read().Queue("", 0) {
		q.Doubt = q.Created
		c.putQueued(q)
		n++
	}
	return n
}

// Echoed notes that an entry which was thought to have ended otherwise was sent after all, since
// the network shows it, or that one was sent that was never enqueued here: keys derive from their
// cause, so it is of a future that is lost, and is not sent once more. One that waits stays as it is.
func (c *Commit) Echoed(key protocol.Key, ref protocol.Ref) {
	if s := c.Read().Delivery(key); s.State != StateQueued && s.State != StateSent {
		s.State, s.Ref, s.Reason = StateSent, ref, ""
		c.putDelivery(key, s)
	}
}

// Queued returns the entry of that key while it waits or is being sent.
func (c *Commit) Queued(key protocol.Key) (q Queued, ok bool) {
	s := c.Read().Delivery(key)
	if s.State != StateQueued {
		return q, false
	}
	return c.QueuedAt(s.Lane, s.Number)
}

// QueuedAt returns the entry of that number in a lane while it waits or is being sent.
func (c *Commit) QueuedAt(lane string, number uint64) (q Queued, ok bool) {
	at := Key(lane, Number(number))
	return c.lately.queuedAt(at, c.layer.get(outbox.name, at))
}

// putQueued writes an entry that waits, and returns it as it is read.
func (c *Commit) putQueued(q Queued) Queued {
	for _, t := range []*time.Time{&q.Created, &q.First, &q.Due, &q.Doubt} {
		*t = plainTime(*t)
	}
	l, at := c.lately, Key(q.Lane, Number(q.Number))
	l.scratch = appendQueued(l.scratch[:0], &q)
	value := bytes.Clone(l.scratch)
	c.layer.put(outbox.name, at, value)
	l.queued.put(at, value, q)
	return q
}

func (c *Commit) putDelivery(key protocol.Key, s Delivery) {
	if was := c.Read().Delivery(key); was.State != "" {
		c.layer.put(sentByTime.name, Key(Time(was.Time), string(key)), nil)
	}
	s.Key, s.Time = "", plainTime(c.now)
	l := c.lately
	l.scratch = appendDelivery(l.scratch[:0], &s)
	value := bytes.Clone(l.scratch)
	c.layer.put(sent.name, string(key), value)
	l.deliveries.put(string(key), value, s)
	c.layer.put(sentByTime.name, Key(Time(c.now), string(key)), []byte{})
}

// SweepSent forgets entries that ended before the given time. It looks at limit of them, and of
// those that still wait. It starts at the place where the call before stopped (zero means at the
// beginning) and returns where to go on, zero when it is through.
func (c *Commit) SweepSent(before time.Time, from string, limit int) (next string, swept int) {
	looked := 0
	for k := range c.Read().Range(sentByTime, from, Time(before)) {
		if looked++; looked > limit {
			return k, swept
		}
		key := protocol.Key(behindTime(k))
		if c.Read().Delivery(key).State == StateQueued {
			continue
		}
		c.layer.put(sent.name, string(key), nil)
		c.layer.put(sentByTime.name, k, nil)
		swept++
	}
	return "", swept
}

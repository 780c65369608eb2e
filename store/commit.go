package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"moot/protocol"
	"moot/store/seen"
)

// Commit is one durable step of the store, made of any number of runs. It is valid until the
// function that it was given to returns and belongs to one goroutine.
type Commit struct {
	now      time.Time
	layer    *layer
	appended bool
	queued   []Queued
	deliver  func(*Tx, protocol.Internal) error // see Deliver
	attached []attachment
	doubt    time.Time // see Doubt
	first    string    // a key before which Due has found no timer; empty before it is called
	lately   *lately
	looking
}

// newCommit returns a commit on a state. The batch is empty, and belongs to the commit while that lasts, as does what was written lately.
func newCommit(now time.Time, v *viewer, batch *seen.Batch, l *lately) *Commit {
	return &Commit{now: now, layer: newLayer(v.state.reader(v.view)), lately: l, looking: looking{viewer: v, batch: batch, leads: v.state.ahead}}
}

// empty reports whether the commit has done nothing that is to be kept.
func (c *Commit) empty() bool {
	return len(c.layer.rows)+len(c.attached)+len(c.batch.Records()) == 0 && c.horizon == 0
}

// content returns what the commit has done.
func (c *Commit) content() *content {
	return &content{
		at: c.now, horizon: c.horizon, rows: c.layer.rows, attached: c.attached, records: c.batch.Records(), firstTimer: c.first,
	}
}

// Attach has the change of the commit carry some bytes for whoever follows, under a name. They are
// not part of the store.
func (c *Commit) Attach(name string, data []byte) {
	c.attached = append(c.attached, attachment{name, bytes.Clone(data)})
}

// Now returns the time of the commit.
func (c *Commit) Now() time.Time { return c.now }

// Appended reports whether a run has added to the log of facts.
func (c *Commit) Appended() bool { return c.appended }

// Read returns a transaction that reads what the commit has done so far and writes nothing.
func (c *Commit) Read() *Tx {
	return &Tx{now: c.now, shared: &shared{reader: c.layer, seer: c, lately: c.lately}}
}

// next gives out the next number of a series. Numbers of a discarded commit are given again.
func (c *Commit) next(series string) uint64 {
	n := ParseNumber(string(c.layer.get(meta.name, series+"-next")))
	if n == 0 {
		n = 1
	}
	c.layer.put(meta.name, series+"-next", []byte(Number(n+1)))
	return n
}

// put sets a value in JSON.
func (c *Commit) put(b Bucket, key string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		// Only types of this package come here, and their payload was checked when it was enqueued.
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	c.layer.put(b.name, key, data)
}

// looking is what a commit knows and records of events.
type looking struct {
	*viewer
	batch   *seen.Batch
	horizon uint64 // before which the commit forgets; 0 where it does not say
	leads   uint64 // see ahead
	last    looked
}

// looked is what was last looked for. To record an event one has asked for it before, as a rule.
type looked struct {
	room  protocol.RoomID // as they were given
	event protocol.EventID
	key   seen.Key
	found seen.Record
	ok    bool
	valid bool // whether nothing was recorded or forgotten since
}

// seen returns what is recorded of the event, in this commit or before it.
func (l *looking) seen(k *seen.Key) (r seen.Record, ok bool) {
	if r, ok = l.batch.Find(k); !ok {
		r, ok = l.viewer.seen(k)
	}
	return r, ok && r.At >= l.horizon
}

// ahead is that of the viewer, unless this commit turns the clock back.
func (l *looking) ahead() uint64 { return l.leads }

func (l *looking) look(room protocol.RoomID, event protocol.EventID) *looked {
	at := &l.last
	if at.valid && at.event == event && at.room == room {
		return at
	}
	*at = looked{room: room, event: event, key: l.key(room, event), valid: true}
	at.found, at.ok = l.seen(&at.key)
	return at
}

// seenNow returns the time of the commit as the record of seen events has it.
func (c *Commit) seenNow() uint64 { return nanoseconds(c.now) + c.ahead() }

// Seen returns what is recorded about the event, in this commit or before it.
func (c *Commit) Seen(room protocol.RoomID, event protocol.EventID) Seen {
	if at := c.look(room, event); at.ok {
		return seenOf(at.found, c.ahead())
	}
	return Seen{}
}

// Record records what became of the event, or something else than before. The time of the first
// record stays.
func (c *Commit) Record(room protocol.RoomID, event protocol.EventID, d Disposition, reason string) {
	at := c.look(room, event)
	at.valid = false
	r := seen.Record{Key: at.key, At: c.seenNow(), Disposition: d, Reason: protocol.Shorten(reason, 200)}
	if at.ok {
		r.At = at.found.At
	}
	c.batch.Put(r)
}

// SweepSeen forgets the events of all rooms that were recorded before the given time, which lies
// not behind that of the commit. The store gives back the space that they took by itself.
func (c *Commit) SweepSeen(before time.Time) {
	h := min(nanoseconds(before)+c.ahead(), c.seenNow())
	if was := ParseNumber(string(c.layer.get(meta.name, metaHorizon))); h > max(was, c.horizon) {
		c.horizon = h
		c.last.valid = false
	}
}

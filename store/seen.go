package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"moot/protocol"
)

// Disposition is what became of an inbound event.
type Disposition byte

// The dispositions. All but Waiting are final. The numbers are in the file.
const (
	Unseen    Disposition = 0
	Handled   Disposition = 1
	Ignored   Disposition = 2 // for a reason that is recorded
	Refused   Disposition = 3 // it broke a rule of the words
	Failed    Disposition = 4 // a dead letter
	Waiting   Disposition = 5 // for its key
	Duplicate Disposition = 6 // of a delivery; it is not recorded, as the first delivery's stands
)

func (d Disposition) String() string {
	switch d {
	case Unseen:
		return "unseen"
	case Handled:
		return "handled"
	case Ignored:
		return "ignored"
	case Refused:
		return "refused"
	case Failed:
		return "failed"
	case Waiting:
		return "waiting for key"
	case Duplicate:
		return "duplicate"
	}
	return fmt.Sprintf("disposition %d", byte(d))
}

// Seen is what is recorded about an event.
type Seen struct {
	Time        time.Time // of the commit that first recorded it
	Disposition Disposition
	Reason      string // for people; may be empty
}

// seenIDs returns the identifiers under which an event is recorded. Events with bad ones are recorded too, as refused;
// theirs could break a key, so others stand for them that depend on nothing else.
func seenIDs(room protocol.RoomID, event protocol.EventID) (protocol.RoomID, protocol.EventID) {
	if protocol.CheckID(string(room)) != nil {
		room = protocol.RoomID("!" + protocol.DeriveKey(string(room)))
	}
	if protocol.CheckID(string(event)) != nil {
		event = protocol.EventID("!" + protocol.DeriveKey(string(event)))
	}
	return room, event
}

func seenAddress(room protocol.RoomID, event protocol.EventID) address {
	room, event = seenIDs(room, event)
	return address{room, event}
}

// seer knows what is recorded of events as of some moment.
type seer interface{ seenOf(address) Seen }

// viewed is the seer of a view.
type viewed struct {
	file *file
	seed []byte
	*state
}

func (v viewed) seenOf(a address) Seen { return v.seen(v.file, v.seed, a) }

// Seen returns what is recorded about the event. Its Disposition is Unseen where nothing is.
func (tx *Tx) Seen(room protocol.RoomID, event protocol.EventID) Seen {
	return tx.seer.seenOf(seenAddress(room, event))
}

// Seen returns what is recorded about the event, in this commit or before it.
func (c *Commit) Seen(room protocol.RoomID, event protocol.EventID) Seen {
	return c.look(room, event).seen
}

// looked is what was last looked for. To record an event one has asked for it before, as a rule.
type looked struct {
	room  protocol.RoomID // as they were given
	event protocol.EventID
	addr  address
	seen  Seen
	floor uint64 // that it was looked for with
	valid bool   // whether nothing was recorded of it since
}

func (c *Commit) look(room protocol.RoomID, event protocol.EventID) *looked {
	if l := &c.looked; !l.valid || l.event != event || l.room != room || l.floor != c.floor {
		a := seenAddress(room, event)
		*l = looked{room, event, a, c.seenOf(a), c.floor, true}
	}
	return &c.looked
}

func (c *Commit) seenOf(a address) Seen {
	i, ok := c.places[a]
	if !ok {
		st := *c.journal.state
		st.floor = c.floor
		return st.seen(c.file, c.journal.seed, a)
	}
	if r := &c.records[i]; r.at >= c.floor {
		return r.seen()
	}
	return Seen{}
}

// Record records what became of the event, or something else than before. The time of the first record stays.
func (c *Commit) Record(room protocol.RoomID, event protocol.EventID, d Disposition, reason string) {
	l := c.look(room, event)
	l.valid = false
	a, was := l.addr, l.seen
	r := recorded{address: a, at: nanoseconds(c.now), disposition: d, fresh: true, reason: protocol.Shorten(reason, 200)}
	i, ok := c.places[a]
	if was.Disposition != Unseen {
		r.at, r.fresh = nanoseconds(was.Time), ok && c.records[i].fresh
	}
	if ok {
		c.records[i] = r
		return
	}
	if c.places == nil {
		c.places = make(map[address]int, c.journal.lately)
		c.records = make([]recorded, 0, c.journal.lately)
	}
	c.places[a] = len(c.records)
	c.records = append(c.records, r)
}

// SweepSeen forgets the events of all rooms that were recorded before the given time, which lies not behind that of the
// commit, and gives a share of the room that they took back to the file. It tells whether more of it is left for
// another call: what is forgotten goes by whole partitions of time.
func (c *Commit) SweepSeen(before time.Time) (more bool) {
	now := nanoseconds(c.now)
	if floor := min(nanoseconds(before), now); floor > c.floor && c.holdsBefore(floor) {
		c.floor = floor
		c.layer.put(meta.name, metaFloor, []byte(Number(floor)))
	}
	c.swept = c.journal.sweeps(c.floor, now)
	return c.swept
}

// holdsBefore tells whether anything is there that was recorded before the time.
func (c *Commit) holdsBefore(at uint64) bool {
	j := c.journal
	return j.active.oldest < at || j.frozen != nil && j.frozen.oldest < at ||
		slices.ContainsFunc(j.runs, func(r *run) bool { return r.Oldest < at })
}

// seenHead is how many bytes of a row are before the reason.
const seenHead = 9

// appendSeen appends what a row says of the event to b.
func (r *recorded) appendSeen(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, r.at)
	return append(append(b, byte(r.disposition)), r.reason...)
}

func decodeSeen(v []byte) Seen {
	if len(v) < seenHead {
		return Seen{}
	}
	return Seen{ParseTime(string(v[:8])), Disposition(v[8]), string(v[seenHead:])}
}

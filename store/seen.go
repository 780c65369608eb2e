package store

import (
	"fmt"
	"strings"
	"time"

	"moot/protocol"
)

var (
	seen       = SharedBucket("seen")
	seenByTime = SharedBucket("seen-by-time")
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

func seenKey(room protocol.RoomID, event protocol.EventID) string {
	room, event = seenIDs(room, event)
	return Key(room, string(event))
}

// Seen returns what is recorded about the event. Its Disposition is Unseen where nothing is.
func (tx *Tx) Seen(room protocol.RoomID, event protocol.EventID) Seen {
	return decodeSeen(tx.Get(seen, seenKey(room, event)))
}

// Seen returns what is recorded about the event, in this commit or before it.
func (c *Commit) Seen(room protocol.RoomID, event protocol.EventID) Seen {
	return decodeSeen(c.layer.get(seen.name, seenKey(room, event)))
}

// Record records what became of the event, or something else than before. The time of the first record stays.
func (c *Commit) Record(room protocol.RoomID, event protocol.EventID, d Disposition, reason string) {
	room, event = seenIDs(room, event)
	key := Key(room, string(event))
	at := c.now
	if was := decodeSeen(c.layer.get(seen.name, key)); was.Disposition != Unseen {
		at = was.Time
	} else {
		c.recorded[room] = append(c.recorded[room], event)
	}
	c.layer.put(seen.name, key, append(append([]byte(Time(at)), byte(d)), protocol.Shorten(reason, 200)...))
}

func decodeSeen(v []byte) Seen {
	if len(v) < 9 {
		return Seen{}
	}
	return Seen{ParseTime(string(v[:8])), Disposition(v[8]), string(v[9:])}
}

// indexSeen writes what was recorded to the index by time, one key for each room: the time is new with each commit.
func (c *Commit) indexSeen() {
	for room, events := range c.recorded {
		var b strings.Builder
		for i, id := range events {
			if i > 0 {
				b.WriteString(Sep)
			}
			b.WriteString(string(id))
		}
		c.layer.put(seenByTime.name, Key(room, Time(c.now)), []byte(b.String()))
	}
}

// SweepSeen forgets the events of all rooms that were recorded before the given time. It looks at about limit of them,
// and of rooms that have none. It starts at the place where the call before stopped (zero means at the beginning) and
// returns where to go on, zero when it is through.
func (c *Commit) SweepSeen(before time.Time, from string, limit int) (next string, swept int) {
	tx := c.Read()
	end := Time(before)
	for rooms := 0; ; {
		var key string
		var value []byte
		for k, v := range tx.Range(seenByTime, from, "") {
			key, value = k, v
			break
		}
		if key == "" {
			return "", swept
		}
		if swept+rooms >= limit {
			return key, swept
		}
		if len(key) < len(Sep)+8 {
			panic(fault{fmt.Sprintf("seen-by-time has the key %q", key)})
		}
		room := key[:len(key)-len(Sep)-8]
		if key[len(key)-8:] >= end {
			from = After(room + Sep)
			rooms++
			continue
		}
		for id := range strings.SplitSeq(string(value), Sep) {
			c.layer.put(seen.name, Key(room, id), nil)
			swept++
		}
		c.layer.put(seenByTime.name, key, nil)
		from = key + "\x00"
	}
}

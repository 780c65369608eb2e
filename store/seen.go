package store

import (
	"iter"
	"time"

	"moot/protocol"
	"moot/store/seen"
)

// Disposition is what became of an inbound event.
type Disposition = seen.Disposition

// The dispositions. All but Waiting are final. The numbers are in the file.
const (
	Unseen    = seen.Unseen
	Handled   = seen.Handled
	Ignored   = seen.Ignored // for a reason that is recorded
	Refused   = seen.Refused // it broke a rule of the words
	Failed    = seen.Failed  // a dead letter
	Waiting   = seen.Waiting // for its key
	Duplicate = seen.Duplicate
)

// Seen is what is recorded about an event.
type Seen struct {
	Time        time.Time // of the commit that first recorded it
	Disposition Disposition
	Reason      string // for people; may be empty
}

// seenOf returns what a record says, whose time may be ahead of the store's.
func seenOf(r seen.Record, ahead uint64) Seen {
	return Seen{seenTime(r.At, ahead), r.Disposition, r.Reason}
}

func seenTime(at, ahead uint64) time.Time { return ParseTime(Number(at - min(at, ahead))) }

// seenIDs returns the identifiers under which an event is recorded. Events with bad ones are
// recorded too, as refused; theirs could break a key, so others stand for them that depend on
// nothing else.
func seenIDs(room protocol.RoomID, event protocol.EventID) (protocol.RoomID, protocol.EventID) {
	if protocol.CheckID(string(room)) != nil {
		room = protocol.RoomID("!" + protocol.DeriveKey(string(room)))
	}
	if protocol.CheckID(string(event)) != nil {
		event = protocol.EventID("!" + protocol.DeriveKey(string(event)))
	}
	return room, event
}

// seer knows what is recorded of events as of some moment.
type seer interface {
	key(protocol.RoomID, protocol.EventID) seen.Key
	seen(*seen.Key) (seen.Record, bool)
	ahead() uint64 // by how much the time of what is recorded is ahead of the store's
	between(room protocol.RoomID, from, to seen.Place, backward bool) iter.Seq2[seen.Record, error]
	// firstTimer returns a key before which no timer is.
	firstTimer() string
}

// SeenEvent is an event, and what is recorded about it.
type SeenEvent struct {
	Event protocol.EventID
	Seen
}

// SeenPlace is a place in the order of what a room had: by the time of the commit, and by the event
// among those of one commit. The zero event stands before all others.
type SeenPlace struct {
	Time  time.Time
	Event protocol.EventID
}

func (p SeenPlace) place(ahead uint64) seen.Place {
	if p.Time.IsZero() {
		return seen.Place{Event: p.Event}
	}
	return seen.Place{At: nanoseconds(p.Time) + ahead, Event: p.Event}
}

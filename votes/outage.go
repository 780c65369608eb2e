package votes

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// because is why nobody can vote in a room for the time being.
type because string

const (
	becauseRemoved     because = "removed"     // the bot is not in the room
	becauseUnreachable because = "unreachable" // the network cannot reach the room
	becauseOffline     because = "offline"     // the bot is not connected to the network, or not running
)

// outage is that the votes of a room stand still. It is no projection; what follows from it is.
type outage struct {
	Since time.Time
	Why   map[because]bool
	// Removed is whether the bot was out of the room meanwhile: then any time is given back, however short.
	Removed bool `json:",omitempty"`
}

// is reports whether the votes stand still.
func (h outage) is() bool { return len(h.Why) > 0 }

// bars reports whether no vote can be opened meanwhile. That the bot is offline is no reason: who asks has come by the very
// connection of which their room has not heard yet, as shortly after a start.
func (h outage) bars() bool { return h.Why[becauseRemoved] || h.Why[becauseUnreachable] }

var outages = store.ScopedBucket("votes-outages")

func outageOf(tx *store.Tx, room protocol.RoomID) (h outage) {
	if data := tx.Get(outages, string(room)); data != nil {
		_ = json.Unmarshal(data, &h) // it was written here
	}
	return h
}

func putOutage(tx *store.Tx, room protocol.RoomID, h outage) error {
	if !h.is() {
		endOutage(tx, room)
		return nil
	}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	tx.Put(outages, string(room), data)
	return nil
}

func endOutage(tx *store.Tx, room protocol.RoomID) {
	tx.Delete(outages, string(room))
	tx.StopTimer(timerVoid)
}

// suspend lets the votes of a room stand still from now on.
func (f *Feature) suspend(tx *store.Tx, room protocol.RoomID, why because) error {
	return f.suspendAt(tx, room, why, tx.Now())
}

func (f *Feature) suspendAt(tx *store.Tx, room protocol.RoomID, why because, since time.Time) error {
	if !hasOpen(tx, room) {
		return nil
	}
	h := outageOf(tx, room)
	if !h.is() {
		h = outage{Since: since.Round(0), Why: map[because]bool{}}
		tx.SetTimer(timerVoid, since.Add(f.Void), nil)
	}
	h.Why[why] = true
	h.Removed = h.Removed || why == becauseRemoved
	return putOutage(tx, room, h)
}

// resume takes away one reason why votes stand still. When none is left they go on, and end as much later as they stood
// still.
func (f *Feature) resume(tx *store.Tx, room protocol.RoomID, why because) error {
	h := outageOf(tx, room)
	if !h.Why[why] {
		return nil
	}
	delete(h.Why, why)
	if h.is() {
		return putOutage(tx, room, h)
	}
	gap := tx.Now().Sub(h.Since).Round(time.Second)
	if gap > f.Void {
		h.Why[why] = true
		if err := f.voidAll(tx, room); err != nil {
			return err
		}
		endOutage(tx, room)
		return nil
	}
	endOutage(tx, room)
	var moved []string
	var place protocol.PlaceID
	for v := range f.openIn(tx, room) {
		lost := gap
		if v.Opened.After(h.Since) { // one that was opened meanwhile has lost less
			lost = tx.Now().Sub(v.Opened).Round(time.Second)
		}
		if v.Status == Running && (lost > f.Outage || h.Removed && lost > 0) {
			if err := v.publish(whatExtended, nil, extended{By: lost, Why: string(why)}); err != nil {
				return err
			}
			if lost == gap {
				moved, place = append(moved, v.Number()), v.Place
			}
		}
		if v.Status == Running {
			v.start()
		} else if err := v.read(); err != nil {
			return err
		}
		if !v.Open() {
			continue
		}
		// Soon, but not at once: who came back does not know yet what people are called.
		tx.SetTimer(timerEdit+v.Number(), tx.Now().Add(returnPause), nil)
	}
	if len(moved) == 0 || gap < worthWords {
		return nil // the message of the vote has the new end
	}
	id := "away-one"
	if len(moved) > 1 {
		id = "away-many"
	}
	return f.announce(tx, room, place, f.in(tx, room).Say(id, say.Moment("From", h.Since), say.Moment("To", tx.Now()),
		say.Number("Votes", strings.Join(moved, ", ")), say.Span("Gap", gap)))
}

// worthWords is how long the bot was away at least where that is said, as after a kick: who was only on the way to the room that
// follows was missed by nobody, and times are shown by the minute.
const worthWords = time.Minute

// returnPause is how long after its return the bot shows votes anew.
const returnPause = 10 * time.Second

// toldReach is the kind of what a room hears of its network.
const toldReach = "votes.reach"

// reach is the data of toldReach: that the network of a room can be reached again, or cannot since a time.
type reach struct {
	Up bool `json:",omitempty"`
	At time.Time
}

// Reach tells the rooms in which a vote is open that nobody can vote while the network is out of reach, and that they
// can again. At a start that is so since the last commit of the run before.
func (f *Feature) Reach(tx *store.Tx, network protocol.Network, up bool, at time.Time) iter.Seq[store.Told] {
	return func(yield func(store.Told) bool) {
		data, err := json.Marshal(reach{up, at})
		if err != nil {
			panic(err) // a bool and a time of this century can be encoded
		}
		var last protocol.RoomID
		for k := range tx.Range(openVotes, "", "") {
			room := protocol.RoomID(k[:len(k)-8-len(store.Sep)])
			if room == last || network != "" && room.Network() != network {
				continue
			}
			last = room
			if !yield(store.Told{To: protocol.Scope(room), What: protocol.Internal{Kind: toldReach, Data: data}}) {
				return
			}
		}
	}
}

// reached lets the votes of a room stand still, or go on.
func (f *Feature) reached(tx *store.Tx, data []byte) error {
	var r reach
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("decode %s: %w", toldReach, err)
	}
	room := protocol.RoomID(tx.Scope())
	if r.Up {
		return f.resume(tx, room, becauseOffline)
	}
	return f.suspendAt(tx, room, becauseOffline, r.At)
}

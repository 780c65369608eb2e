package votes

import (
	"time"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// departures holds when people left a room, and what it was called then: room ␟ user → time, name. Who has left not
// long ago can still be the target of a vote, so that leaving is no way out of one.
var departures = store.ScopedBucket("votes-departures")

// hasLeft notes that somebody is no longer in the room.
func (f *Feature) hasLeft(tx *store.Tx, room protocol.RoomID, user protocol.UserID) {
	info, _ := rooms.Get(tx, room)
	tx.Put(departures, store.Key(room, string(user)), []byte(store.Time(tx.Now())+info.Title()))
	if tx.Timer(timerDepartures).IsZero() {
		tx.SetTimer(timerDepartures, tx.Now().Add(f.settings.rules.Gone), nil)
	}
}

func cameBack(tx *store.Tx, room protocol.RoomID, user protocol.UserID) {
	if key := store.Key(room, string(user)); tx.Has(departures, key) {
		tx.Delete(departures, key)
	}
}

// leftAt returns when somebody left the room; zero if that is not known.
func leftAt(tx *store.Tx, room protocol.RoomID, user protocol.UserID) time.Time {
	return departedAt(tx.Get(departures, store.Key(room, string(user))))
}

func departedAt(v []byte) time.Time { return store.ParseTime(string(v[:min(8, len(v))])) }

// titleAtDeparture returns what the room was called when somebody left it; zero if that is not known.
func titleAtDeparture(tx *store.Tx, room protocol.RoomID, user protocol.UserID) string {
	v := tx.Get(departures, store.Key(room, string(user)))
	return string(v[min(8, len(v)):])
}

// seenBy is the room as it is shown to somebody: if they have left it, it is called what it was then.
func seenBy(tx *store.Tx, info rooms.Info, user protocol.UserID) rooms.Info {
	seen := rooms.SeenBy(tx, info, user)
	if _, in := rooms.Lookup(tx, info.ID, user); !in {
		seen.Name = titleAtDeparture(tx, info.ID, user)
	}
	return seen
}

// sweepDepartures forgets who left too long ago, and sets the timer for the next of them.
func (f *Feature) sweepDepartures(tx *store.Tx, room protocol.RoomID) {
	before := tx.Now().Add(-f.settings.rules.Gone)
	var next time.Time
	for k, v := range tx.Prefix(departures, store.Key(room, "")) {
		switch at := departedAt(v); {
		case !at.After(before):
			tx.Delete(departures, k)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	if next.IsZero() {
		return
	}
	at := next.Add(f.settings.rules.Gone)
	if soonest := tx.Now().Add(time.Hour); at.Before(soonest) {
		at = soonest // all of an hour go at once
	}
	tx.SetTimer(timerDepartures, at, nil)
}

package votes

import (
	"moot/protocol"
	"moot/store"
)

// visibility holds which places of rooms not every member can see (1), or the bot may not write in (2), as far as somebody has
// wanted to vote there: room ␟ place → 2, 1 or 0. No vote is held where those who may vote do not see it.
var visibility = store.ScopedBucket("votes-visibility")

// notePlace notes whether everybody can see the place in which an event happened, and whether the bot can show a vote there.
func notePlace(tx *store.Tx, ev protocol.Event) {
	if ev.Private || ev.Place == "" {
		return
	}
	value := "0"
	switch {
	case ev.Hidden:
		value = "1"
	case ev.Mute:
		value = "2"
	}
	if key := store.Key(ev.Room, string(ev.Place)); string(tx.Get(visibility, key)) != value {
		tx.Put(visibility, key, []byte(value))
	}
}

// seePlace notes with each event in a place in which somebody has wanted to vote whether that has become another one: a channel that
// is closed to some after it was chosen for all votes holds none.
func seePlace(tx *store.Tx, ev protocol.Event) {
	if ev.Place != "" && tx.Has(visibility, store.Key(ev.Room, string(ev.Place))) {
		notePlace(tx, ev)
	}
}

// shut reports whether a place does not serve to say something to the whole room.
func shut(tx *store.Tx, room protocol.RoomID, place protocol.PlaceID) bool {
	hidden, mute, _ := placeOf(tx, room, place)
	return hidden || mute
}

// placeOf reports whether a place is hidden from some members, whether the bot may not write there, and whether that is known.
func placeOf(tx *store.Tx, room protocol.RoomID, place protocol.PlaceID) (hidden, mute, known bool) {
	if place == "" {
		return false, false, true
	}
	v := tx.Get(visibility, store.Key(room, string(place)))
	return string(v) == "1", string(v) == "2", v != nil
}

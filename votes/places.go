package votes

import (
	"moot/protocol"
	"moot/store"
)

// places holds which places of rooms not every member can see, as far as somebody has wanted to vote there: room ␟ place →
// 1 or 0. No vote is held where those who may vote do not see it.
var places = store.ScopedBucket("votes-places")

// notePlace notes whether everybody can see the place in which an event happened.
func notePlace(tx *store.Tx, ev protocol.Event) {
	if ev.Private || ev.Place == "" {
		return
	}
	value := "0"
	if ev.Hidden {
		value = "1"
	}
	if key := store.Key(ev.Room, string(ev.Place)); string(tx.Get(places, key)) != value {
		tx.Put(places, key, []byte(value))
	}
}

// placeOf tells whether a place is hidden from some members, and whether that is known.
func placeOf(tx *store.Tx, room protocol.RoomID, place protocol.PlaceID) (hidden, known bool) {
	if place == "" {
		return false, true
	}
	v := tx.Get(places, store.Key(room, string(place)))
	return string(v) == "1", v != nil
}

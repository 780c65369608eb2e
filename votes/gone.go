package votes

import (
	"time"

	"moot/protocol"
	"moot/store"
)

// gone holds when people left a room: room ␟ user → time. Who has left not long ago can still be the target of a vote, so
// that leaving is no way out of one.
var gone = store.ScopedBucket("votes-gone")

// hasLeft notes that somebody is no longer in the room.
func (f *Feature) hasLeft(tx *store.Tx, room protocol.RoomID, user protocol.UserID) {
	tx.Put(gone, store.Key(room, string(user)), []byte(store.Time(tx.Now())))
	if tx.Timer(timerGone).IsZero() {
		tx.SetTimer(timerGone, tx.Now().Add(f.settings.rules.Gone), nil)
	}
}

func cameBack(tx *store.Tx, room protocol.RoomID, user protocol.UserID) {
	if key := store.Key(room, string(user)); tx.Has(gone, key) {
		tx.Delete(gone, key)
	}
}

// leftAt returns when somebody left the room; zero if that is not known.
func leftAt(tx *store.Tx, room protocol.RoomID, user protocol.UserID) time.Time {
	return store.ParseTime(string(tx.Get(gone, store.Key(room, string(user)))))
}

// sweepGone forgets who left too long ago, and sets the timer for the next of them.
func (f *Feature) sweepGone(tx *store.Tx, room protocol.RoomID) {
	before := tx.Now().Add(-f.settings.rules.Gone)
	var next time.Time
	for k, v := range tx.Prefix(gone, store.Key(room, "")) {
		switch at := store.ParseTime(string(v)); {
		case !at.After(before):
			tx.Delete(gone, k)
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
	tx.SetTimer(timerGone, at, nil)
}

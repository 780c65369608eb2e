package votes

import (
	"time"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// tenures holds since when people had been in the room that this one goes on from: room ␟ user → time. Without it
// nobody would be a member for long enough after an upgrade. It is noted when the room is told to go on elsewhere, as
// people, and the bot, leave the old one then.
var tenures = store.ScopedBucket("votes-tenures")

// tenureSlice is how many members one step looks at.
const tenureSlice = 500

// tenure returns since when somebody had been in the room that this one goes on from.
func tenure(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (time.Time, bool) {
	data := tx.Get(tenures, store.Key(room, string(user)))
	return store.ParseTime(string(data)), data != nil
}

// noteTenures notes the next members of a room as elders of its successor, and sets a timer for those behind them.
func (f *Feature) noteTenures(tx *store.Tx, room protocol.RoomID, from protocol.UserID) {
	info, _ := rooms.Get(tx, room)
	if info.Successor == "" || string(tx.Get(origins, string(info.Successor))) != string(room) {
		return
	}
	in := tx.In(protocol.Scope(info.Successor))
	note := func(user protocol.UserID, at time.Time) {
		if before, ok := tenure(tx, room, user); ok && before.Before(at) {
			at = before // through several upgrades
		}
		in.Put(tenures, store.Key(info.Successor, string(user)), []byte(store.Time(at)))
	}
	if from == "" { // else who moderates could put others out, and let the room go on elsewhere without what they were in it
		for user, at := range rooms.PutOutOf(tx, room) {
			note(user, since(info, rooms.Member{Since: at}))
		}
	}
	n := 0
	for m := range rooms.MembersFrom(tx, room, from) {
		if n++; n > tenureSlice {
			tx.SetTimer(timerTenures, tx.Now(), []byte(m.User))
			return
		}
		if !m.Bot && !m.Self {
			note(m.User, since(info, m))
		}
	}
}

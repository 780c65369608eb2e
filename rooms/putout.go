package rooms

import (
	"encoding/json"
	"iter"
	"time"

	"moot/protocol"
	"moot/store"
)

// PutOutFor is for how long somebody who was put out of a room can come back and count as a member all the while: else moderators
// could choose who has been a member for long enough, by putting out everybody else for a moment.
const PutOutFor = 10 * 24 * time.Hour

// timerPutOut forgets who was put out of the room too long ago.
const timerPutOut = "rooms.putout"

// putOut holds who was put out of a room, by somebody else: room ␟ user → since when they had been a member, and when that ended
// (JSON).
var putOut = store.ScopedBucket("room-put-out")

type putOutRow struct {
	Since time.Time `json:"s,omitzero"`
	At    time.Time `json:"a"`
}

func putOutOf(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (r putOutRow, ok bool) {
	v := tx.Get(putOut, store.Key(room, string(user)))
	return r, v != nil && json.Unmarshal(v, &r) == nil && tx.Now().Sub(r.At) < PutOutFor
}

// leaves notes that a member was put out, or forgets that they were before, as they have gone by themselves now.
func (a *applier) leaves(user protocol.UserID, how protocol.Membership, was row) {
	key := store.Key(a.ev.Room, string(user))
	if how == protocol.Left || was.Bot {
		if a.tx.Has(putOut, key) {
			a.tx.Delete(putOut, key)
		}
		return
	}
	data, err := json.Marshal(putOutRow{was.Since, a.tx.Now().Round(0)})
	a.fail(err)
	a.tx.Put(putOut, key, data)
	if a.tx.Timer(timerPutOut).IsZero() {
		a.tx.SetTimer(timerPutOut, a.tx.Now().Add(PutOutFor), nil)
	}
}

// returns gives somebody who was put out and is back the time since when they had been a member. A list of members looks for each
// of them only where anybody was put out.
func (a *applier) returns(user protocol.UserID, r *row) {
	if !a.looked {
		a.looked = true
		for range a.tx.Prefix(putOut, store.Key(a.ev.Room, "")) {
			a.anyOut = true
			break
		}
	}
	if key := store.Key(a.ev.Room, string(user)); a.anyOut && a.tx.Has(putOut, key) {
		if was, ok := putOutOf(a.tx, a.ev.Room, user); ok {
			r.Since = was.Since
		}
		a.tx.Delete(putOut, key)
	}
}

// forgetPutOut forgets who was put out too long ago, and sets the timer for the next of them.
func forgetPutOut(tx *store.Tx, room protocol.RoomID) {
	left := false
	prefix := store.Key(room, "")
	for k := range tx.Prefix(putOut, prefix) {
		if _, ok := putOutOf(tx, room, protocol.UserID(k[len(prefix):])); ok {
			left = true
		} else {
			tx.Delete(putOut, k)
		}
	}
	if left {
		tx.SetTimer(timerPutOut, tx.Now().Add(time.Hour), nil) // all of an hour go at once
	}
}

// PutOutOf goes through those who were put out of a room not long ago, and since when they had been members.
func PutOutOf(tx *store.Tx, room protocol.RoomID) iter.Seq2[protocol.UserID, time.Time] {
	return func(yield func(protocol.UserID, time.Time) bool) {
		prefix := store.Key(room, "")
		for k := range tx.Prefix(putOut, prefix) {
			user := protocol.UserID(k[len(prefix):])
			if r, ok := putOutOf(tx, room, user); ok && !yield(user, r.Since) {
				return
			}
		}
	}
}

// PutOut goes through the rooms out of which somebody was put, and from which it is known that they had been a member.
func PutOut(tx *store.Tx, user protocol.UserID) iter.Seq2[protocol.RoomID, time.Time] {
	return func(yield func(protocol.RoomID, time.Time) bool) {
		for info := range All(tx) {
			if r, ok := putOutOf(tx, info.ID, user); ok && !yield(info.ID, r.At) {
				return
			}
		}
	}
}

// ForgetPutOut forgets that somebody was put out of rooms, and reports whether they were out of any.
func ForgetPutOut(tx *store.Tx, user protocol.UserID) (forgotten bool) {
	for info := range All(tx) {
		in := tx.In(protocol.Scope(info.ID))
		if key := store.Key(info.ID, string(user)); in.Has(putOut, key) {
			in.Delete(putOut, key)
			forgotten = true
		}
	}
	return forgotten
}

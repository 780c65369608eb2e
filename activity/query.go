package activity

import (
	"iter"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// maxLine is through how many upgrades activity is followed.
const maxLine = 8

// Days returns on how many different days of the window the person was active in the room or those that it goes on
// from. The window is a number of days, today included; what is left of a day counts as one more, and zero means
// DefaultWindow.
func (f *Feature) Days(tx *store.Tx, room protocol.RoomID, user protocol.UserID, window time.Duration) int {
	if window == 0 {
		window = DefaultWindow
	}
	n := f.Bus.Lookup(tx, user)
	if n == 0 {
		return 0
	}
	found := map[day]struct{}{}
	for r, before := range line(tx, room) {
		for d := range activeDays(tx, r, n, firstDay(tx.Now(), window), before) {
			found[d] = struct{}{}
		}
	}
	return len(found)
}

// ever holds who was active in a room at any time: room ␟ number of person → ∅. Facts are dropped with the window;
// this is not, so that who once took part is told from who never did.
var ever = store.ScopedBucket("activity-ever")

// Ever reports whether the person was ever active in the room or those that it goes on from.
func (f *Feature) Ever(tx *store.Tx, room protocol.RoomID, user protocol.UserID) bool {
	n := f.Bus.Lookup(tx, user)
	if n == 0 {
		return false
	}
	for r := range line(tx, room) {
		if tx.Has(ever, store.Key(r, store.Number(uint64(n)))) {
			return true
		}
	}
	return false
}

// Last returns when the person was last active in the room or those that it goes on from, as far as the log reaches;
// zero if never.
func (f *Feature) Last(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (last time.Time) {
	n := f.Bus.Lookup(tx, user)
	if n == 0 {
		return last
	}
	for r, before := range line(tx, room) {
		for k := range tx.Backward(moments, momentKey(r, n, time.Time{}), momentKey(r, n, before)) {
			last = later(last, parseMoment(k))
			break
		}
	}
	return last
}

// stepAt is how many moments of one day activeDays steps over, which is cheaper than another look; more are rare.
const stepAt = 16

// activeDays goes through the days from first on on which there are moments before the given one.
func activeDays(tx *store.Tx, room protocol.RoomID, n events.Number, first day, before time.Time) iter.Seq[day] {
	return func(yield func(day) bool) {
		end := momentKey(room, n, before)
		for from, again := first, true; again; {
			again = false
			stepped := 0
			for k := range tx.Range(moments, momentKey(room, n, from.start()), end) {
				d := dayOf(parseMoment(k))
				if d < from {
					if stepped++; stepped == stepAt {
						again = true
						break
					}
					continue
				}
				if !yield(d) {
					return
				}
				from, stepped = d+1, 0
			}
		}
	}
}

// line goes through the room and those that it goes on from, each with the time before which what was done there
// counts.
func line(tx *store.Tx, room protocol.RoomID) iter.Seq2[protocol.RoomID, time.Time] {
	return func(yield func(protocol.RoomID, time.Time) bool) {
		before := tx.Now().Add(1) // no moment lies after that
		for range maxLine + 1 {
			if !yield(room, before) {
				return
			}
			info, _ := rooms.Get(tx, room)
			if info.Predecessor == "" {
				return
			}
			if first := info.FirstJoined; !first.IsZero() && first.Before(before) {
				before = first
			}
			room = info.Predecessor
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

package votes

import (
	"slices"
	"strings"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Reaches returns the rooms that somebody is not in any more, and in which they can vote in an open vote, are its
// target, or are challenged: to be put out of a room takes away no ballot, no answer and no appeal. A room is called
// there what it was called when they left.
func (f *Feature) Reaches(tx *store.Tx, user protocol.UserID) (reached []rooms.Info) {
	n := f.bus.Lookup(tx, user)
	if n == 0 {
		return nil
	}
	add := func(room protocol.RoomID) {
		info, ok := rooms.Get(tx, room)
		_, in := rooms.Lookup(tx, room, user)
		if !ok || in || !info.Joined() || slices.ContainsFunc(reached,
			func(o rooms.Info) bool { return o.ID == room }) {
			return
		}
		info.Name, info.Alias = titleAtDeparture(tx, room, user), ""
		reached = append(reached, info)
	}
	for k := range tx.Range(openVotes, "", "") {
		room, id := protocol.RoomID(k[:len(k)-8-len(store.Sep)]), store.ParseNumber(k)
		if MayVote(tx, room, id, n) {
			add(room)
		} else if v, ok := Get(tx, room, id); ok && v.Target == n {
			add(room)
		}
	}
	for _, reason := range f.bus.Reasons(tx, n) {
		if room, ok := strings.CutPrefix(reason, "challenge "); ok && f.Sanctions.Standing(tx, protocol.RoomID(room),
			n) {
			add(protocol.RoomID(room))
		}
	}
	return reached
}

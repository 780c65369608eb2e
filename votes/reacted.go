package votes

import (
	"moot/protocol"
	"moot/store"
)

// Reacted tells whether a reaction of somebody is known to stand on the message of a vote. Tracked is false where that is of
// no concern: the message is that of no vote that takes reactions, or the reaction stands for no choice.
func (f *Feature) Reacted(tx *store.Tx, room protocol.RoomID, target protocol.EventID, user protocol.UserID, reaction string) (stands, tracked bool) {
	v, ok := voteOn(tx, room, target)
	if !ok || v.Secret || !f.takes(tx, room, v) || choiceOf(v, reaction) < 0 {
		return false, false
	}
	n := f.bus.Lookup(tx, user)
	return n != 0 && tx.Has(marks, markKey(room, v.ID, voter(n), reaction)), true
}

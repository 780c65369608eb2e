package activity

import (
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// InCall returns in which voice call of the room somebody is known to be, and whether they are in any.
func InCall(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (protocol.VoicePresence, bool) {
	info, _ := rooms.Get(tx, room)
	p, ok := getPresence(tx, room, user)
	if !ok || !info.Joined() || p.Gen != info.Generation {
		return protocol.VoicePresence{}, false
	}
	return protocol.VoicePresence{Call: protocol.PlaceID(p.Call), Deafened: p.Deaf, AFK: p.AFK}, true
}

// InCalls returns everybody who is known to be in a voice call of the room, by their ids.
func InCalls(tx *store.Tx, room protocol.RoomID) (users []protocol.UserID) {
	prefix := store.Key(room, "")
	for k := range tx.Prefix(presences, prefix) {
		user := protocol.UserID(k[len(prefix):])
		if _, in := InCall(tx, room, user); in {
			users = append(users, user)
		}
	}
	return users
}

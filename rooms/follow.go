package rooms

import (
	"moot/protocol"
	"moot/store"
)

// MayFollow reports whether a room may hand what it has to the one in which it says that it goes on: to another room of the
// same network, in which the bot has never been. Whoever may end a room could else bring what is theirs into somebody else's.
func MayFollow(tx *store.Tx, room, successor protocol.RoomID) bool {
	if successor == room || successor.Network() != room.Network() {
		return false
	}
	to, known := Get(tx, successor)
	return !known || to.FirstJoined.IsZero()
}

// Follows reports whether the room is the one in which another goes on that the bot is or was in. What the new room says
// of itself does not count; the old one has to have said it.
func Follows(tx *store.Tx, room protocol.RoomID) bool {
	info, ok := Get(tx, room)
	if !ok || info.Predecessor == "" {
		return false
	}
	old, ok := Get(tx, info.Predecessor)
	return ok && old.Successor == room && !old.FirstJoined.IsZero()
}

package discord

import (
	"moot/protocol"
)

// State is what the adapter asks of the store, which is its only memory of who is where. Each
// method sees everything that was admitted before it is called. They may be called concurrently,
// and cannot fail: what cannot be read is not known.
type State interface {
	// Room returns what is known of a room; the zero value where nothing is.
	Room(room protocol.RoomID) Room
	// Rooms returns the ids of all rooms of this network that the bot is in, private conversations
	// among them.
	Rooms() []protocol.RoomID
	// Member returns what is known of somebody in a room, and whether they are a member.
	Member(room protocol.RoomID, user protocol.UserID) (Member, bool)
	// Voice returns in which call somebody is, if in any.
	Voice(room protocol.RoomID, user protocol.UserID) (protocol.VoicePresence, bool)
	// InVoice returns everybody who is in a call of the room.
	InVoice(room protocol.RoomID) []protocol.UserID
}

// Room is what is known of a room.
type Room struct {
	Joined  bool
	Private bool
	Name    string
	// Join is the event of the bot's last own join.
	Join protocol.EventID
	// Outage is whether the network was last said not to reach it.
	Outage bool
	// Settled is whether its members are known, and not being read just now. Where they are not,
	// every change counts.
	Settled bool
}

// Member is what is known of a member.
type Member struct {
	Name      string
	Moderator bool
}

// Where says who types, and where.
type Where struct {
	User    protocol.UserID
	Room    protocol.RoomID
	Private bool
}

// Completer completes what somebody types, by reading only.
type Completer interface {
	// Complete returns what the value of a parameter may be of which so much was typed; args are
	// the other values. It returns what the person may know, and does not block for long.
	Complete(where Where, path []string, param, typed string, args map[string]string) []string
}

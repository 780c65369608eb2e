package protocoltest

import (
	"moot/protocol"
)

// Harness is a network with an account of the bot on it, made anew for each check. Its methods do what people do, and
// fail the test where that does not work. They are called by one goroutine at a time, while an adapter runs or not.
type Harness interface {
	// Adapter returns a new adapter for the bot, as a restart of its process would make. The one before has ended.
	Adapter() protocol.Adapter
	// Bot is the account of the bot.
	Bot() protocol.UserID
	// Room is a room that the bot and both people are in from the start.
	Room() protocol.RoomID
	// People returns two people. The first may moderate the room.
	People() (first, second protocol.UserID)
	// Say lets somebody say something in a room and returns the id under which the bot will know it.
	Say(in protocol.RoomID, by protocol.UserID, text string) protocol.EventID
	// Tell lets somebody say something to the bot alone and returns where.
	Tell(by protocol.UserID, text string) protocol.Ref
	// Read returns the messages that stand in a room for the people in it, in order.
	Read(in protocol.RoomID) []Standing
	// ReadPrivate returns the messages that stand in the private conversation of a person with the bot.
	ReadPrivate(user protocol.UserID) []Standing
}

// Standing is a message as people see it.
type Standing struct {
	ID        protocol.EventID
	By        protocol.UserID
	Text      string
	Reactions []protocol.Reaction
}

// Editor can change what was said.
type Editor interface {
	Edit(in protocol.RoomID, by protocol.UserID, target protocol.EventID, text string)
}

// Deleter can remove what was said.
type Deleter interface {
	Delete(in protocol.RoomID, by protocol.UserID, target protocol.EventID)
}

// Reactor can react to what was said.
type Reactor interface {
	React(in protocol.RoomID, by protocol.UserID, target protocol.EventID, reaction string)
}

// Unreactor is a Reactor that can take it back. On its network reactions can be ballots: it is told who took one back, and
// which ones stand.
type Unreactor interface {
	Reactor
	Unreact(in protocol.RoomID, by protocol.UserID, target protocol.EventID, reaction string)
}

// Kicker can put the bot out of a room and ask it back in.
type Kicker interface {
	KickBot(from protocol.RoomID)
	// InviteBot asks the bot in. Whether the adapter or the harness accepts, the bot is in soon after.
	InviteBot(to protocol.RoomID)
}

// Mover can let people leave a room and come back.
type Mover interface {
	Leave(from protocol.RoomID, user protocol.UserID)
	Join(to protocol.RoomID, user protocol.UserID)
}

// Renamer can give a room another name.
type Renamer interface {
	Rename(room protocol.RoomID, name string)
}

// Nicker can give a person another display name.
type Nicker interface {
	Nick(user protocol.UserID, name string)
}

// Caller can let people join voice calls, and leave them where on is false.
type Caller interface {
	Call(in protocol.RoomID, by protocol.UserID, on bool)
}

// MemberFailer can make every reading of a member list fail.
type MemberFailer interface {
	FailMembers(on bool)
}

// Repeater can deliver an event to the bot a second time.
type Repeater interface {
	Again(in protocol.RoomID, id protocol.EventID)
}

// Founder can make a room without the bot in which something was said already.
type Founder interface {
	Found(by protocol.UserID, said ...string) protocol.RoomID
}

// Disconnecter can cut the connection of the running adapter, which comes back by itself.
type Disconnecter interface {
	Disconnect()
}

// Readier is a network to which an adapter must first connect. Ready returns when what happens from now on reaches
// the adapter that runs.
type Readier interface {
	Ready()
}

// Bidden is a network on which the bot cannot join a room by itself: somebody has to bring it in.
type Bidden interface {
	Bidden()
}

// Forgetter is a network that never tells what has happened while no adapter ran.
type Forgetter interface {
	Forgets()
}

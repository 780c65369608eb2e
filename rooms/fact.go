package rooms

import (
	"moot/events"
	"moot/protocol"
)

// roomFact makes the fact of a note. Words of people (names, reasons) have no place in a log that is kept for ever.
func roomFact(n Note) events.Draft {
	d := events.Draft{Kind: Kind.Name, Keys: map[string]string{"what": string(n.What)}}
	if n.User != "" {
		d.People = map[string]protocol.UserID{"by": n.User}
	}
	switch n.What {
	case RoomMoved, ListRead:
		d.Payload = map[string]string{"detail": n.Detail}
	}
	return d
}

// Kind is the kind of the facts about rooms: that the bot joined or left one, was kicked or banned, that a room has
// another name or goes on elsewhere, that its members are known or not, that the network kept something to itself.
var Kind = events.Kind{Name: "room", Version: 1, Describe: describeRoom}

// gapWhat is the key "what" of the fact of a [protocol.Gap], which is its payload.
const gapWhat = "gap"

func gapFact(g protocol.Gap) events.Draft {
	return events.Draft{Kind: Kind.Name, Keys: map[string]string{"what": gapWhat}, Payload: g}
}

func describeRoom(f events.Fact) string {
	if f.Keys["what"] == gapWhat {
		return "the bot was disconnected, and some of what happened is lost"
	}
	switch What(f.Keys["what"]) {
	case BotJoined:
		return "the bot joined"
	case BotLeft:
		return "the bot left"
	case BotKicked:
		return "the bot was kicked"
	case BotBanned:
		return "the bot was banned"
	case RoomNamed:
		return "the room was renamed"
	case RoomMoved:
		return "the room goes on elsewhere"
	case ListRead:
		return "the list of members was read"
	case ListFailed:
		return "the list of members could not be read"
	}
	return ""
}

package rooms

import (
	"moot/events"
	"moot/internal/say"
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

// describeRoom says what happened to a room.
func describeRoom(l say.Language, f events.Fact) string {
	id := map[string]string{
		gapWhat: "fact-gap", string(BotJoined): "fact-joined", string(BotLeft): "fact-left", string(BotKicked): "fact-kicked",
		string(BotBanned): "fact-banned", string(RoomNamed): "fact-named", string(RoomMoved): "fact-moved", string(ListRead): "fact-read",
		string(ListFailed): "fact-unread",
	}[f.Keys["what"]]
	if id == "" {
		return ""
	}
	return catalogue.In(l).Plain(id)
}

package discord

import (
	"moot/protocol"
	"moot/protocol/discord/gateway"
)

// Place returns which of so many shards hears of the server that something is sent to or asked about, for a bot whose shards are
// in several processes; what is private is of the first one. Only is whether no other can do it: what comes back over the
// gateway. All else is a request, which any can make.
func Place(out *protocol.Outgoing, ask *protocol.Ask, count int) (shard int, only bool) {
	var room protocol.RoomID
	switch {
	case ask != nil:
		room = ask.Room
		switch ask.Want.(type) {
		case protocol.AskMembers, protocol.AskLeave:
			_, only = guildOf(room)
		}
	case out != nil:
		room = out.Room
		if h, ok := parseHandle(out.Handle); ok && h.Guild != "" {
			return gateway.ShardOf(h.Guild, count), false // where it came from it is known how it was acknowledged
		}
	}
	if guild, ok := guildOf(room); ok {
		return gateway.ShardOf(guild, count), only
	}
	return 0, false
}

package discord

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"moot/protocol"
)

// Network is the name of this network in identifiers.
const Network protocol.Network = "discord"

// Identifiers: a guild is "discord:GUILD", a private conversation "discord:@CHANNEL", a person
// "discord:USER", a channel or thread the place "CHANNEL", a message the event "CHANNEL-MESSAGE"
// (as Discord's own "Copy Message ID" gives it while Shift is held), an interaction
// "interaction-ID".

func guildRoom(guild string) protocol.RoomID { return protocol.RoomID("discord:" + guild) }

func directRoom(channel string) protocol.RoomID { return protocol.RoomID("discord:@" + channel) }

func userID(user string) protocol.UserID { return protocol.UserID("discord:" + user) }

func messageID(channel, message string) protocol.EventID {
	return protocol.EventID(channel + "-" + message)
}

func interactionID(id string) protocol.EventID { return protocol.EventID("interaction-" + id) }

// guildOf returns the guild that a room is, if it is one.
func guildOf(room protocol.RoomID) (guild string, ok bool) {
	local := room.Local()
	return local, room.Network() == Network && isSnowflake(local)
}

// channelOf returns the channel of a room that is a private conversation, if it is one.
func channelOf(room protocol.RoomID) (channel string, ok bool) {
	channel, ok = strings.CutPrefix(room.Local(), "@")
	return channel, ok && room.Network() == Network && isSnowflake(channel)
}

// userOf returns Discord's id of a person, if they are of Discord.
func userOf(user protocol.UserID) (id string, ok bool) {
	id = user.Local()
	return id, user.Network() == Network && isSnowflake(id)
}

// messageOf returns the channel and the id of a message, if the event is one.
func messageOf(event protocol.EventID) (channel, message string, ok bool) {
	channel, message, ok = strings.Cut(string(event), "-")
	return channel, message, ok && isSnowflake(channel) && isSnowflake(message)
}

// reactionID names a reaction of the bot. Discord has no events of reactions.
func reactionID(channel, message, reaction string) protocol.EventID {
	return protocol.EventID("own-reaction-" + channel + "-" + message + "-" + reaction)
}

// isSnowflake reports whether s is an id of Discord: an unsigned 64-bit number in decimal.
func isSnowflake(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n > 0 && s[0] != '0' && s[0] != '+'
}

// epoch is the first millisecond of snowflakes (developer documentation, "Reference: Snowflakes").
const epoch = 1420070400000

// timeOf returns when the thing with that id was made; zero where it is no id.
func timeOf(snowflake string) time.Time {
	n, err := strconv.ParseUint(snowflake, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(n>>22) + epoch).UTC()
}

// snowflakeAt returns the id below all those that were made at that time or later, as a place from
// which to read on.
func snowflakeAt(t time.Time) string {
	ms := max(t.UnixMilli()-epoch, 0)
	return strconv.FormatUint(max(uint64(ms)<<22, 1)-1, 10)
}

// newer reports whether one snowflake is newer than another.
func newer(a, b string) bool { return byAge(a, b) > 0 }

// byAge compares two snowflakes: the older is the smaller.
func byAge(a, b string) int {
	n, _ := strconv.ParseUint(a, 10, 64)
	m, _ := strconv.ParseUint(b, 10, 64)
	return cmp.Compare(n, m)
}

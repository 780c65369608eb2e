package invites

import (
	"slices"
	"strconv"
	"strings"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Server returns the server on which a person has their account: what follows the first colon of the identifier as the
// network writes it ("example.org:8448" of "matrix:@ann:example.org:8448"). It is zero on networks that have no servers.
func Server(user protocol.UserID) string {
	_, server, _ := strings.Cut(user.Local(), ":")
	return strings.ToLower(server)
}

// openServers are the large servers on which anybody can make an account: to be on the same one says nothing of somebody. Who
// wants all of its people to invite the bot names it among the servers.
var openServers = []string{"matrix.org", "beeper.com", "envs.net", "tchncs.de", "4d2.org", "unredacted.org", "mozilla.org", "gitter.im"}

// admits reports whether somebody may invite the bot to a room. Own is whether they are of the bot's own server.
func (f *Feature) admits(tx *store.Tx, room protocol.RoomID, by protocol.UserID, own bool) bool {
	switch server := Server(by); {
	case rooms.Follows(tx, room):
		return true
	case by == "":
		return false
	case f.operators[by], own && f.OwnServer && !slices.Contains(openServers, server), slices.Contains(f.People, by):
		return true
	default:
		return server != "" && slices.ContainsFunc(f.Servers, func(s string) bool { return strings.EqualFold(s, server) })
	}
}

// Line returns the line of [invites] in config.toml that would admit a person, beside all who are named there already.
func (f *Feature) Line(by protocol.UserID) string {
	people := make([]string, 0, len(f.People)+1)
	for _, p := range append(slices.Clone(f.People), by) {
		if q := strconv.Quote(string(p)); !slices.Contains(people, q) {
			people = append(people, q)
		}
	}
	return "people = [" + strings.Join(people, ", ") + "]"
}

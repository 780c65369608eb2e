package matrix

import (
	"encoding/json"
	"slices"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// changes returns what a state event says about the room beside its members; nil where it says nothing of that.
func (r reader) changes(ev *rawEvent) []protocol.Change {
	if ev.Key == nil || *ev.Key != "" || ev.undone {
		return nil
	}
	switch string(ev.Type) {
	case event.StateRoomName.Type:
		var c struct {
			Name word `json:"name"`
		}
		into(ev.Content, &c)
		return []protocol.Change{protocol.Renamed{Name: string(c.Name)}}
	case event.StateCanonicalAlias.Type:
		var c struct {
			Alias word `json:"alias"`
		}
		into(ev.Content, &c)
		return []protocol.Change{protocol.Realiased{Alias: string(c.Alias)}}
	case event.StateTopic.Type:
		var c struct {
			Topic word `json:"topic"`
		}
		into(ev.Content, &c)
		return []protocol.Change{protocol.TopicChanged{Topic: string(c.Topic)}}
	case event.StateEncryption.Type:
		// Whatever stands in it, and however it is redacted: a room that once was encrypted is never written to in clear.
		return []protocol.Change{protocol.EncryptionEnabled{}}
	case event.StateTombstone.Type:
		var c struct {
			Successor word `json:"replacement_room"`
		}
		if into(ev.Content, &c); isRoom(string(c.Successor)) {
			return []protocol.Change{protocol.Upgraded{Successor: roomID(id.RoomID(c.Successor))}}
		}
	case event.StatePowerLevels.Type:
		may := readPowers(ev.Content)
		may.creators = r.creators
		changes := []protocol.Change{protocol.PowersChanged{Moderators: may.moderators(), Mute: r.space || !may.speaks(string(r.self), ev.Content)}}
		if may.fallback >= may.kick {
			changes = append(changes, protocol.Outdated{}) // everybody may who is not named: the list of members says who
		}
		return changes
	}
	return nil
}

// snapshot returns how the room stands after these events: the last change of each kind, in a fixed order. It leaves out
// that the room has moved, which is told by its own event alone.
func (r reader) snapshot(events []*rawEvent) []protocol.Change {
	last := map[string]protocol.Change{}
	for _, ev := range events {
		for _, c := range r.changes(ev) {
			if _, moved := c.(protocol.Upgraded); !moved {
				last[protocol.KindOf(c)] = c
			}
		}
	}
	var out []protocol.Change
	for _, kind := range []protocol.Change{protocol.Renamed{}, protocol.Realiased{}, protocol.TopicChanged{}, protocol.EncryptionEnabled{}, protocol.PowersChanged{}} {
		if c, ok := last[protocol.KindOf(kind)]; ok {
			out = append(out, c)
		}
	}
	return out
}

// powers are who may do what in a room.
type powers struct {
	users    map[string]int64
	fallback int64           // of those who are not named
	kick     int64           // what it takes to kick
	creators map[string]bool // who may do everything, from room version 12 on
}

// creatorsOf returns who has made a room, by its m.room.create.
func creatorsOf(ev *rawEvent) map[string]bool {
	var content struct {
		Creator    word  `json:"creator"` // until room version 10
		Additional words `json:"additional_creators"`
	}
	into(ev.Content, &content)
	out := map[string]bool{}
	for _, u := range append(content.Additional, string(ev.Sender), string(content.Creator)) {
		if isUser(u) {
			out[u] = true
		}
	}
	return out
}

// isSpace reports whether a room was made as a space.
func isSpace(content object) bool {
	var c struct {
		Type word `json:"type"`
	}
	into(content, &c)
	return string(c.Type) == string(event.RoomTypeSpace)
}

// createdByAll reports whether a room is of a version in which its creators may do everything and are not named among those
// who have powers: from 12 on, where the id of a room names no server.
func createdByAll(room id.RoomID) bool { return server(string(room)) == "" }

// readPowers reads m.room.power_levels. What is missing has the value that the specification gives it.
func readPowers(content object) powers {
	var c struct {
		Users    object `json:"users"`
		Fallback number `json:"users_default"`
		Kick     number `json:"kick"`
	}
	into(content, &c)
	p := powers{users: map[string]int64{}, fallback: c.Fallback.value, kick: 50}
	if c.Kick.given {
		p.kick = c.Kick.value
	}
	var users map[string]number
	if len(c.Users) > 0 && json.Unmarshal(c.Users, &users) == nil {
		for u, level := range users {
			if level.given && isUser(u) {
				p.users[u] = level.value
			}
		}
	}
	return p
}

// of returns what somebody may do.
func (p powers) of(user string) protocol.Power {
	level, named := p.users[user]
	if !named {
		level = p.fallback
	}
	if level >= p.kick || p.creators[user] {
		return protocol.PowerModerator
	}
	return protocol.PowerMember
}

// speaks reports whether somebody may write messages by the content of m.room.power_levels, in clear and sealed.
func (p powers) speaks(user string, content object) bool {
	return p.reaches(user, content, event.EventMessage.Type, "events_default", 0) &&
		p.reaches(user, content, event.EventEncrypted.Type, "events_default", 0)
}

// reaches reports whether somebody has the power that it takes to send an event of a kind; see takes.
func (p powers) reaches(user string, content object, kind, otherwise string, fallback int64) bool {
	level, named := p.users[user]
	if !named {
		level = p.fallback
	}
	var all map[string]json.RawMessage
	into(content, &all)
	return p.creators[user] || level >= takes(all, kind, otherwise, fallback)
}

// moderators returns those who are named as having the power to kick, by their ids.
func (p powers) moderators() []protocol.UserID {
	var out []protocol.UserID
	for u := range p.users {
		if p.of(u) == protocol.PowerModerator {
			out = append(out, userID(id.UserID(u)))
		}
	}
	for u := range p.creators {
		if _, named := p.users[u]; !named {
			out = append(out, userID(id.UserID(u)))
		}
	}
	slices.Sort(out)
	return out
}

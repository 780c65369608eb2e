package votes

import (
	"slices"
	"strings"

	"moot/commands"
	"moot/events"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Minutes: where each outcome is said, beside where the vote was. That is a place of the room, or another room. Into another room
// nothing is said but what both rooms' moderators want: it is set by somebody who moderates both, and it ends with the first outcome
// at which they no longer do. What people have written for their own room, as the reasons of ballots, stays there.

// settingsBy holds who has set that a setting names another room: room ␟ name → number of the person.
var settingsBy = store.ScopedBucket("settings-by")

// otherRoom stands before the id of another room in the value of a setting. No place has such an id.
const otherRoom = "room" + protocol.Separator

// minutesAt is where the outcomes of a room are said, too: nowhere, in a place of the room, or in another room.
type minutesAt struct {
	place protocol.PlaceID
	room  protocol.RoomID
	by    events.Number // who has set that it is another room
}

// minutes returns where the outcomes of the room are said, too.
func (s *Settings) minutes(tx *store.Tx, room protocol.RoomID) minutesAt {
	key := store.Key(room, minutes)
	v := string(tx.Get(settings, key))
	if other, ok := strings.CutPrefix(v, otherRoom); ok {
		return minutesAt{room: protocol.RoomID(other), by: parseVoter(string(tx.Get(settingsBy, key)))}
	}
	return minutesAt{place: protocol.PlaceID(v)}
}

// roomNamed returns the other room that somebody means, among those that they share with the bot; none where they mean none, or
// where several are called so.
func roomNamed(c *commands.Call, word string) (other rooms.Info, several bool) {
	var fit []rooms.Info
	for _, info := range commands.OwnRooms(c.Tx, c.Person) {
		switch name := alike.Fold(word); {
		case info.ID == c.Room.ID:
		case string(info.ID) == word || info.ID.Local() == word:
			return info, false
		case name != "" && (name == alike.Fold(info.Title()) || name == alike.Fold(info.Alias)):
			fit = append(fit, info)
		}
	}
	if len(fit) != 1 {
		return rooms.Info{}, len(fit) > 1
	}
	return fit[0], false
}

// keeps returns the room that keeps the minutes of another, or the id of the sentence that says why it does not.
func (f *Feature) keeps(tx *store.Tx, from rooms.Info, in protocol.RoomID, by protocol.UserID) (info rooms.Info, why string) {
	info, _ = rooms.Get(tx, in)
	switch {
	case !info.Joined() || info.Private || info.Successor != "":
		return info, "minutes-out"
	case by == "" || !f.mayModerate(tx, from.ID, by) || !f.mayModerate(tx, in, by):
		return info, "minutes-moderate"
	case from.Encrypted && !info.Encrypted:
		return info, "minutes-clear"
	}
	return info, ""
}

// minutesElsewhere returns the value with which a moderator has the outcomes said in another room; zero where the word names none.
func (f *Feature) minutesElsewhere(c *commands.Call, word string) (value string, err error) {
	other, several := roomNamed(c, word)
	switch {
	case several:
		return "", sorry(f.here(c), "minutes-several", say.Quoted("Name", word, 40))
	case other.ID == "":
		return "", nil
	}
	if _, why := f.keeps(c.Tx, c.Room, other.ID, c.Person); why != "" {
		return "", sorry(f.here(c), why)
	}
	return otherRoom + string(other.ID), f.announceMinutes(c, other)
}

// announceMinutes tells a room that the outcomes of another one are said in it from now on.
func (f *Feature) announceMinutes(c *commands.Call, other rooms.Info) error {
	s := f.in(c.Tx, other.ID)
	return f.announce(c.Tx, other.ID, f.settings.minutesPlace(c.Tx, other.ID), s.Say("minutes-here",
		say.Place("Room", protocol.Plain(protocol.Quoted(c.Room.Title(), 0))), say.Person("Who", rooms.Person(c.Tx, other.ID, c.Person))))
}

// minutesPlace returns where in a room the outcomes of others are said.
func (s *Settings) minutesPlace(tx *store.Tx, room protocol.RoomID) protocol.PlaceID {
	if at := s.minutes(tx, room); at.place != "" {
		return at.place
	}
	return s.Channel(tx, room)
}

// minute says what became of a vote where the room keeps that, unless it is said there already. Where that cannot be, the room is
// told so, once for each outcome.
func (h *atHand) minute(text protocol.Text) error {
	at := h.settings.minutes(h.tx, h.room)
	o := protocol.Outgoing{Room: h.room, Place: at.place, Act: protocol.Say{Text: text}}
	switch {
	case at.room != "":
		user, _ := h.bus.Who(h.tx, at.by)
		other, why := h.keeps(h.tx, h.info(), at.room, user)
		if why != "" {
			return h.endMinutes(why)
		}
		o = protocol.Outgoing{Room: other.ID, Place: h.settings.minutesPlace(h.tx, other.ID), Act: protocol.Say{Text: h.outcomeFor(other)}}
	case at.place == "" || at.place == h.Place:
		return nil
	}
	lost := h.say("minutes-lost", h.number(), say.Code("Setting", protocol.Code(minutes)))
	o.Else, o.Expires = []protocol.Outgoing{{Room: h.room, Place: h.Place, Act: protocol.Say{Text: lost}}}, outbox.Never
	_, err := outbox.Send(h.tx, o)
	return err
}

// outcomeFor is what another room is told of an outcome, in its language.
func (h *atHand) outcomeFor(other rooms.Info) protocol.Text {
	s := h.Feature.in(h.tx, other.ID)
	v := h.as(s).view()
	v.Elsewhere = true
	return inRoom(s, h.info().Title(), v.Closing())
}

// endMinutes takes back that outcomes are said in another room, and says why.
func (h *atHand) endMinutes(why string) error {
	if err := h.settings.publish(h.tx, minutes, setTo{}, ""); err != nil {
		return err
	}
	return h.announce(h.say("minutes-ended", say.Part("Why", h.say(why)), say.Code("Setting", protocol.Code(minutes))))
}

// isRoom reports whether the value of a setting is another room.
func isRoom(value string) bool { return strings.HasPrefix(value, otherRoom) }

// carriedOver reports whether the successor of a room takes a setting over: it has channels and moderators of its own.
func carriedOver(name string) bool { return !slices.Contains([]string{channel, minutes}, name) }

package votes

import (
	"time"

	"moot/commands"
	"moot/internal/span"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// foundingDays is for how long after the bot first came moderators can set the rules of a room, too.
const foundingDays = 10 * day

// settledAt returns from when on the rules of a room are its own.
func (f *Feature) settledAt(tx *store.Tx, info rooms.Info) time.Time {
	return firstSeen(tx, info).Add(foundingDays)
}

// openRule is the command that opens a vote to change a rule of the room.
func (f *Feature) openRule(c *commands.Call) error {
	one, _ := f.settings.find(c.Word("setting"))
	value, ok := "", true
	if w := c.Word("value"); w != "-" {
		value, ok = one.read(w)
	}
	if !ok {
		return commands.Sorry(protocol.Join(protocol.Quoted(c.Word("value"), 40), " cannot be set for ",
			protocol.Code(one.name), ". It can be ", one.bounds, "."))
	}
	if least := f.settings.rules.Duration; c.Has("for") && c.Duration("for") < least {
		return commands.Sorry(protocol.Join("A vote on a rule runs for at least ", span.Words(least), ", so that those who sleep or work hear of it too."))
	}
	now, set := f.settings.value(c.Tx, c.Room.ID, one)
	if to, _ := f.settings.valueOf(one, value); to == now && (set || value != "") {
		return commands.Sorry(protocol.Join(protocol.Code(one.name), " is ", now, " already."))
	}
	return f.open(c, proposal{
		Type: Rule, Setting: one.name, Value: value, Text: one.name + " " + c.Word("value"),
		Secret: c.Switch("secret"), Hidden: c.Switch("hidden"), Runs: c.Duration("for"),
	})
}

// changeRule does what a vote on a rule has decided, and says it.
func (h *atHand) changeRule() (protocol.Text, error) {
	one, ok := h.settings.find(h.Setting)
	if !ok {
		return protocol.Join("Nothing follows from it: there is no rule ", protocol.Code(h.Setting), " any more."), nil
	}
	before, _ := h.settings.value(h.tx, h.room, one)
	if err := h.settings.publish(h.tx, one.name, setTo{Value: h.Value, Vote: h.ID}, ""); err != nil {
		return nil, err
	}
	after, _ := h.settings.value(h.tx, h.room, one)
	return protocol.Join(protocol.Code(one.name), " is now ", after, "; it was ", before,
		". Votes that are open keep their rules."), nil
}

// set is the command with which moderators set things for the room.
func (f *Feature) set(c *commands.Call) error {
	s, tx, room := f.settings, c.Tx, c.Room.ID
	if !c.Has("setting") {
		return f.listSettings(c)
	}
	one, ok := s.find(c.Word("setting"))
	if !ok {
		return commands.Sorryf("There is no such setting.")
	}
	before, was := s.shown(tx, room, one)
	if !c.Has("value") {
		return c.Answer(protocol.Join(protocol.Code(one.name), " is ", before, ": ", one.summary, ". It can be ",
			one.bounds, "."))
	}
	if err := f.noneAboutMe(c, "change the rules of this room"); err != nil {
		return err
	}
	if !one.moderators && !f.settledAt(tx, c.Room).After(tx.Now()) {
		return commands.Sorry(protocol.Join(protocol.Code(one.name),
			" is a rule of the room, and the room decides it: ",
			c.Code("vote rule "+one.name+" "+c.Word("value")), "."))
	}
	value := ""
	switch w := c.Word("value"); {
	case w == "-" && !was:
		return c.Answer(protocol.Join(protocol.Code(one.name), " is not set here. It is ", before, "."))
	case w == "-":
	case one.placed && w == "here" && (c.Event.Private || c.Event.Place == ""):
		return commands.Sorryf("«here» is for a channel or thread. Say it there, or name it by its id.")
	case one.placed && w == "here":
		value = string(c.Event.Place)
	default:
		if value, ok = one.read(w); !ok {
			return commands.Sorry(protocol.Join(protocol.Quoted(w, 40), " cannot be set for ",
				protocol.Code(one.name), ". It can be ", one.bounds, "."))
		}
	}
	if one.placed && value != "" {
		notePlace(tx, c.Event)
		switch hidden, mute, known := placeOf(tx, room, protocol.PlaceID(value)); {
		case hidden:
			return commands.Sorryf("Not everybody in this room can see that channel, so it is no place for votes, nor for what came of them.")
		case mute:
			return commands.Sorryf("I may not write in that channel, so nothing can be shown there. Allow me View Channel and Send Messages.")
		case !known:
			return commands.Sorry(protocol.Join("I do not know yet who can see that channel. Say it in that channel (of a forum, in one of its posts): ",
				f.code(room, "room set "+one.name+" here"), "."))
		}
	}
	if err := s.publish(tx, one.name, setTo{Value: value}, c.Person); err != nil {
		return err
	}
	after, _ := s.shown(tx, room, one)
	if m, ok := rooms.Lookup(tx, room, c.Person); ok {
		text := protocol.Join(rooms.Person(tx, room, m.User), " has set ", protocol.Code(one.name), " from ", before,
			" to ", after,
			": ", one.summary, ". Votes that are open keep their rules.")
		if !c.Event.Private {
			return c.Answer(text)
		}
		if err := f.announce(tx, room, s.Channel(tx, room), text); err != nil {
			return err
		}
	}
	return c.Answer(protocol.Join(protocol.Code(one.name), " is now ", after, "; it was ", before, "."))
}

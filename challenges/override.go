package challenges

import (
	"moot/commands"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Commands returns the commands with which an operator overrides what a room has decided, or has not.
func (f *Feature) Commands() []*commands.Command {
	params := []commands.Param{
		{Name: "person", Kind: commands.Person, Outside: true},
		{Name: "reason", Kind: commands.Text, Min: 1, Max: 1000},
	}
	return []*commands.Command{{
		Name: "override", Words: catalogue,
		Sub: []*commands.Command{
			{
				Name:  "challenge",
				Where: commands.NeedsRoom, Who: commands.Operator, Params: params,
				Run: f.overrideChallenge,
			},
			{
				Name:  "restore",
				Where: commands.NeedsRoom, Who: commands.Operator, Params: params,
				Run: f.overrideRestore,
			},
		},
	}}
}

func (f *Feature) overrideChallenge(c *commands.Call) error {
	who, _ := c.Somebody("person")
	name := f.name(c.Tx, c.Room.ID, who.User)
	_, _, is := f.lookup(c.Tx, c.Room.ID, who.User)
	switch {
	case who.Bot || who.Self:
		return commands.Sorry(protocol.Join(name, " is a bot. People are suspended."))
	case f.operators[who.User]:
		return commands.Sorry(protocol.Join(name, " operates me and cannot be suspended."))
	case is:
		return commands.Sorry(protocol.Join(name, " is suspended here already."))
	}
	text := protocol.OneLine(c.Word("reason"))
	p := payload{Text: f.bus.KeepText(c.Tx, c.Person, text)}
	by := map[string]protocol.UserID{roleOperator: c.Person}
	err := f.challenge(c.Tx, who.User, map[string]string{keyBy: byOverride}, by, p, f.Max(c.Tx, c.Room.ID))
	if err != nil {
		return err
	}
	return f.say(c, protocol.Join(name, " is now suspended by decision of ", f.name(c.Tx, c.Room.ID, c.Person),
		", who operates me, and not by a vote. Reason: ", text))
}

func (f *Feature) overrideRestore(c *commands.Call) error {
	who, _ := c.Somebody("person")
	name := f.name(c.Tx, c.Room.ID, who.User)
	if _, _, is := f.lookup(c.Tx, c.Room.ID, who.User); !is {
		return commands.Sorry(protocol.Join(name, " is not suspended here."))
	}
	text := protocol.OneLine(c.Word("reason"))
	p := payload{Text: f.bus.KeepText(c.Tx, c.Person, text)}
	by := map[string]protocol.UserID{roleOperator: c.Person}
	if err := f.restore(c.Tx, who.User, map[string]string{keyBy: byOverride}, by, p); err != nil {
		return err
	}
	return f.say(c, protocol.Join(name, " is restored by decision of ", f.name(c.Tx, c.Room.ID, c.Person),
		", who operates me, and not by a vote. Reason: ", text))
}

// say announces in the room what was done, also where it was done in private.
func (f *Feature) say(c *commands.Call, text protocol.Text) error {
	if !c.Event.Private {
		return c.Answer(text)
	}
	if err := f.announce(c.Tx, c.Room.ID, text); err != nil {
		return err
	}
	return c.Answer(protocol.Plain("Done, and announced in the room."))
}

func (f *Feature) announce(tx *store.Tx, room protocol.RoomID, text protocol.Text) error {
	if info, _ := rooms.Get(tx, room); !info.Joined() {
		return nil
	}
	_, err := outbox.Send(tx, protocol.Outgoing{
		Room: room, Place: f.Channel(tx, room), Expires: outbox.Never, Act: protocol.Say{Text: text},
	})
	return err
}

func (f *Feature) name(tx *store.Tx, room protocol.RoomID, user protocol.UserID) protocol.Text {
	return rooms.Person(tx, room, user)
}

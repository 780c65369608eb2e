package challenges

import (
	"moot/commands"
	"moot/internal/say"
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
	name := say.Person("Who", f.name(c.Tx, c.Room.ID, who.User))
	_, _, is := f.lookup(c.Tx, c.Room.ID, who.User)
	switch {
	case who.Bot || who.Self:
		return sorry(c, "target-bot", name)
	case f.operators[who.User]:
		return sorry(c, "target-operator", name)
	case is:
		return sorry(c, "target-suspended", name)
	}
	text := protocol.OneLine(c.Word("reason"))
	p := payload{Text: f.bus.KeepText(c.Tx, c.Person, text)}
	by := map[string]protocol.UserID{roleOperator: c.Person}
	err := f.challenge(c.Tx, who.User, map[string]string{keyBy: byOverride}, by, p, f.Max(c.Tx, c.Room.ID))
	if err != nil {
		return err
	}
	return f.say(c, "override-challenge", name, f.operator(c), say.Words("Reason", protocol.Plain(text)))
}

func (f *Feature) overrideRestore(c *commands.Call) error {
	who, _ := c.Somebody("person")
	name := say.Person("Who", f.name(c.Tx, c.Room.ID, who.User))
	if _, _, is := f.lookup(c.Tx, c.Room.ID, who.User); !is {
		return sorry(c, "target-not", name)
	}
	text := protocol.OneLine(c.Word("reason"))
	p := payload{Text: f.bus.KeepText(c.Tx, c.Person, text)}
	by := map[string]protocol.UserID{roleOperator: c.Person}
	if err := f.restore(c.Tx, who.User, map[string]string{keyBy: byOverride}, by, p); err != nil {
		return err
	}
	return f.say(c, "override-restore", name, f.operator(c), say.Words("Reason", protocol.Plain(text)))
}

// say announces in the room what was done, also where it was done in private, or where only some of the room are.
func (f *Feature) say(c *commands.Call, id string, slots ...say.Slot) error {
	text := in(c.Tx, c.Room.ID).Say(id, slots...)
	if !c.Aside() {
		return c.Answer(text)
	}
	if err := f.announce(c.Tx, c.Room.ID, text); err != nil {
		return err
	}
	return c.Answer(catalogue.In(c.Language()).Say("announced"))
}

// sorry returns the error with which a command tells what is wrong.
func sorry(c *commands.Call, id string, slots ...say.Slot) error {
	return commands.Sorry(catalogue.In(c.Language()).Say(id, slots...))
}

// operator is who gives the command.
func (f *Feature) operator(c *commands.Call) say.Slot {
	return say.Person("Operator", f.name(c.Tx, c.Room.ID, c.Person))
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

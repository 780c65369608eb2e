package votes

import (
	"cmp"

	"moot/commands"
	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
	"moot/votes/words"
)

// What is said in a room is said in the language of the room, and to somebody alone in their own, where it is known, or in that of
// the room that it is about; what is about none, in that of the room that they have chosen, or of the only one that they share with
// the bot.

// in returns who speaks the language of a room.
func (f *Feature) in(tx *store.Tx, room protocol.RoomID) say.Speaker {
	return words.In(languages.Room(tx, room))
}

// to returns who speaks to somebody alone, about a room.
func (f *Feature) to(tx *store.Tx, room protocol.RoomID, user protocol.UserID) say.Speaker {
	return words.In(languages.To(tx, user, cmp.Or(room, commands.Chosen(tx, user))))
}

// here returns who answers a command where it was given.
func (f *Feature) here(c *commands.Call) say.Speaker {
	return words.In(c.Language())
}

// alone returns who answers a command to the person alone.
func (f *Feature) alone(c *commands.Call) say.Speaker { return words.In(c.OwnLanguage()) }

// sorry returns the error with which a command tells the person what is wrong.
func sorry(s say.Speaker, id string, slots ...say.Slot) error {
	return commands.Sorry(s.Say(id, slots...))
}

// inRoom says something to somebody alone that is about a room, and names it.
func inRoom(s say.Speaker, title string, text protocol.Text) protocol.Text {
	return s.Say("in", say.Place("Room", protocol.Plain(protocol.Quoted(title, 0))), say.Part("Text", text))
}

package votes

import (
	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
	"moot/votes/words"
)

// What is said in a room is said in the language of the room, and to somebody alone in that of the room that it is about; what is
// about none, in that of the room that they have chosen, or of the only one that they share with the bot.

// in returns who speaks the language of a room.
func (f *Feature) in(tx *store.Tx, room protocol.RoomID) say.Speaker {
	return words.In(f.settings.Language(tx, room))
}

// to returns who speaks to somebody alone, about a room.
func (f *Feature) to(tx *store.Tx, room protocol.RoomID, user protocol.UserID) say.Speaker {
	if room == "" {
		room = commands.Chosen(tx, user)
	}
	if room == "" {
		if own := commands.OwnRooms(tx, user); len(own) == 1 {
			room = own[0].ID
		}
	}
	return f.in(tx, room)
}

// here returns who answers a command where it was given.
func (f *Feature) here(c *commands.Call) say.Speaker {
	if c.Event.Private || c.Command.Visibility.In(c.Event) == commands.Private {
		return f.alone(c)
	}
	return f.in(c.Tx, c.Room.ID)
}

// alone returns who answers a command to the person alone.
func (f *Feature) alone(c *commands.Call) say.Speaker { return f.to(c.Tx, c.Room.ID, c.Person) }

// sorry returns the error with which a command tells the person what is wrong.
func sorry(s say.Speaker, id string, slots ...say.Slot) error {
	return commands.Sorry(s.Say(id, slots...))
}

// inRoom says something to somebody alone that is about a room, and names it.
func inRoom(s say.Speaker, title string, text protocol.Text) protocol.Text {
	return s.Say("in", say.Place("Room", protocol.Plain(protocol.Quoted(title, 0))), say.Part("Text", text))
}

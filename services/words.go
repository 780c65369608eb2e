package services

import (
	"embed"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

//go:embed en.toml de.toml
var files embed.FS

var catalogue = say.New(files)

// of returns who speaks where the answer of a job belongs.
func of(tx *store.Tx, o Origin) say.Speaker {
	if o.Whisper || o.Private {
		about := o.Room
		if o.Private {
			about = ""
		}
		return catalogue.In(languages.To(tx, o.Sender, about))
	}
	return in(tx, o.Room)
}

// in returns who speaks in a room.
func in(tx *store.Tx, room protocol.RoomID) say.Speaker {
	return catalogue.In(languages.Room(tx, room))
}

// to returns who speaks to somebody alone, about what is about no room.
func to(tx *store.Tx, user protocol.UserID) say.Speaker {
	return catalogue.In(languages.To(tx, user, ""))
}

// named is the name of a service, or of a command of one.
func named(slot, name string) say.Slot { return say.Code(slot, protocol.Plain(name)) }

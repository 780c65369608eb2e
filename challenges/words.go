package challenges

import (
	"embed"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

//go:embed *.toml
var files embed.FS

var catalogue = say.New(files)

// in returns who speaks in a room, and to who speaks to somebody alone about one.
func in(tx *store.Tx, room protocol.RoomID) say.Speaker {
	return catalogue.In(languages.Room(tx, room))
}

func to(tx *store.Tx, user protocol.UserID, room protocol.RoomID) say.Speaker {
	return catalogue.In(languages.To(tx, user, room))
}

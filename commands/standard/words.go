package standard

import (
	"embed"

	"moot/commands"
	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

//go:embed *.toml
var files embed.FS

var catalogue = say.New(files)

// answers returns who speaks in the answer of a command, and to who speaks to somebody alone.
func answers(c *commands.Call) say.Speaker { return catalogue.In(c.Language()) }

func to(tx *store.Tx, user protocol.UserID) say.Speaker {
	return catalogue.In(languages.To(tx, user, ""))
}

// titled is a room as a sentence names it, and id somebody by their id.
func titled(info rooms.Info) say.Slot  { return say.Place("Room", protocol.Plain(title(info.Title()))) }
func id(user protocol.UserID) say.Slot { return code("ID", string(user)) }

func code(name, line string) say.Slot { return say.Code(name, protocol.Code(line)) }

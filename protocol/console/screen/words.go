package screen

import (
	"embed"

	"moot/internal/say"
	"moot/protocol"
)

//go:embed en.toml de.toml
var files embed.FS

var catalogue = say.New(files)

// Words says what stands on cards and in steps, for those who make them.
func Words(l say.Language) say.Speaker { return catalogue.In(l) }

func whom(slot, name string) say.Slot    { return say.Person(slot, protocol.Plain(name)) }
func inRoom(slot, title string) say.Slot { return say.Place(slot, protocol.Plain(title)) }
func wrote(slot, text string) say.Slot   { return say.Words(slot, protocol.Plain(text)) }

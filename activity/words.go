package activity

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

// to returns who speaks to somebody alone, about what is about no room.
func to(tx *store.Tx, user protocol.UserID) say.Speaker {
	return catalogue.In(languages.To(tx, user, ""))
}

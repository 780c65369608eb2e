package rooms

import (
	"embed"

	"moot/internal/say"
)

//go:embed en.toml de.toml
var files embed.FS

var catalogue = say.New(files)

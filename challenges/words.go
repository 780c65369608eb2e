package challenges

import (
	"embed"

	"moot/internal/say"
)

//go:embed *.toml
var files embed.FS

var catalogue = say.New(files)

package apart

import (
	"embed"
	"fmt"

	"moot/internal/say"
)

//go:embed en.toml de.toml
var files embed.FS

var catalogue = say.New(files)

// times says how often something was done.
func times(speak say.Speaker, slot string, n int) say.Slot {
	if id := fmt.Sprintf("times-%d", n); speak.Has(id) {
		return say.Part(slot, speak.Say(id))
	}
	return say.Part(slot, speak.Say("times", say.Number("N", n)))
}

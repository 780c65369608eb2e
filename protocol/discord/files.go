package discord

import (
	"moot/protocol"
	"moot/protocol/discord/rest"
)

// attachment names a file that goes with a message by its place among them.
type attachment struct {
	ID   string `json:"id"` // a number; Discord's description of its API wants text
	Name string `json:"filename"`
	// Alt is what is read out in place of a picture.
	Alt string `json:"description,omitempty"`
}

// attached is a file of a message that stands.
type attached struct {
	Name string `json:"filename"`
	Size int    `json:"size"`
}

// maxAlt is how many characters the description of a file may have.
// https://discord.com/developers/docs/resources/message#attachment-object
const maxAlt = 1024

// checkFile refuses a file that is none; nil is one to refuse nothing about.
func checkFile(f *protocol.File) error {
	if f == nil {
		return nil
	}
	if err := f.Check(); err != nil {
		return final(err)
	}
	return nil
}

// attach puts a file, unless it is nil, under a message that says this.
func (c *content) attach(f *protocol.File, text protocol.Text) {
	if f == nil {
		return
	}
	one := attachment{ID: "0", Name: f.Name}
	if f.IsPicture() {
		one.Alt = protocol.Shorten(text.Plain(), maxAlt)
	}
	c.Attachments = []attachment{one}
	c.files = []rest.File{{Name: f.Name, Type: f.Type, Data: f.Data}}
}

// carries reports whether a message that stands has these files.
func (m message) carries(files []rest.File) bool {
	if len(m.Files) != len(files) {
		return false
	}
	for i, f := range files {
		if m.Files[i].Name != f.Name || m.Files[i].Size != len(f.Data) {
			return false
		}
	}
	return true
}

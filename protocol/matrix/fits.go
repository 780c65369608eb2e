package matrix

import (
	"encoding/json"

	"moot/protocol"
)

// maxContent is how many bytes of JSON the content of a message may have. Sealed it becomes a third longer, and an event has
// at most 65,536 bytes with all that stands around it (Client-Server API, section "Size limits").
const maxContent = 44 << 10

// Fits reports whether a text is one message of Matrix, and can be edited as one.
func Fits(t protocol.Text) bool {
	if size(t) > maxPart/2 {
		return false
	}
	data, err := json.Marshal(editContent(t, "$placeholder"))
	return err == nil && len(data) <= maxContent
}

// Fits implements protocol.Measurer.
func (a *Adapter) Fits(t protocol.Text) bool { return Fits(t) }

var _ protocol.Measurer = (*Adapter)(nil)

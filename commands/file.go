package commands

import (
	"moot/outbox"
	"moot/protocol"
)

// file is [Call.WhisperFile]. The file lies in the outbox until it is sent, and what is said otherwise beside it.
func (r *run) file(text protocol.Text, file protocol.File, otherwise protocol.Text) error {
	if err := file.Check(); err != nil {
		return err
	}
	r.said = true
	o := r.replyTo(r.ev, Private, r.placed(Private, text), &file)
	o.Else = []protocol.Outgoing{r.replyTo(r.ev, Private, r.placed(Private, otherwise), nil)}
	key, err := outbox.Send(r.tx, o)
	r.key = key
	return err
}

package extending

import "moot/protocol"

// letter is a message as people see it.
type letter struct {
	ref       protocol.Ref
	by        protocol.UserID
	text      string
	reactions map[protocol.Ref]string // by the event that each is
}

// noteLocked does to what people see what the bot has sent.
func (p *Post) noteLocked(act protocol.Act, ref, original protocol.Ref) {
	switch act := act.(type) {
	case protocol.Say:
		p.seen = append(p.seen, &letter{ref: ref, by: PostBot, text: act.Text.Plain()})
	case protocol.Whisper:
		p.seen = append(p.seen, &letter{ref: ref, by: PostBot, text: act.Text.Plain()})
	case protocol.Revise:
		for _, l := range p.seen {
			if l.ref == original {
				l.text = act.Text.Plain()
			}
		}
	case protocol.React:
		for _, l := range p.seen {
			if l.ref == original || l.ref.Event == act.Target && l.ref.Room == PostRoom {
				l.reactions = map[protocol.Ref]string{ref: act.Reaction}
			}
		}
	}
}

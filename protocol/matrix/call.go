package matrix

import "moot/protocol"

// call reads that somebody is in a call, or no longer: m.call.member (MSC3401, MSC4143). Each device of a person has an event
// of its own, whose content is empty when it has left; older clients keep all devices in one event.
func (r reader) call(ev *rawEvent) protocol.Body {
	var c struct {
		Call        *word `json:"call_id"`
		Application word  `json:"application"`
		Memberships []struct {
			Call word `json:"call_id"`
		} `json:"memberships"`
	}
	if !into(ev.Content, &c) {
		return r.malformed(ev, "it has no content")
	}
	presence := func(name string) protocol.Body {
		if name == "" {
			name = "call" // the one call of the room has no name
		}
		if protocol.CheckID(name) != nil {
			return r.malformed(ev, "it names no call that can be")
		}
		return protocol.VoicePresence{Call: protocol.PlaceID(name), Bot: string(ev.Sender) == string(r.self)}
	}
	switch {
	case c.Call != nil || c.Application != "":
		name := ""
		if c.Call != nil {
			name = string(*c.Call)
		}
		return presence(name)
	case len(c.Memberships) > 0:
		return presence(string(c.Memberships[0].Call))
	}
	return protocol.VoicePresence{Bot: string(ev.Sender) == string(r.self)}
}

package matrix

import (
	"time"

	"moot/protocol"
)

// call reads that somebody is in a call, or no longer: m.call.member (MSC3401, MSC4143). Each device of a person has an event
// of its own, whose content is empty when it has left; older clients keep all devices in one event.
func (r reader) call(ev *rawEvent) protocol.Body {
	var c struct {
		Call        *word  `json:"call_id"`
		Application word   `json:"application"`
		Created     number `json:"created_ts"`
		Expires     number `json:"expires"`
		Memberships []struct {
			Call    word   `json:"call_id"`
			Created number `json:"created_ts"`
			Expires number `json:"expires"`
		} `json:"memberships"`
	}
	if !into(ev.Content, &c) {
		return r.malformed(ev, "it has no content")
	}
	bot, device := string(ev.Sender) == string(r.self), protocol.Shorten(ev.state(), protocol.MaxID)
	presence := func(name string, until time.Time) protocol.Body {
		if name == "" {
			name = "call" // the one call of the room has no name
		}
		if protocol.CheckID(name) != nil {
			return r.malformed(ev, "it names no call that can be")
		}
		return protocol.VoicePresence{Call: protocol.PlaceID(name), Bot: bot, Device: device, Until: until}
	}
	switch {
	case c.Call != nil || c.Application != "":
		name := ""
		if c.Call != nil {
			name = string(*c.Call)
		}
		return presence(name, ev.callEnds(c.Created, c.Expires))
	case len(c.Memberships) > 0:
		var until time.Time
		for _, one := range c.Memberships {
			if ends := ev.callEnds(one.Created, one.Expires); ends.After(until) {
				until = ends
			}
		}
		return presence(string(c.Memberships[0].Call), until)
	}
	return protocol.VoicePresence{Bot: bot, Device: device}
}

// callLasts is for how long somebody is in a call whose event does not say it (MSC4143, and what clients take).
const callLasts = 4 * time.Hour

// callEnds returns when a membership of a call is over unless it is renewed: a program that dies does not say so. It counts
// from when the membership began, of which a renewal tells, but never from later than its own time.
func (ev *rawEvent) callEnds(created, expires number) time.Time {
	from, lasts := ev.time(), callLasts
	if began := created.time(); !began.IsZero() && (from.IsZero() || began.Before(from)) {
		from = began
	}
	if from.IsZero() {
		return time.Time{}
	}
	if most := 365 * 24 * time.Hour; expires.given && expires.value >= 0 {
		lasts = min(time.Duration(min(expires.value, most.Milliseconds()))*time.Millisecond, most)
	}
	return from.Add(lasts)
}

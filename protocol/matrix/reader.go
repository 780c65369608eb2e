package matrix

import (
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// reader puts events of one room into the words of the bot. It is pure: what it makes of an event depends on nothing but the
// event and its own fields.
type reader struct {
	self    id.UserID
	name    string // display name of the bot
	room    protocol.RoomID
	private bool
	history bool
	backlog bool
	// encrypted is whether the room is, at the place of the timeline that is being read.
	encrypted bool
	// creators are those who may do everything; nil where they are named among those who have powers.
	creators map[string]bool
	// space is whether the room is a space, in which programs show no messages (Client-Server API, "Spaces").
	space bool
}

// read reads an event. What breaks the rules of Matrix is Malformed; what has no meaning is Other.
func (r reader) read(ev *rawEvent) protocol.Event {
	out := protocol.Event{
		Room: r.room, ID: protocol.EventID(bounded(string(ev.ID))), Time: ev.time(),
		Private: r.private, History: r.history, Backlog: r.backlog,
	}
	if age := ev.Unsigned.Age; r.backlog && age.given {
		out.Age = max(time.Duration(min(age.value, maxAge))*time.Millisecond, 1)
	}
	if !isUser(string(ev.Sender)) {
		out.Body = r.malformed(ev, "its sender is no user id")
		return out
	}
	out.Sender = userID(id.UserID(ev.Sender))
	switch {
	case string(ev.Type) == event.EventRedaction.Type:
		out.Body = r.redaction(ev)
	case ev.redacted() && ev.Key == nil:
		out.Body = protocol.Other{Kind: "redacted " + bounded(string(ev.Type))}
	case ev.undone:
		out.Body = protocol.Other{Kind: bounded("undone " + string(ev.Type))}
	case ev.Key != nil:
		out.Body = r.stateEvent(ev)
	default:
		out.Body, out.Place = r.message(ev)
	}
	return out
}

// maxAge is the highest age of an event, in milliseconds: a hundred years.
const maxAge = 100 * 365 * 24 * 3600 * 1000

// stateEvent reads an event that says how something in the room is.
func (r reader) stateEvent(ev *rawEvent) protocol.Body {
	switch string(ev.Type) {
	case event.StateMember.Type:
		return r.member(ev)
	case callMember.Type, unstableCallMember.Type:
		return r.call(ev)
	}
	if changes := r.changes(ev); len(changes) > 0 {
		return protocol.RoomChange{Changes: changes}
	}
	switch string(ev.Type) {
	case event.StateEncryption.Type, event.StateTombstone.Type:
		return r.malformed(ev, "it lacks what it is about")
	}
	return protocol.Other{Kind: bounded(string(ev.Type))}
}

func (r reader) malformed(ev *rawEvent, reason string) protocol.Body {
	kind := bounded(string(ev.Type))
	if kind == "" {
		kind = "an event without a type"
	}
	return protocol.Malformed{Kind: kind, Reason: reason}
}

// bounded cuts an identifier that is too long for one anyway, so that it is not carried around.
func bounded(s string) string {
	if len(s) > protocol.MaxID+1 {
		return s[:protocol.MaxID+1]
	}
	return s
}

// redaction reads that something was removed. From room version 11 on what it removes stands in the content.
func (r reader) redaction(ev *rawEvent) protocol.Body {
	var content struct {
		Redacts word `json:"redacts"`
		Reason  word `json:"reason"`
	}
	into(ev.Content, &content)
	target := string(ev.Redacts)
	if target == "" {
		target = string(content.Redacts)
	}
	if protocol.CheckID(target) != nil {
		return r.malformed(ev, "it does not say what it removes")
	}
	return protocol.Deletion{Target: protocol.EventID(target), Reason: string(content.Reason)}
}

// ownKey returns the key under which the bot has sent an event, and the number of its part, zero where somebody else or
// another program has. It stands in the content, and for those who have sent it in the transaction id.
func (r reader) ownKey(ev *rawEvent, inContent string) (key protocol.Key, part string) {
	if string(ev.Sender) != string(r.self) {
		return "", ""
	}
	for _, s := range []string{inContent, string(ev.Unsigned.Transaction)} {
		k, part, _ := strings.Cut(s, ".")
		if isKey(k) {
			return protocol.Key(k), part
		}
	}
	return "", ""
}

// isKey reports whether a string looks like a protocol.Key: 24 characters of base32 in lower case.
func isKey(s string) bool {
	if len(s) != 24 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

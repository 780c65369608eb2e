package matrix

import (
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// memberContent is the content of m.room.member.
type memberContent struct {
	Membership word `json:"membership"`
	Name       word `json:"displayname"`
	Reason     word `json:"reason"`
	Direct     yes  `json:"is_direct"`
}

func memberOf(content object) (m memberContent, ok bool) {
	ok = into(content, &m)
	return m, ok
}

// membershipOf returns the membership of a content; zero where there is none.
func membershipOf(content object) string {
	m, _ := memberOf(content)
	return string(m.Membership)
}

// member reads a change of membership.
func (r reader) member(ev *rawEvent) protocol.Body {
	if !isUser(ev.state()) {
		return r.malformed(ev, "its state key is no user id")
	}
	m, ok := memberOf(ev.Content)
	if !ok {
		return r.malformed(ev, "it has no content")
	}
	user := userID(id.UserID(ev.state()))
	out := protocol.MemberChange{User: user, Self: ev.state() == string(r.self), Name: string(m.Name), Reason: string(m.Reason)}
	out.Bot = out.Self
	was := membershipOf(ev.before())
	switch m.Membership {
	case "join":
		out.Membership, out.Profile = protocol.Joined, was == "join"
		if out.Name == "" && !out.Profile {
			out.Name = user.Local()
		}
	case "leave":
		out.Membership = protocol.Left
		if string(ev.Sender) != ev.state() && (was == "join" || was == "") {
			out.Membership = protocol.Kicked
		}
	case "ban":
		out.Membership = protocol.Banned
	case "invite":
		out.Membership, out.Direct = protocol.Invited, bool(m.Direct)
	case "knock":
		out.Membership = protocol.Knocking
	default:
		return r.malformed(ev, "it names no membership that there is")
	}
	return out
}

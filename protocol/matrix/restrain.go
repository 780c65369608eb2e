package matrix

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"moot/protocol"
)

// restrainedField is a field of m.room.power_levels in which the bot notes whom it has taken the power to write, and which
// level they had before: null where they were not named. The specification leaves room for fields that it does not know. It
// bridges the moment between the change and the record of it; afterwards the record alone counts, since others who may
// change power levels may write there too.
const restrainedField = "org.moot.restrained"

// restrain lets somebody write no more in a room, or again. Matrix has no way to change one level alone: between reading
// and writing another client may change the levels too, and is then overwritten. The span is that of one request.
func (r *run) restrain(ctx context.Context, room protocol.RoomID, want protocol.AskRestrain, enforce bool) (protocol.Body, error) {
	answer := protocol.Restrained{User: want.User, On: want.On}
	if want.On && !enforce {
		answer.On, answer.Refused = false, protocol.RefusedOff
		return answer, nil
	}
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "state", event.StatePowerLevels.Type}
	var stands object
	err := r.request(ctx, http.MethodGet, path, url.Values{"format": {"event"}}, nil, &stands)
	if err != nil && !isCode(err, mautrix.MNotFound) {
		return nil, r.failure(ctx, "read the powers in "+string(room), room, err)
	}
	ev := readEvent(stands)
	if ev.Content == nil && string(ev.Type) == "" {
		ev.Content = stands // a server that gives the content alone
	}
	may, err := r.powers(ctx, room)
	if err != nil {
		return nil, err
	}
	l := levels{content: ev.Content, may: may, self: string(r.self), own: string(ev.Sender) == string(r.self)}
	next, before, refused, err := l.restrained(want.User.Local(), want.On, want.Before)
	switch {
	case err != nil:
		return nil, final("read the powers in %s: %w", room, err)
	case refused != "":
		answer.On, answer.Refused = !want.On, refused
		return answer, nil
	}
	answer.Before = before
	if next == nil {
		return answer, nil
	}
	err = r.request(ctx, http.MethodPut, path, nil, next, nil)
	if isCode(err, mautrix.MForbidden) && r.isIn(ctx, room) {
		answer.On, answer.Refused, answer.Before = !want.On, protocol.RefusedPower, ""
		return answer, nil
	}
	if err != nil {
		return nil, r.failure(ctx, "change the powers in "+string(room), room, err)
	}
	return answer, nil
}

// levels are the power levels of a room as they stand.
type levels struct {
	content object
	may     powers
	self    string
	own     bool // whether the bot itself was the last to change them
}

// restrained returns the content of m.room.power_levels with which somebody is restrained, or no more; nil where it is so
// already. Before is the level that they had, as JSON, if it is the bot that holds them back: zero otherwise. Refused is why
// it cannot be, by the rules of the specification ("Authorization rules", rule 9 of room version 11).
func (l levels) restrained(user string, on bool, recorded string) (next map[string]json.RawMessage, before string, refused protocol.Refusal, err error) {
	next = map[string]json.RawMessage{}
	users, marks := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if len(l.content) > 0 {
		if err := json.Unmarshal(l.content, &next); err != nil {
			return nil, "", "", err
		}
	}
	into(next["users"], &users)
	into(next[restrainedField], &marks)
	level := func(who string) int64 {
		if n, named := l.may.users[who]; named {
			return n
		}
		return l.may.fallback
	}
	before = recorded
	if mark, marked := marks[user]; before == "" && marked && l.own {
		before = string(mark)
	}
	muted := level(user) < writes(next)
	switch {
	case on && muted, !on && before == "", !on && !muted:
		return nil, before, "", nil // it is so, or somebody else has made it so
	case l.may.creators[user]:
		return nil, "", protocol.RefusedOutranked, nil
	case l.may.creators[l.self]:
	case level(l.self) < setsPowers(next):
		return nil, "", protocol.RefusedPower, nil
	case level(user) >= level(l.self):
		return nil, "", protocol.RefusedOutranked, nil
	}
	if on {
		before = "null"
		if n, named := users[user]; named {
			before = string(n)
		}
		marks[user] = json.RawMessage(before)
		users[user] = encoded(min(-1, writes(next)-1))
	} else {
		delete(marks, user)
		delete(users, user)
		var n number
		if json.Unmarshal([]byte(before), &n) == nil && n.given && (n.value <= level(l.self) || l.may.creators[l.self]) {
			users[user] = encoded(n.value) // nobody can give more than they have
		}
	}
	next["users"] = encoded(users)
	next[restrainedField] = encoded(marks)
	if len(marks) == 0 {
		delete(next, restrainedField)
	}
	return next, before, "", nil
}

// writes returns what it takes to write a message, and setsPowers to change who may do what.
func writes(content map[string]json.RawMessage) int64 {
	return takes(content, event.EventMessage.Type, "events_default", 0)
}

func setsPowers(content map[string]json.RawMessage) int64 {
	return takes(content, event.StatePowerLevels.Type, "state_default", 50)
}

func takes(content map[string]json.RawMessage, kind, otherwise string, fallback int64) int64 {
	kinds := map[string]number{}
	into(content["events"], &kinds)
	var rest number
	if raw, ok := content[otherwise]; ok && json.Unmarshal(raw, &rest) == nil && rest.given {
		fallback = rest.value
	}
	if n := kinds[kind]; n.given {
		return n.value
	}
	return fallback
}

func encoded(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers, and objects that were read as such, can be encoded
	}
	return data
}

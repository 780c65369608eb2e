package matrix

import (
	"context"
	"encoding/json"
	"net/http"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"moot/protocol"
)

// restrainedField is a field of m.room.power_levels in which the bot notes whom it has taken the power to write, and which
// level they had before: null where they were not named. The specification leaves room for fields that it does not know.
const restrainedField = "moot.restrained"

// restrain lets somebody write no more in a room, or again. Matrix has no way to change one level alone: between reading
// and writing another client may change the levels too, and is then overwritten. The span is that of one request.
func (r *run) restrain(ctx context.Context, room protocol.RoomID, want protocol.AskRestrain, enforce bool) (protocol.Body, error) {
	answer := protocol.Restrained{User: want.User, On: want.On}
	if want.On && !enforce {
		answer.On, answer.Refused = false, protocol.RefusedOff
		return answer, nil
	}
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "state", event.StatePowerLevels.Type}
	var content object
	err := r.request(ctx, http.MethodGet, path, nil, nil, &content)
	if err != nil && !isCode(err, mautrix.MNotFound) {
		return nil, r.failure(ctx, "read the powers in "+string(room), room, err)
	}
	may, err := r.powers(ctx, room)
	if err != nil {
		return nil, err
	}
	next, refused, err := restrained(content, may, string(r.self), want.User.Local(), want.On)
	switch {
	case err != nil:
		return nil, final("read the powers in %s: %w", room, err)
	case refused != "":
		answer.On, answer.Refused = !want.On, refused
		return answer, nil
	case next == nil:
		return answer, nil
	}
	err = r.request(ctx, http.MethodPut, path, nil, next, nil)
	if isCode(err, mautrix.MForbidden) && r.isIn(ctx, room) {
		answer.On, answer.Refused = !want.On, protocol.RefusedPower
		return answer, nil
	}
	if err != nil {
		return nil, r.failure(ctx, "change the powers in "+string(room), room, err)
	}
	return answer, nil
}

// restrained returns the content of m.room.power_levels with which somebody is restrained, or no more; nil where it is so
// already, and why it cannot be, by the rules of the specification ("Authorization rules", rule 9 of room version 11).
func restrained(content object, may powers, self, user string, on bool) (next map[string]json.RawMessage, refused protocol.Refusal, err error) {
	next = map[string]json.RawMessage{}
	users, marks := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if len(content) > 0 {
		if err := json.Unmarshal(content, &next); err != nil {
			return nil, "", err
		}
	}
	into(next["users"], &users)
	into(next[restrainedField], &marks)
	level := func(who string) int64 {
		if l, named := may.users[who]; named {
			return l
		}
		return may.fallback
	}
	before, marked := marks[user]
	muted := level(user) < writes(next)
	switch {
	case on && muted, !on && !marked, !on && !muted:
		return nil, "", nil // it is so, whoever has made it so
	case may.creators[user]:
		return nil, protocol.RefusedOutranked, nil
	case may.creators[self]:
	case level(self) < setsPowers(next):
		return nil, protocol.RefusedPower, nil
	case level(user) >= level(self):
		return nil, protocol.RefusedOutranked, nil
	}
	if on {
		was := json.RawMessage("null")
		if l, named := users[user]; named {
			was = l
		}
		marks[user] = was
		users[user] = encoded(min(-1, writes(next)-1))
	} else {
		delete(marks, user)
		delete(users, user)
		var l number
		if json.Unmarshal(before, &l) == nil && l.given && (l.value <= level(self) || may.creators[self]) {
			users[user] = encoded(l.value) // nobody can give more than they have
		}
	}
	next["users"] = encoded(users)
	next[restrainedField] = encoded(marks)
	if len(marks) == 0 {
		delete(next, restrainedField)
	}
	return next, "", nil
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

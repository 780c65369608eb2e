package activity

import (
	"encoding/json"
	"maps"
	"time"

	"moot/protocol"
	"moot/store"
)

var (
	presences = store.ScopedBucket("activity-voice")
	byCall    = store.ScopedBucket("activity-calls")
)

// presence is that somebody, who is no bot, is in a call.
type presence struct {
	Call string `json:"c"`
	Deaf bool   `json:"d,omitempty"`
	AFK  bool   `json:"a,omitempty"`
	// Number names its timer. It is given once in a room: the number of the person would outlive them in a cause.
	Number uint64 `json:"n"`
	Gen    uint64 `json:"g"` // of the bot's membership
	// Since is from when on the time counts; zero while it does not.
	Since time.Time `json:"s,omitzero"`
	// Until is when it is over unless it is said anew; zero where the network notices that.
	Until time.Time `json:"u,omitzero"`
	// Devices are those with which they are there, each with its Until; nil where the network tells of people.
	Devices map[string]time.Time `json:"v,omitempty"`
}

// maxDevices is with how many devices somebody is in a call. Who has more there leaves with the last that came.
const maxDevices = 20

// with adds a device with which somebody is there, or hears anew of one.
func (p presence) with(device string, until, now time.Time) presence {
	if device == "" {
		p.Until = until
		return p
	}
	p, _ = p.without(device, now)
	if p.Devices == nil {
		p.Devices = map[string]time.Time{}
	}
	if len(p.Devices) >= maxDevices {
		clear(p.Devices)
	}
	p.Devices[device] = until
	p.Until = latest(p.Devices)
	return p
}

// without takes a device away, and those of which nothing was heard for too long, and reports whether others are left.
func (p presence) without(device string, now time.Time) (presence, bool) {
	p.Devices = maps.Clone(p.Devices)
	maps.DeleteFunc(p.Devices, func(d string, until time.Time) bool { return d == device || !until.IsZero() && now.After(until) })
	p.Until = latest(p.Devices)
	return p, len(p.Devices) > 0
}

// latest returns when the last of the devices is gone; zero where one never is.
func latest(devices map[string]time.Time) (until time.Time) {
	for _, u := range devices {
		if u.IsZero() {
			return u
		}
		until = later(until, u)
	}
	return until
}

// over reports whether nothing was said of it for too long.
func (p presence) over(now time.Time) bool { return !p.Until.IsZero() && now.After(p.Until) }

// callName returns what stands for a call in keys: itself, where it can.
func callName(call protocol.PlaceID) string {
	if protocol.CheckID(string(call)) != nil {
		return "!" + string(protocol.DeriveKey(string(call)))
	}
	return string(call)
}

// getPresence returns the presence of a person, void or not.
func getPresence(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (p presence, ok bool) {
	v := tx.Get(presences, store.Key(room, string(user)))
	return p, v != nil && json.Unmarshal(v, &p) == nil
}

// presence returns the presence of a person, if they are in a call.
func (c *calls) presence(user protocol.UserID) (presence, bool) {
	p, ok := getPresence(c.tx, c.room, user)
	return p, ok && c.info.Joined() && p.Gen == c.info.Generation
}

// put sets the presence of a person.
func (c *calls) put(user protocol.UserID, p presence) {
	if was, ok := getPresence(c.tx, c.room, user); ok && (was.Gen != p.Gen || was.Number != p.Number) {
		c.drop(user) // a void one
	}
	v, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings, numbers and times of this century can be encoded
	}
	c.tx.Put(presences, store.Key(c.room, string(user)), v)
	if key := c.callKey(p, user); !c.tx.Has(byCall, key) {
		c.tx.Put(byCall, key, nil)
	}
}

// drop removes the presence of a person, void or not, and its timer. Without one it does nothing.
func (c *calls) drop(user protocol.UserID) {
	p, ok := getPresence(c.tx, c.room, user)
	if !ok {
		return
	}
	c.tx.StopTimer(p.timer())
	c.tx.Delete(presences, store.Key(c.room, string(user)))
	c.tx.Delete(byCall, c.callKey(p, user))
}

// in returns at most limit of those who are in a call, without those of whom nothing was heard for too long.
func (c *calls) in(call string, limit int) (users []protocol.UserID) {
	prefix := c.callKey(presence{Call: call, Gen: c.info.Generation}, "")
	for k := range c.tx.Prefix(byCall, prefix) {
		user := protocol.UserID(k[len(prefix):])
		if p, ok := getPresence(c.tx, c.room, user); ok && p.over(c.tx.Now()) {
			continue
		}
		if users = append(users, user); len(users) == limit {
			break
		}
	}
	return users
}

func (c *calls) callKey(p presence, user protocol.UserID) string {
	return store.Key(c.room, store.Number(p.Gen), p.Call, string(user))
}

package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moot/internal/say"
	"moot/protocol"
)

// Join lets somebody into a room, unless they are banned from it.
func (w *World) Join(in protocol.RoomID, user protocol.UserID) error {
	return w.act(user, func(c *change) error {
		rm, err := c.open(in)
		if err != nil {
			return err
		}
		if _, err := c.person(user); err != nil {
			return err
		}
		switch rm.membership(user) {
		case protocol.Joined:
			return c.refuse(ErrNoChange, "already-in", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		case protocol.Banned:
			return c.refuse(ErrBanned, "banned-join", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		}
		return c.join(rm, user, "")
	})
}

// Leave lets somebody out of a room.
func (w *World) Leave(in protocol.RoomID, user protocol.UserID) error {
	return w.act(user, func(c *change) error {
		rm, err := c.inside(in)
		if err != nil {
			return err
		}
		if rm.direct != "" {
			return c.refuse(ErrForbidden, "private-stays")
		}
		return c.set(rm, user, protocol.Left, "")
	})
}

// Invite asks somebody in. People join by Join; the bot comes by itself, as soon as its adapter runs.
func (w *World) Invite(in protocol.RoomID, by, user protocol.UserID) error {
	return w.act(by, func(c *change) error {
		rm, err := c.target(in, user)
		if err != nil {
			return err
		}
		switch rm.membership(user) {
		case protocol.Joined:
			return c.refuse(ErrNoChange, "already-in", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		case protocol.Invited:
			return c.refuse(ErrNoChange, "already-invited", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		case protocol.Banned:
			return c.refuse(ErrBanned, "banned-invite", whom("Who", c.name(user)), inRoom("Room", c.title(rm)), code("Name", user.Local()))
		}
		return c.set(rm, user, protocol.Invited, "")
	})
}

// Kick lets a moderator put somebody out, who may come back.
func (w *World) Kick(in protocol.RoomID, by, user protocol.UserID, reason string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.target(in, user)
		if err != nil {
			return err
		}
		if err := c.moderating(rm); err != nil {
			return err
		}
		if !rm.has(user) {
			return c.refuse(ErrNotMember, "not-in", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		}
		return c.set(rm, user, protocol.Kicked, reason)
	})
}

// Ban lets a moderator put somebody out who may not come back.
func (w *World) Ban(in protocol.RoomID, by, user protocol.UserID, reason string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.target(in, user)
		if err != nil {
			return err
		}
		if err := c.moderating(rm); err != nil {
			return err
		}
		if rm.membership(user) == protocol.Banned {
			return c.refuse(ErrNoChange, "already-banned", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		}
		return c.set(rm, user, protocol.Banned, reason)
	})
}

// Unban lets a moderator lift a ban. The person is then outside.
func (w *World) Unban(in protocol.RoomID, by, user protocol.UserID, reason string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.target(in, user)
		if err != nil {
			return err
		}
		if err := c.moderating(rm); err != nil {
			return err
		}
		if rm.membership(user) != protocol.Banned {
			return c.refuse(ErrNoChange, "not-banned", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		}
		return c.set(rm, user, protocol.Left, reason)
	})
}

// SetModerator lets a moderator make somebody one, or take it from them.
func (w *World) SetModerator(in protocol.RoomID, by, user protocol.UserID, on bool) error {
	return w.act(by, func(c *change) error {
		rm, err := c.target(in, user)
		if err != nil {
			return err
		}
		if err := c.moderating(rm); err != nil {
			return err
		}
		is := rm.power(user) == protocol.PowerModerator
		switch {
		case is && on:
			return c.refuse(ErrNoChange, "already-moderator", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		case !is && !on:
			return c.refuse(ErrNoChange, "no-moderator", whom("Who", c.name(user)), inRoom("Room", c.title(rm)))
		}
		mods := slices.DeleteFunc(slices.Clone(rm.moderators), func(u protocol.UserID) bool { return u == user })
		if on {
			mods = append(mods, user)
		}
		_, err = c.add(in, powersSet{mods})
		return err
	})
}

// RenameRoom lets a moderator give the room another name.
func (w *World) RenameRoom(in protocol.RoomID, by protocol.UserID, name string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.inside(in)
		if err != nil {
			return err
		}
		if err := c.moderating(rm); err != nil {
			return err
		}
		if err := c.checkNick(name); err != nil {
			return err
		}
		_, err = c.add(in, roomNamed{name})
		return err
	})
}

// SetTopic lets a moderator give the room another topic. An empty one takes it away.
func (w *World) SetTopic(in protocol.RoomID, by protocol.UserID, topic string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.inside(in)
		if err != nil {
			return err
		}
		if err := c.moderating(rm); err != nil {
			return err
		}
		if len(topic) > MaxText {
			return c.refuse(ErrBadText, "topic-long", say.Number("Most", MaxText))
		}
		_, err = c.add(in, topicSet{topic})
		return err
	})
}

// SetNick gives a person another display name, everywhere.
func (w *World) SetNick(user protocol.UserID, name string) error {
	return w.act(user, func(c *change) error {
		if _, err := c.person(user); err != nil {
			return err
		}
		if err := c.checkNick(name); err != nil {
			return err
		}
		if _, err := c.add("", personNamed{user, name}); err != nil {
			return err
		}
		for _, id := range c.everywhere {
			if c.rooms[id].has(user) {
				d := memberSet{User: user, Membership: protocol.Joined, Profile: true, Name: name}
				if _, err := c.add(id, d); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// AddPerson brings somebody new into the world, who is in no room yet.
func (w *World) AddPerson(name string) (user protocol.UserID, err error) {
	err = w.act("", func(c *change) error {
		local, err := c.localName("person", name)
		if err != nil {
			return err
		}
		user = userID(local)
		if c.people[user] != nil {
			return c.refuse(ErrBadName, "called-person", whom("Name", local))
		}
		_, err = c.add("", personMade{User: user, Name: protocol.OneLine(name)})
		return err
	})
	return user, err
}

// CreateRoom makes a room with the person as its member and moderator.
func (w *World) CreateRoom(by protocol.UserID, name string) (id protocol.RoomID, err error) {
	err = w.act(by, func(c *change) error {
		if _, err := c.person(by); err != nil {
			return err
		}
		local, err := c.localName("room", name)
		if err != nil {
			return err
		}
		id = roomID(local)
		if c.rooms[id] != nil {
			return c.refuse(ErrBadName, "called-room", inRoom("Name", local))
		}
		begins := roomState{Name: protocol.OneLine(name), Moderators: []protocol.UserID{by}}
		if _, err := c.add(id, roomMade{roomState: begins}); err != nil {
			return err
		}
		return c.join(c.rooms[id], by, "")
	})
	return id, err
}

// The reasons of those who go along from a room to its successor.
const (
	movedOn = "the room goes on elsewhere"
	movedIn = "the room goes on here"
)

// Upgrade lets a moderator continue the room under another id. The people move there and the bot is invited; it
// stays behind in the old room, as networks leave it.
func (w *World) Upgrade(in protocol.RoomID, by protocol.UserID) (id protocol.RoomID, err error) {
	err = w.act(by, func(c *change) error {
		old, err := c.speaking(in)
		if err != nil {
			return err
		}
		if err := c.moderating(old); err != nil {
			return err
		}
		id = c.successorID(in)
		people := slices.DeleteFunc(old.joined(), func(u protocol.UserID) bool { return c.people[u].bot })
		if _, err := c.add(id, roomMade{roomState: old.state()}); err != nil {
			return err
		}
		if _, err := c.add(in, upgraded{id}); err != nil {
			return err
		}
		for _, user := range people {
			c.by = user
			if err := c.join(c.rooms[id], user, movedIn); err != nil {
				return err
			}
			if err := c.set(old, user, protocol.Left, movedOn); err != nil {
				return err
			}
		}
		c.by = by
		if old.has(Bot) {
			return c.set(c.rooms[id], Bot, protocol.Invited, "")
		}
		return nil
	})
	return id, err
}

// Direct returns the private conversation of a person with the bot, opened if there is none.
func (w *World) Direct(user protocol.UserID) (id protocol.RoomID, err error) {
	err = w.act(user, func(c *change) error {
		if p, err := c.person(user); err != nil {
			return err
		} else if p.bot {
			return c.refuse(ErrForbidden, "bot-itself", whom("Who", p.name))
		}
		id, err = c.direct(user)
		return err
	})
	return id, err
}

// direct finds or opens a private conversation, for the person or for the bot.
func (c *change) direct(user protocol.UserID) (protocol.RoomID, error) {
	id := directID(user)
	if c.rooms[id] != nil {
		return id, nil
	}
	if _, err := c.add(id, roomMade{Direct: user}); err != nil {
		return "", err
	}
	by := c.by
	defer func() { c.by = by }()
	for _, u := range []protocol.UserID{Bot, user} {
		c.by = u
		if err := c.join(c.rooms[id], u, ""); err != nil {
			return "", err
		}
	}
	return id, nil
}

// open finds a room that is no private conversation.
func (c *change) open(id protocol.RoomID) (*room, error) {
	rm, err := c.room(id)
	if err == nil && rm.direct != "" {
		return nil, c.refuse(ErrForbidden, "two-people")
	}
	return rm, err
}

// target checks that the one who acts is in the room and that the other exists.
func (c *change) target(in protocol.RoomID, user protocol.UserID) (*room, error) {
	rm, err := c.inside(in)
	if err != nil {
		return nil, err
	}
	if rm, err = c.open(rm.id); err != nil {
		return nil, err
	}
	_, err = c.person(user)
	return rm, err
}

func (c *change) join(rm *room, user protocol.UserID, reason string) error {
	d := memberSet{User: user, Membership: protocol.Joined, Name: c.people[user].name, Reason: reason}
	if user == Bot && rm.direct == "" {
		state := rm.state()
		d.State = &state
	}
	_, err := c.add(rm.id, d)
	return err
}

// set leads somebody out, or asks them in. Who is out is also out of the voice call.
func (c *change) set(rm *room, user protocol.UserID, to protocol.Membership, reason string) error {
	if m := rm.members[user]; m != nil && m.voice.Call != "" {
		by := c.by
		c.by = user
		if _, err := c.add(rm.id, voiceSet{}); err != nil {
			return err
		}
		c.by = by
	}
	_, err := c.add(rm.id, memberSet{User: user, Membership: to, Name: c.people[user].name, Reason: reason})
	return err
}

// successorID is the id under which a room goes on: lobby-2 after lobby, lobby-3 after lobby-2.
func (c *change) successorID(id protocol.RoomID) protocol.RoomID {
	base, n := id.Local(), 2
	if i := strings.LastIndexByte(base, '-'); i > 0 {
		if was, err := strconv.Atoi(base[i+1:]); err == nil && was >= 2 {
			base, n = base[:i], was+1
		}
	}
	for ; ; n++ {
		if next := roomID(fmt.Sprintf("%s-%d", base, n)); c.rooms[next] == nil {
			return next
		}
	}
}

package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
)

// MaxText is the longest text in bytes that anybody can say.
const MaxText = 1 << 20

const maxReaction = 64

// Say lets somebody say something in a room where they are. Names after an @ become mentions.
func (w *World) Say(in protocol.RoomID, by protocol.UserID, text string, replyTo protocol.EventID) (id protocol.EventID, err error) {
	err = w.act(by, func(c *change) error {
		rm, err := c.speaking(in)
		if err != nil {
			return err
		}
		if replyTo != "" {
			if _, err := c.standing(rm, replyTo); err != nil {
				return err
			}
		}
		if text, err = c.text(text); err != nil {
			return err
		}
		id, err = c.add(in, said{Text: text, ReplyTo: replyTo})
		return err
	})
	return id, err
}

// Edit replaces the text of one's own message.
func (w *World) Edit(in protocol.RoomID, by protocol.UserID, target protocol.EventID, text string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.speaking(in)
		if err != nil {
			return err
		}
		m, err := c.standing(rm, target)
		if err != nil {
			return err
		}
		if m.by != by {
			return c.refuse(ErrForbidden, "only-author", whom("Who", c.name(m.by)))
		}
		if text, err = c.text(text); err != nil {
			return err
		}
		_, err = c.add(in, edited{Target: target, Text: text})
		return err
	})
}

// Delete removes a message: one's own, or, for moderators, any.
func (w *World) Delete(in protocol.RoomID, by protocol.UserID, target protocol.EventID, reason string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.inside(in)
		if err != nil {
			return err
		}
		m, err := c.standing(rm, target)
		if err != nil {
			return err
		}
		if m.by != by {
			if err := c.moderating(rm); err != nil {
				return err
			}
		}
		_, err = c.add(in, deleted{Target: target, Reason: reason})
		return err
	})
}

// React adds a reaction to a message.
func (w *World) React(in protocol.RoomID, by protocol.UserID, target protocol.EventID, with string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.speaking(in)
		if err != nil {
			return err
		}
		m, err := c.standing(rm, target)
		if err != nil {
			return err
		}
		with = protocol.OneLine(with)
		if with == "" || len(with) > maxReaction {
			return c.refuse(ErrBadText, "reaction-word")
		}
		if rm.reactionOf(m, by, with) != "" {
			return c.refuse(ErrNoChange, "reacted-already", whom("Who", c.name(by)), wrote("Reaction", with))
		}
		_, err = c.add(in, reacted{Target: target, Reaction: with})
		return err
	})
}

// Unreact takes one's own reaction back.
func (w *World) Unreact(in protocol.RoomID, by protocol.UserID, target protocol.EventID, with string) error {
	return w.act(by, func(c *change) error {
		rm, err := c.inside(in)
		if err != nil {
			return err
		}
		m, err := c.standing(rm, target)
		if err != nil {
			return err
		}
		with = protocol.OneLine(with)
		id := rm.reactionOf(m, by, with)
		if id == "" {
			return c.refuse(ErrNoChange, "reacted-not", whom("Who", c.name(by)), say.Quoted("Reaction", with, 20))
		}
		_, err = c.add(in, deleted{Target: id})
		return err
	})
}

// Voice says whether somebody is in the room's voice call: not at all where Call is zero.
func (w *World) Voice(in protocol.RoomID, by protocol.UserID, to protocol.VoicePresence) error {
	return w.act(by, func(c *change) error {
		rm, err := c.inside(in)
		if err != nil {
			return err
		}
		v := voiceSet{to.Call, to.Deafened, to.AFK}
		if rm.members[by].voice == v {
			return c.refuse(ErrNoChange, "unchanged-voice", whom("Who", c.name(by)))
		}
		_, err = c.add(in, v)
		return err
	})
}

// Again delivers an event to the bot a second time, under the same id.
func (w *World) Again(in protocol.RoomID, target protocol.EventID) error {
	return w.act("", func(c *change) error {
		rm, err := c.room(in)
		if err != nil {
			return err
		}
		pos, ok := position(target)
		if !ok || !slices.Contains(rm.timeline, pos) {
			return c.refuse(ErrNoMessage, "no-event", code("Event", string(target)), inRoom("Room", c.title(rm)))
		}
		_, err = c.add(in, again{target})
		return err
	})
}

// Wait moves the clock forward.
func (w *World) Wait(d time.Duration) error {
	return w.act("", func(c *change) error {
		if d <= 0 || d > 100*365*day {
			return c.refuse(ErrNoChange, "time-forward")
		}
		if w.real {
			return c.refuse(ErrForbidden, "time-stands")
		}
		w.clock.move(d)
		_, err := c.add("", clockMoved{d})
		return err
	})
}

// FailMembers makes every reading of a member list fail, or work again.
func (w *World) FailMembers(on bool) error {
	return w.act("", func(c *change) error {
		if c.failMembers == on {
			return c.refuse(ErrNoChange, "unchanged")
		}
		_, err := c.add("", membersFail{on})
		return err
	})
}

// The checks that acts are made of.

func (c *change) room(id protocol.RoomID) (*room, error) {
	if rm := c.rooms[id]; rm != nil {
		return rm, nil
	}
	return nil, c.refuse(ErrNoRoom, "no-room", say.Quoted("Typed", id.Local(), 40))
}

func (c *change) person(id protocol.UserID) (*person, error) {
	if p := c.people[id]; p != nil {
		return p, nil
	}
	return nil, c.refuse(ErrNoPerson, "no-person", say.Quoted("Typed", id.Local(), 40))
}

// inside checks that the one who acts is in the room.
func (c *change) inside(id protocol.RoomID) (*room, error) {
	rm, err := c.room(id)
	if err != nil {
		return nil, err
	}
	if _, err := c.person(c.by); err != nil {
		return nil, err
	}
	if !rm.has(c.by) {
		if rm.direct != "" {
			return nil, c.refuse(ErrNotMember, "not-part", whom("Who", c.name(c.by)))
		}
		if rm.membership(c.by) == protocol.Banned {
			return nil, c.refuse(ErrBanned, "banned-from", whom("Who", c.name(c.by)), inRoom("Room", c.title(rm)))
		}
		return nil, c.refuse(ErrNotMember, "not-in-join", whom("Who", c.name(c.by)), inRoom("Room", c.title(rm)), code("Name", rm.id.Local()))
	}
	return rm, nil
}

// speaking checks that the one who acts may say something in the room.
func (c *change) speaking(id protocol.RoomID) (*room, error) {
	rm, err := c.inside(id)
	if err != nil {
		return nil, err
	}
	if rm.successor != "" {
		next := rm.successor.Local()
		return nil, c.refuse(ErrRoomClosed, "goes-on", inRoom("Room", c.title(rm)), inRoom("Successor", next), code("Name", next))
	}
	return rm, nil
}

// moderating checks that the one who acts is a moderator of the room.
func (c *change) moderating(rm *room) error {
	if rm.direct != "" {
		return c.refuse(ErrForbidden, "not-private")
	}
	if rm.power(c.by) == protocol.PowerModerator {
		return nil
	}
	var names []string
	for _, u := range rm.moderators {
		if rm.has(u) {
			names = append(names, c.name(u))
		}
	}
	if len(names) == 0 {
		return c.refuse(ErrForbidden, "moderators-none", inRoom("Room", c.title(rm)))
	}
	return c.refuse(ErrForbidden, "moderators-can", whom("Who", c.name(c.by)), inRoom("Room", c.title(rm)),
		say.Part("Moderators", c.speak.Or(texts(c.speak, names))))
}

// standing finds a message that was not deleted.
func (c *change) standing(rm *room, id protocol.EventID) (*message, error) {
	m := rm.messages[id]
	if m == nil {
		return nil, c.refuse(ErrNoMessage, "no-such-message", inRoom("Room", c.title(rm)))
	}
	if m.deletion != "" {
		return nil, c.refuse(ErrNoMessage, "was-deleted")
	}
	return m, nil
}

// text makes what somebody typed into what is kept.
func (c *change) text(typed string) (string, error) {
	typed = strings.ToValidUTF8(typed, "\uFFFD")
	if strings.TrimSpace(typed) == "" {
		return "", c.refuse(ErrBadText, "say-nothing")
	}
	if len(typed) > MaxText {
		return "", c.refuse(ErrBadText, "text-long", say.Number("Most", MaxText), say.Number("Size", len(typed)))
	}
	return c.withMentions(typed), nil
}

func (rm *room) reactionOf(m *message, by protocol.UserID, with string) protocol.EventID {
	for _, id := range m.reactions {
		if r := rm.reactions[id]; r.by == by && r.reaction == with {
			return id
		}
	}
	return ""
}

// name is how a person is called, and who they are where that does not say it.
func (s *state) name(id protocol.UserID) string {
	p := s.people[id]
	if p == nil {
		return protocol.Shorten(protocol.OneLine(id.Local()), maxName)
	}
	name := protocol.Shorten(protocol.OneLine(p.name), maxName)
	if alike.Fold(name) != alike.Fold(id.Local()) {
		for _, other := range s.people {
			if other != p && (alike.Fold(other.name) == alike.Fold(p.name) || alike.Fold(other.id.Local()) == alike.Fold(p.name)) {
				return fmt.Sprintf("%s (%s)", name, id.Local())
			}
		}
	}
	if name == "" {
		return id.Local()
	}
	return name
}

// title is how a room is called: by its name, unless another has the same. One from which everybody has moved on leaves its name to
// the next.
func (s *state) title(rm *room) string {
	if rm.direct != "" {
		return s.speak.Plain("private-of", whom("Who", s.name(rm.direct)))
	}
	name := protocol.Shorten(protocol.OneLine(rm.name), maxName)
	if name == "" {
		return rm.id.Local()
	}
	for _, other := range s.rooms {
		if other != rm && other.successor == "" && alike.Fold(other.name) == alike.Fold(rm.name) {
			return rm.id.Local()
		}
	}
	return name
}

// checkNick tells whether a display name will do. It may be as odd as people like.
func (s *state) checkNick(name string) error {
	if protocol.OneLine(name) == "" || utf8.RuneCountInString(name) > 255 {
		return s.refuse(ErrBadName, "name-length")
	}
	return nil
}

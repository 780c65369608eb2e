package console

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"moot/internal/say"
	"moot/protocol"
)

// state is the fold over the log. It has no clock, no randomness and no I/O.
type state struct {
	speak       say.Speaker // of the people at the terminal; no record depends on it
	log         []record    // at position p stands log[p-1]
	people      map[protocol.UserID]*person
	everybody   []protocol.UserID // in the order in which they came
	rooms       map[protocol.RoomID]*room
	everywhere  []protocol.RoomID
	sent        map[protocol.Key]protocol.Ref
	failMembers bool
	moved       time.Duration // by how much the clock was moved in all
}

type person struct {
	id   protocol.UserID
	name string
	bot  bool
}

type room struct {
	id         protocol.RoomID
	name       string
	topic      string
	direct     protocol.UserID // zero means that this is no private conversation
	successor  protocol.RoomID
	members    map[protocol.UserID]*member // everybody who ever was something to the room
	order      []protocol.UserID
	moderators []protocol.UserID
	timeline   []uint64
	messages   map[protocol.EventID]*message
	numbered   []protocol.EventID // message n stands at n-1, deleted or not
	reactions  map[protocol.EventID]*reaction
	bot        []botMark
}

// botMark says what the bot is to the room from a position on.
type botMark struct {
	pos        uint64
	membership protocol.Membership
}

type member struct {
	membership protocol.Membership
	since      time.Time
	voice      voiceSet
}

type message struct {
	id        protocol.EventID
	number    int // counts from 1 in its room, and never changes
	by        protocol.UserID
	at        time.Time
	text      string
	rich      protocol.Text
	replyTo   protocol.EventID
	edited    bool
	deletion  protocol.EventID // zero means that it stands
	reactions []protocol.EventID
}

type reaction struct {
	id       protocol.EventID
	by       protocol.UserID
	target   protocol.EventID
	reaction string
}

func newState() *state {
	return &state{
		speak:  catalogue.In(say.English),
		people: map[protocol.UserID]*person{},
		rooms:  map[protocol.RoomID]*room{},
		sent:   map[protocol.Key]protocol.Ref{},
	}
}

func (s *state) last() uint64 { return uint64(len(s.log)) }

// apply adds the next record. A record that does not fit what came before is an error, after which the state is
// of no use: World checks before it makes one, so it means that the log is damaged.
func (s *state) apply(r record) error {
	if r.Pos != s.last()+1 {
		return fmt.Errorf("position %d follows %d", r.Pos, s.last())
	}
	var err error
	if r.Room == "" {
		err = s.applyWorld(r)
	} else {
		err = s.applyRoom(r)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.Deed.kind(), err)
	}
	s.log = append(s.log, r)
	return nil
}

var errMisplaced = errors.New("it does not fit what came before")

func (s *state) applyWorld(r record) error {
	switch d := r.Deed.(type) {
	case personMade:
		if s.people[d.User] != nil || d.User.Network() != protocol.Console || protocol.CheckID(string(d.User)) != nil {
			return errMisplaced
		}
		s.people[d.User] = &person{d.User, d.Name, d.Bot}
		s.everybody = append(s.everybody, d.User)
	case personNamed:
		if s.people[d.User] == nil {
			return errMisplaced
		}
		s.people[d.User].name = d.Name
	case membersFail:
		s.failMembers = d.On
	case clockMoved:
		s.moved += d.By
	default:
		return errMisplaced
	}
	return nil
}

func (s *state) applyRoom(r record) error {
	_, redelivery := r.Deed.(again)
	if s.people[r.By] == nil && !redelivery {
		return ErrNoPerson
	}
	rm := s.rooms[r.Room]
	if d, ok := r.Deed.(roomMade); ok {
		if d.Direct != "" && s.people[d.Direct] == nil {
			return ErrNoPerson
		}
		if rm != nil || r.Room.Network() != protocol.Console || protocol.CheckID(string(r.Room)) != nil {
			return errMisplaced
		}
		s.rooms[r.Room] = &room{
			id: r.Room, name: d.Name, topic: d.Topic, moderators: d.Moderators, direct: d.Direct,
			members:   map[protocol.UserID]*member{},
			messages:  map[protocol.EventID]*message{},
			reactions: map[protocol.EventID]*reaction{},
			timeline:  []uint64{r.Pos},
		}
		s.everywhere = append(s.everywhere, r.Room)
		return nil
	}
	if rm == nil {
		return ErrNoRoom
	}
	if err := s.applyIn(rm, r); err != nil {
		return err
	}
	if key := keyOf(r.Deed); key != "" {
		s.sent[key] = protocol.Ref{Room: r.Room, Event: r.id()}
	}
	if !redelivery {
		rm.timeline = append(rm.timeline, r.Pos)
	}
	return nil
}

func (s *state) applyIn(rm *room, r record) error {
	switch d := r.Deed.(type) {
	case memberSet:
		if s.people[d.User] == nil {
			return ErrNoPerson
		}
		rm.setMember(d, r)
	case roomNamed:
		rm.name = d.Name
	case topicSet:
		rm.topic = d.Topic
	case upgraded:
		rm.successor = d.Successor
	case powersSet:
		rm.moderators = d.Moderators
	case voiceSet:
		m := rm.members[r.By]
		if m == nil {
			return ErrNotMember
		}
		m.voice = d
	case said:
		rm.numbered = append(rm.numbered, r.id())
		rm.messages[r.id()] = &message{
			id: r.id(), number: len(rm.numbered), by: r.By, at: r.At, text: d.Text, rich: d.Rich, replyTo: d.ReplyTo,
		}
	case edited:
		m := rm.messages[d.Target]
		if m == nil {
			return ErrNoMessage
		}
		m.text, m.rich, m.edited = d.Text, d.Rich, true
	case deleted:
		return rm.remove(d.Target, r.id())
	case reacted:
		m := rm.messages[d.Target]
		if m == nil {
			return ErrNoMessage
		}
		rm.reactions[r.id()] = &reaction{r.id(), r.By, d.Target, d.Reaction}
		m.reactions = append(m.reactions, r.id())
	case again:
		pos, ok := position(d.Target)
		if !ok || pos == 0 || pos >= r.Pos || s.log[pos-1].Room != rm.id {
			return ErrNoMessage
		}
	default:
		return errMisplaced
	}
	return nil
}

func (rm *room) setMember(d memberSet, r record) {
	m := rm.members[d.User]
	if m == nil {
		m = &member{}
		rm.members[d.User] = m
		rm.order = append(rm.order, d.User)
	}
	if d.Profile {
		return
	}
	m.membership = d.Membership
	if d.Membership == protocol.Joined {
		m.since = r.At
	} else {
		m.voice = voiceSet{}
	}
	if d.User == Bot {
		rm.bot = append(rm.bot, botMark{r.Pos, d.Membership})
	}
}

// remove takes away a message or a reaction.
func (rm *room) remove(target, deletion protocol.EventID) error {
	if m := rm.messages[target]; m != nil {
		m.deletion = deletion
		return nil
	}
	re := rm.reactions[target]
	if re == nil {
		return ErrNoMessage
	}
	m := rm.messages[re.target]
	m.reactions = slices.DeleteFunc(m.reactions, func(id protocol.EventID) bool { return id == target })
	return nil
}

// botAt returns what the bot is to the room just after a position.
func (rm *room) botAt(pos uint64) protocol.Membership {
	i, found := slices.BinarySearchFunc(rm.bot, pos, func(m botMark, pos uint64) int { return cmp.Compare(m.pos, pos) })
	if !found {
		i--
	}
	if i < 0 {
		return protocol.Left
	}
	return rm.bot[i].membership
}

// state is how the room stands now.
func (rm *room) state() roomState { return roomState{rm.name, rm.topic, slices.Clone(rm.moderators)} }

func (rm *room) has(user protocol.UserID) bool { return rm.membership(user) == protocol.Joined }

func (rm *room) membership(user protocol.UserID) protocol.Membership {
	if m := rm.members[user]; m != nil {
		return m.membership
	}
	return protocol.Left
}

func (rm *room) joined() []protocol.UserID {
	return slices.DeleteFunc(slices.Clone(rm.order), func(u protocol.UserID) bool { return !rm.has(u) })
}

func (rm *room) power(user protocol.UserID) protocol.Power {
	if slices.Contains(rm.moderators, user) {
		return protocol.PowerModerator
	}
	return protocol.PowerMember
}

// keyOf returns the key under which the bot did something, zero if it was not the bot.
func keyOf(d deed) protocol.Key {
	switch d := d.(type) {
	case said:
		return d.Key
	case edited:
		return d.Key
	case reacted:
		return d.Key
	}
	return ""
}

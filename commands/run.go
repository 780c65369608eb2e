package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// The internal events of this package.
const (
	toldCommand = "command"         // a task, to the scope in which it runs
	toldForget  = "commands.forget" // the id of a person, to a room
)

// task is a command that is to be run in a scope. It is taken apart but not understood: whom and what its words name is
// decided there.
type task struct {
	Event protocol.Event
	Path  []string
	Room  protocol.RoomID `json:",omitempty"` // that it is about; zero for none
	Given given           `json:",omitempty"`
}

// MarshalJSON writes the task without the time of the event where JSON does not reach it.
func (t task) MarshalJSON() ([]byte, error) {
	if t.Event.Time = t.Event.Time.UTC(); t.Event.Time.Year() < 0 || t.Event.Time.Year() > 9999 {
		t.Event.Time = t.Event.Time.AddDate(-t.Event.Time.Year(), 0, 0)
	}
	type plain task
	return json.Marshal(plain(t))
}

// Told handles what another scope tells this one, and returns false where that is not for this package. An error is a
// fault.
func (c *Commands) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	switch what.Kind {
	case toldForget:
		forgetHere(tx, string(what.Data))
		return true, nil
	case toldCommand:
	default:
		return false, nil
	}
	var t task
	if err := json.Unmarshal(what.Data, &t); err != nil {
		return true, fmt.Errorf("decode %s: %w", what.Kind, err)
	}
	_, err := c.perform(tx, t)
	return true, err
}

// run is one run of a command.
type run struct {
	*Commands
	*manner
	tx     *store.Tx
	ev     protocol.Event
	node   *Node
	given  given
	values map[string][]value
	room   rooms.Info // that it is about, or in which it was given; zero where there is none
	role   Role
	said   bool // whether anything was answered
	key    protocol.Key
	chance *rand.Rand // see Call.Chance; nil until it is asked for
}

// perform runs a command in the scope of the transaction and answers. The reason that it returns is for the record.
func (c *Commands) perform(tx *store.Tx, t task) (reason string, err error) {
	node, ok := c.Find(t.Path...)
	if !ok {
		return "", fmt.Errorf("command %q: not in the tree", t.Path)
	}
	r := &run{Commands: c, manner: c.mannerOf(tx, t.Event, node), tx: tx, ev: t.Event, node: node, given: t.Given}
	reason = "command " + node.Title()
	err = r.do(t.Room)
	var m *Mistake
	if errors.As(err, &m) {
		reason += ": " + m.why
		err = r.answer(m.visibility(node, t.Event), m.Text)
	}
	if _, native := t.Event.Body.(protocol.Invocation); native && err == nil && !r.said {
		err = r.answer(node.Visibility, r.say("done"))
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", reason, err)
	}
	return reason, err
}

// do looks whether the person may, understands what was given, and runs the command. A Mistake is an error too.
func (r *run) do(room protocol.RoomID) error {
	switch {
	case room != "" && r.ev.Private:
		if m := r.enter(room); m != nil {
			return m
		}
	case !r.ev.Private:
		r.room, _ = rooms.Get(r.tx, r.ev.Room)
	}
	r.speaks(r.tx, r.ev, r.node, r.room.ID)
	r.role = r.roleOf(r.tx, r.room.ID, r.ev.Sender)
	if m := r.allowed(); m != nil {
		return m
	}
	if m := r.understand(); m != nil {
		return m
	}
	return r.node.Run(&Call{
		Tx: r.tx, Event: r.ev, Person: r.ev.Sender, Role: r.role, Room: r.room, Command: r.node, run: r,
	})
}

// enter makes a room the one that a command given in private is about. That the person is in it was seen before, but
// perhaps in another transaction: whoever has left it since is answered as if it had never been.
func (r *run) enter(room protocol.RoomID) *Mistake {
	info, _ := rooms.Get(r.tx, room)
	if _, ok := rooms.Lookup(r.tx, room, r.ev.Sender); ok && !info.Private {
		r.room = info
		return nil
	}
	outside := r.outside(r.tx, r.node, r.ev.Sender)
	if i := slices.IndexFunc(outside, func(o rooms.Info) bool { return o.ID == room }); i >= 0 {
		r.room = outside[i]
		return nil
	}
	if _, m := r.about(r.tx, r.ev.Sender, r.given); m != nil {
		return m
	}
	return r.mistake("no such room", "room-left", r.commandSlot("rooms"))
}

// outside returns the rooms that somebody is not in, and about which they can still give this command in private.
func (c *Commands) outside(tx *store.Tx, n *Node, person protocol.UserID) []rooms.Info {
	if !n.Outside || c.config.Reaches == nil {
		return nil
	}
	return c.config.Reaches(tx, person)
}

// allowed tells why the person may not give the command, nil if they may.
func (r *run) allowed() *Mistake {
	if why, is := r.challenged(); is && !r.node.Challenged {
		return (&Mistake{Text: why, why: "the person is suspended"}).aside()
	}
	if r.role >= r.node.Who {
		return nil
	}
	id := "for-moderators"
	if r.node.Who == Operator {
		id = "for-operators"
	}
	return r.mistake("only for a "+r.node.Who.String(), id, r.commandSlot(r.node.Title()))
}

func (r *run) challenged() (why protocol.Text, is bool) {
	if r.config.Challenged == nil || r.room.ID == "" {
		return nil, false
	}
	return r.config.Challenged(r.tx, r.room.ID, r.ev.Sender)
}

// answer says something to the person.
func (r *run) answer(v Visibility, text protocol.Text) error {
	r.said = true
	key, err := r.reply(r.tx, r.ev, v, r.placed(v, text))
	r.key = key
	return err
}

// placed is an answer that names the room that it is about, where it does not stand there.
func (r *run) placed(v Visibility, text protocol.Text) protocol.Text {
	// What came through the network's own interface is answered beside it, also where nobody else sees that.
	_, native := r.ev.Body.(protocol.Invocation)
	elsewhere := r.ev.Private || v == Private && !native
	if r.node.Where != NeedsRoom || !elsewhere || r.room.ID == "" {
		return text
	}
	between := " "
	if len(splitLines(text)) > 1 {
		between = "\n"
	}
	return protocol.Join(catalogue.In(r.own).Say("in-room", say.Place("Room", protocol.Plain(title(r.room)))), between, text)
}

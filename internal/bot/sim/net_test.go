package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"moot/outbox"
	"moot/protocol"
)

// place is a room as its network knows it.
type place struct {
	id       protocol.RoomID
	secret   string // its name, which nobody may learn who was never in it
	timeline []protocol.Event
	members  map[protocol.UserID]bool
	ever     map[protocol.UserID]bool // who was a member at any time
	bot      bool
	inviter  protocol.UserID          // whose invitation stands; zero means nobody's
	asked    time.Time                // since when
	held     map[protocol.UserID]bool // whom the network holds back
	strict   bool                     // whether the bot may hold nobody back
}

// shown is a message of the bot as people see it.
type shown struct {
	out   protocol.Outgoing
	ref   protocol.Ref
	first time.Time
	times int // how often it stands there
	edits int
	place int // in the order in which messages came
	likes []protocol.Reaction
}

// network is one of the two.
type network struct {
	h      *history
	name   protocol.Network
	self   protocol.UserID
	cursor bool          // whether it is the one with a cursor
	window time.Duration // for how long it knows a key again; zero means for ever
	users  []protocol.UserID
	places []*place
	dms    map[protocol.UserID]protocol.RoomID
	up     bool
	told   bool // whether it has told this life of the bot what the time is

	// log is what is delivered, in order; what belongs together comes in one piece. Behind the adapter lies what it has
	// handed on, behind acked what was taken.
	log     [][]protocol.Event
	adapter int
	acked   []bool
	batches []*sentBatch // handed on and not taken

	keys  map[protocol.Key]*shown
	began map[protocol.Key]time.Time // when their last attempts began, by a clock that is right
	order []protocol.Key
	n     int // of events
}

// sentBatch is a delivery that the bot has not yet taken.
type sentBatch struct {
	from, to int // of the log
}

func (n *network) place(room protocol.RoomID) *place {
	i := slices.IndexFunc(n.places, func(p *place) bool { return p.id == room })
	if i < 0 {
		return nil
	}
	return n.places[i]
}

func (n *network) id(kind, local string) string { return fmt.Sprintf("%s:%s%s", n.name, kind, local) }

func (n *network) newID() protocol.EventID {
	n.n++
	return protocol.EventID(fmt.Sprintf("$%s%d", n.name[:1], n.n))
}

// event makes an event of a room and adds it to its timeline.
func (n *network) event(p *place, by protocol.UserID, body protocol.Body) protocol.Event {
	ev := protocol.Event{Room: p.id, ID: n.newID(), Sender: by, Time: n.h.says(n, by), Body: body}
	p.timeline = append(p.timeline, ev)
	return ev
}

// tell puts into the log what the bot gets to hear, in one piece.
func (n *network) tell(evs ...protocol.Event) {
	n.log = append(n.log, slices.Clone(evs))
	n.acked = append(n.acked, false)
}

// deliver hands on some of what was not handed on yet. Rooms may overtake each other within a delivery; what belongs to
// one room stays in order.
func (n *network) deliver(pieces int) (protocol.Cursor, []protocol.Event, *sentBatch) {
	from := n.adapter
	to := min(from+pieces, len(n.log))
	n.adapter = to
	b := &sentBatch{from, to}
	n.batches = append(n.batches, b)
	evs := n.mixed(n.log[from:to])
	if n.cursor {
		return protocol.Cursor{Name: string(n.name), Value: fmt.Sprint(to)}, evs, b
	}
	return protocol.Cursor{}, evs, b
}

// mixed puts pieces into one list, in which rooms overtake each other as the seed wants.
func (n *network) mixed(pieces [][]protocol.Event) []protocol.Event {
	var rooms []protocol.RoomID
	byRoom := map[protocol.RoomID][]protocol.Event{}
	for _, piece := range pieces {
		for _, ev := range piece {
			if byRoom[ev.Room] == nil {
				rooms = append(rooms, ev.Room)
			}
			byRoom[ev.Room] = append(byRoom[ev.Room], ev)
		}
	}
	var out []protocol.Event
	for len(rooms) > 0 {
		i := n.h.IntN(len(rooms))
		r := rooms[i]
		take := 1 + n.h.IntN(len(byRoom[r]))
		out = append(out, byRoom[r][:take]...)
		if byRoom[r] = byRoom[r][take:]; len(byRoom[r]) == 0 {
			rooms = slices.Delete(rooms, i, i+1)
		}
	}
	return out
}

// taken notes that a delivery is durable.
func (n *network) taken(b *sentBatch) {
	for i := b.from; i < b.to; i++ {
		n.acked[i] = true
	}
	n.batches = slices.DeleteFunc(n.batches, func(x *sentBatch) bool { return x == b })
}

// restart lets the adapter begin anew after a crash: where the cursor stands, or with what was not taken and a little before
// it.
func (n *network) restart(cursor int) {
	n.up, n.told, n.batches = false, false, nil
	if n.cursor {
		n.adapter = cursor
		return
	}
	n.adapter = len(n.log)
	for i, ok := range n.acked {
		if !ok {
			n.adapter = i
			break
		}
	}
	n.adapter = max(0, n.adapter-n.h.IntN(4))
}

var errLost = errors.New("the connection was lost")

// perform does what an attempt wants, as far as the network lets it.
func (n *network) perform(a outbox.Attempt) (protocol.Ref, error) {
	o := *a.Out
	room := o.Room
	if w, ok := o.Act.(protocol.Whisper); ok && room == "" {
		room = n.dm(w.User)
	}
	if p := n.place(room); p != nil && !p.bot {
		return protocol.Ref{}, &protocol.SendError{Final: true, Err: protocol.ErrGone}
	}
	if was := n.keys[o.Key]; was != nil && (n.window == 0 || n.h.now.Sub(was.first) < n.window) {
		return was.ref, nil
	}
	switch act := o.Act.(type) {
	case protocol.Revise:
		m := n.at(a.Try.Original)
		if m == nil {
			return protocol.Ref{}, &protocol.SendError{Final: true, Err: protocol.ErrGone}
		}
		m.edits++
		return m.ref, nil
	case protocol.React, protocol.EndPoll:
		_ = act
		return protocol.Ref{Room: room, Event: n.newID()}, nil
	}
	m := n.keys[o.Key]
	if m == nil {
		m = &shown{out: o, first: n.h.now, place: len(n.order), ref: protocol.Ref{Room: room, Event: n.newID()}}
		n.keys[o.Key] = m
		n.order = append(n.order, o.Key)
	}
	m.times++
	n.h.shows(n, m)
	if n.cursor { // it shows the bot what it has sent
		n.tell(protocol.Event{
			Room: room, ID: m.ref.Event, Sender: n.self, Time: n.h.now, Private: n.place(room) == nil, Body: protocol.Receipt{Key: o.Key},
		})
	}
	return m.ref, nil
}

func (n *network) at(ref protocol.Ref) *shown {
	for _, key := range n.order {
		if n.keys[key].ref == ref {
			return n.keys[key]
		}
	}
	return nil
}

// send is what an adapter does with an attempt that the network takes: it knows how to find out what became of an earlier
// one.
func (n *network) send(a outbox.Attempt) (protocol.Ref, error) {
	// Adapters look well before the network forgets: the time of the store may go slower than that of the network.
	if n.window > 0 && a.Try.N > 1 && (a.Try.Earlier || a.Age+n.h.now.Sub(n.began[a.Key]) >= n.window/2) {
		// The nonce is of no use any more, and whether it stands there can be seen in the channel, or not any more.
		if was := n.keys[a.Key]; was != nil && n.h.IntN(2) == 0 {
			return was.ref, nil
		}
		return protocol.Ref{}, &protocol.SendError{Ambiguous: true, Err: errLost}
	}
	return n.perform(a)
}

func (n *network) dm(user protocol.UserID) protocol.RoomID {
	return protocol.RoomID(n.id("", "dm-"+user.Local()))
}

func isDM(room protocol.RoomID) bool { return strings.HasPrefix(room.Local(), "dm-") }

// answer answers an ask.
func (n *network) answer(a outbox.Attempt) (protocol.Body, error) {
	gone := &protocol.SendError{Final: true, Err: protocol.ErrGone}
	p := n.place(a.Ask.Room)
	switch want := a.Ask.Want.(type) {
	case protocol.AskTask:
		return n.h.works(a, want)
	case protocol.AskMembers:
		if p == nil || !p.bot {
			return nil, gone
		}
		return n.list(p), nil
	case protocol.AskReactions:
		ref := protocol.Ref{Room: a.Ask.Room, Event: want.Target}
		if want.Original != "" {
			ref = a.Try.Original
		}
		m := n.at(ref)
		if m == nil {
			return nil, gone
		}
		return protocol.ReactionSet{Target: ref.Event, Reactions: slices.Clone(m.likes)}, nil
	case protocol.AskJoin:
		return nil, n.h.enter(n, p)
	case protocol.AskLeave:
		return nil, n.h.depart(n, p)
	case protocol.AskRestrain:
		if !p.bot {
			return nil, gone
		}
		return n.h.restrain(p, want), nil
	}
	return nil, gone
}

func (n *network) list(p *place) protocol.MemberList {
	l := protocol.MemberList{Last: true, Members: []protocol.Member{{User: n.self, Bot: true, Self: true}}}
	for _, u := range n.users {
		if p.members[u] {
			l.Members = append(l.Members, protocol.Member{User: u, Name: u.Local(), Power: protocol.PowerMember})
		}
	}
	return l
}

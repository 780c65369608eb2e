package console

import (
	"moot/protocol"
)

// batch is what is admitted at once.
type batch struct {
	events []protocol.Event
	upTo   uint64          // the position of the last record that it covers
	grown  <-chan struct{} // closed when the log grows
}

// next makes the batch after a position. What lies at or before the position at which the run began is backlog.
func (w *World) next(after, started uint64) (batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := batch{upTo: after, grown: w.grown}
	if w.broken != nil {
		return b, w.broken
	}
	for _, r := range w.state.log[after:] {
		events, joins := w.state.deliver(r)
		// What comes before an own join in one delivery counts as history. So the join and its replay begin a new
		// one: what was said before the bot was put out, and is new to it, stays an event to act on.
		if len(b.events) > 0 && (joins || len(b.events)+len(events) > maxBatch) {
			break
		}
		for i := range events {
			events[i].Backlog = r.Pos <= started
		}
		b.events = append(b.events, events...)
		b.upTo = r.Pos
	}
	return b, nil
}

// deliver returns what the bot learns by a record, and whether it joins a room by it.
func (s *state) deliver(r record) (events []protocol.Event, joins bool) {
	if r.Room == "" {
		return nil, false
	}
	rm := s.rooms[r.Room]
	was, is := rm.botAt(r.Pos-1), rm.botAt(r.Pos)
	if d, ok := r.Deed.(memberSet); ok && d.User == Bot && !d.Profile {
		if is == protocol.Joined {
			return s.deliverJoin(rm, r, d), true
		}
		return []protocol.Event{rm.event(r, s.body(r))}, false
	}
	if was != protocol.Joined {
		return nil, false
	}
	if d, ok := r.Deed.(again); ok {
		pos, _ := position(d.Target)
		r = s.log[pos-1]
	}
	if body := s.body(r); body != nil {
		return []protocol.Event{rm.event(r, body)}, false
	}
	return nil, false
}

// deliverJoin returns the last events of the room, the own join, and how the room then stands.
func (s *state) deliverJoin(rm *room, join record, d memberSet) []protocol.Event {
	var earlier []uint64
	for _, pos := range rm.timeline {
		if pos < join.Pos {
			earlier = append(earlier, pos)
		}
	}
	if n := len(earlier); n > Replay {
		earlier = earlier[n-Replay:]
	}
	first := rm.firstJoin() == join.Pos
	var events []protocol.Event
	for _, pos := range earlier {
		r := s.log[pos-1]
		if body := s.body(r); body != nil {
			e := rm.event(r, body)
			e.History = first
			events = append(events, e)
		}
	}
	events = append(events, rm.event(join, s.body(join)))
	if d.State != nil {
		e := rm.event(join, d.State.change(rm.id))
		e.ID += "-state"
		e.Sender = ""
		events = append(events, e)
	}
	return events
}

func (rm *room) firstJoin() uint64 {
	for _, m := range rm.bot {
		if m.membership == protocol.Joined {
			return m.pos
		}
	}
	return 0
}

func (rm *room) event(r record, body protocol.Body) protocol.Event {
	return protocol.Event{
		Room: rm.id, ID: r.id(), Sender: r.By, Time: r.At,
		Private: rm.direct != "",
		Body:    body,
	}
}

// body says a record in the words of the protocol, nil where there are none. It says the same at every delivery, so
// it reads nothing that may change.
func (s *state) body(r record) protocol.Body {
	if key := keyOf(r.Deed); key != "" {
		return protocol.Receipt{Key: key}
	}
	bot := r.By != "" && s.people[r.By].bot
	switch d := r.Deed.(type) {
	case roomMade:
		if d.Direct != "" {
			return nil
		}
		return d.roomState.change(r.Room)
	case memberSet:
		return protocol.MemberChange{
			User: d.User, Self: d.User == Bot, Membership: d.Membership, Profile: d.Profile,
			Name: d.Name, Bot: s.people[d.User].bot, Reason: d.Reason,
		}
	case roomNamed:
		return protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed(d)}}
	case topicSet:
		return protocol.RoomChange{Changes: []protocol.Change{protocol.TopicChanged(d)}}
	case upgraded:
		return protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded(d)}}
	case powersSet:
		return protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Moderators: d.Moderators}}}
	case voiceSet:
		return protocol.VoicePresence{Call: d.Call, Deafened: d.Deafened, AFK: d.AFK, Bot: bot}
	case said:
		text, to := addressed(d.Text)
		return protocol.Message{Text: text, Addressed: to, Bot: bot, ReplyTo: d.ReplyTo}
	case edited:
		return protocol.Edit{Target: d.Target, Text: d.Text, Bot: bot}
	case deleted:
		return protocol.Deletion{Target: d.Target, Reason: d.Reason}
	case reacted:
		return protocol.ReactionAdded{Target: d.Target, Reaction: d.Reaction, Bot: bot}
	}
	return nil
}

func (s roomState) change(id protocol.RoomID) protocol.RoomChange {
	return protocol.RoomChange{Changes: []protocol.Change{
		protocol.Renamed{Name: s.Name},
		protocol.Realiased{Alias: id.Local()},
		protocol.TopicChanged{Topic: s.Topic},
		protocol.PowersChanged{Moderators: s.Moderators},
	}}
}

package matrix

import (
	"fmt"
	"slices"

	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// flushAt is how many events are admitted at once, ahead of the token of their response.
const flushAt = 2000

// batch is what one sync response comes to.
type batch struct {
	run     *run
	events  []protocol.Event
	powers  []id.RoomID              // in which the bot is new, or may do something else
	handled map[id.RoomID]id.EventID // the newest event of others in each room that is no history and can be read
}

// passing is an error that may pass: the response is taken in again a little later.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

// unadmitted is the error of an Admit. A bot that stops takes nothing new, and yet sends what is under way: so the adapter
// goes on, hands over the same again a little later, and ends when it is told to.
type unadmitted struct{ error }

func (u unadmitted) Unwrap() error { return u.error }

// flush admits what there is, if it is much. The token stays where it was, so that after a crash all of it comes again.
func (b *batch) flush() error {
	if len(b.events) < flushAt {
		return nil
	}
	return b.admit(protocol.Cursor{})
}

func (b *batch) admit(c protocol.Cursor) error {
	events := b.events
	b.events = nil
	if err := b.run.to.Admit(b.run.ctx, events, c); err != nil {
		return unadmitted{fmt.Errorf("admit what the homeserver says: %w", err)}
	}
	return nil
}

// finish admits the rest, and the cursor with it.
func (b *batch) finish(c protocol.Cursor) error {
	if len(b.events) == 0 && c.Value == string(b.run.self)+" "+b.run.since {
		return nil // nothing is new
	}
	return b.admit(c)
}

// unreadable leaves out what the server says about one room, and has that recorded. The server says it once: to wait for
// something better would keep all rooms waiting. Who is in the room is read anew.
func (b *batch) unreadable(room id.RoomID, token string, err error) {
	in, name := roomID(id.RoomID(bounded(string(room)))), string(protocol.DeriveKey(string(room), token))
	b.run.log.Error("what the homeserver says about a room cannot be read, and is left out", "room", in, "err", err)
	add := func(id string, body protocol.Body) {
		b.events = append(b.events, protocol.Event{Room: in, ID: protocol.EventID(id + name), Body: body})
	}
	add("unreadable-", protocol.Malformed{Kind: "sync", Reason: err.Error()})
	if known, err := b.run.adapter.config.Rooms.Room(in); err == nil && known.Own == protocol.Joined {
		add("outdated-", protocol.RoomChange{Changes: []protocol.Change{protocol.Outdated{}}})
	}
}

// chapter is a room in one sync response.
type chapter struct {
	*batch
	room     id.RoomID
	recorded RoomState
	state    []*rawEvent
	timeline []*rawEvent
	limited  bool
	prev     string          // token of the place before the timeline
	out      map[string]bool // whether people were out of the room, by the last event of theirs here
	doubtful bool            // whether the server leaves open who is a member
	reader   reader
}

func (b *batch) open(room id.RoomID, sr *syncRoom) (*chapter, error) {
	recorded, err := b.run.rooms.Room(roomID(room))
	if err != nil {
		return nil, fmt.Errorf("read what is recorded of %s: %w", room, err)
	}
	c := &chapter{
		batch: b, room: room, recorded: recorded,
		state: readEvents(sr.State.Events), timeline: readEvents(sr.Timeline.Events),
		limited: bool(sr.Timeline.Limited), prev: string(sr.Timeline.PrevBatch),
	}
	c.resolve(sr)
	c.reader = reader{self: b.run.self, name: b.run.name, room: roomID(room), backlog: b.run.backlog}
	b.run.note(room, func(p *place) { c.reader.encrypted = recorded.Encrypted || p.encrypted })
	sr.State.Events, sr.Timeline.Events = nil, nil
	return c, nil
}

// joined takes in a room in which the bot is.
func (b *batch) joined(room id.RoomID, sr *syncRoom) error {
	c, err := b.open(room, sr)
	if err != nil {
		return err
	}
	at := c.ownJoin(c.timeline)
	var join *rawEvent
	if at >= 0 {
		join = c.timeline[at]
	} else {
		join = c.joinInState()
	}
	early := false
	if join == nil && b.run.since != "" && c.recorded.Own != protocol.Joined {
		if join, err = c.askForJoin(); err != nil {
			return err
		}
		// A timeline that is whole and has no join in it lies before the join, which then comes with the next response.
		early = join != nil && !c.limited
	}
	if err := c.observe(sr, join); err != nil {
		return err
	}
	switch {
	case early:
		c.history(c.state, join)
		c.history(c.timeline, nil)
		c.enter(join, slices.Concat(c.state, c.timeline))
	case b.run.since == "":
		c.history(c.state, join)
		c.history(c.timeline, join)
		c.enter(join, slices.Concat(c.state, c.timeline))
		if c.recorded.Own == protocol.Joined { // the server no longer knows up to where it was read
			told := protocol.Event{
				Room: c.reader.room, ID: protocol.EventID("again/" + protocol.DeriveKey(string(c.room), c.prev, b.run.began.String())),
				Private: c.reader.private, Backlog: true, Body: protocol.Gap{Lost: []string{"messages", "reactions"}},
			}
			c.events = append(c.events, told)
			told.ID += "/members"
			told.Body = protocol.RoomChange{Changes: []protocol.Change{protocol.Outdated{}}}
			c.events = append(c.events, told)
		}
	case at >= 0:
		c.history(c.state, join)
		c.history(c.timeline[:at], nil)
		c.enter(join, slices.Concat(c.state, c.timeline))
		c.encryptedBy(slices.Concat(c.state, c.timeline[:at]))
		if err := c.news(c.timeline[at+1:]); err != nil {
			return err
		}
	case join != nil || c.recorded.Own != protocol.Joined:
		// The join is older than the timeline.
		c.history(c.state, join)
		c.enter(join, c.state)
		c.encryptedBy(c.state)
		if err := c.gap(join); err != nil {
			return err
		}
		if err := c.news(c.timeline); err != nil {
			return err
		}
	default:
		if err := c.gap(nil); err != nil {
			return err
		}
		if err := c.current(); err != nil {
			return err
		}
		if err := c.news(c.timeline); err != nil {
			return err
		}
	}
	c.doubt()
	return b.flush()
}

// left takes in a room that the bot has left, was put out of or banned from, or whose invitation has ended.
func (b *batch) left(room id.RoomID, sr *syncRoom) error {
	c, err := b.open(room, sr)
	if err != nil {
		return err
	}
	c.reader.private = c.recorded.Private
	if c.recorded.Own == protocol.Invited {
		// Dendrite may say that an invitation is over before it shows the join that it was taken up by, as a leave that nobody has sent
		// (syncapi/streams/stream_invite.go). The join itself comes with one of the next responses.
		if join, err := c.askForJoin(); err != nil || join != nil {
			return err
		}
	}
	if err := c.members(slices.Concat(c.state, c.timeline), c.recorded.Encrypted); err != nil {
		return err
	}
	from := 0
	switch at := c.ownJoin(c.timeline); {
	case at >= 0: // it was there for a moment
		c.history(c.timeline[:at], c.timeline[at])
		before := slices.Concat(c.state, c.timeline[:at])
		c.enter(c.timeline[at], before)
		c.encryptedBy(before)
		from = at + 1
	case c.recorded.Own != protocol.Joined:
		c.reader.history = true
	}
	var leave *rawEvent
	for _, ev := range slices.Concat(c.timeline[from:], c.state) {
		if c.isOwn(ev) && membershipOf(ev.Content) != "join" {
			leave = ev
		}
	}
	for _, ev := range c.timeline[from:] {
		if ev != leave && !c.isOwn(ev) {
			if err := c.add(ev); err != nil {
				return err
			}
		}
	}
	c.reader.history = false
	if leave == nil {
		b.events = append(b.events, protocol.Event{
			Room: c.reader.room, ID: c.derived("left"), Private: c.reader.private, Backlog: c.reader.backlog,
			Body: protocol.MemberChange{User: userID(b.run.self), Self: true, Bot: true, Membership: protocol.Left},
		})
	} else if err := c.add(leave); err != nil {
		return err
	}
	b.run.forget(room)
	return b.flush()
}

// invited takes in an invitation.
func (b *batch) invited(room id.RoomID, sr *syncRoom) error {
	events := readEvents(sr.Invite.Events)
	recorded, err := b.run.rooms.Room(roomID(room))
	if err != nil {
		return fmt.Errorf("read what is recorded of %s: %w", room, err)
	}
	c := &chapter{batch: b, room: room, recorded: recorded, state: events}
	c.reader = reader{self: b.run.self, name: b.run.name, room: roomID(room), backlog: b.run.backlog}
	var own *rawEvent
	for _, ev := range events {
		if c.isOwn(ev) {
			own = ev
		}
	}
	if own == nil {
		b.run.log.Warn("an invitation does not say who is invited", "room", c.reader.room)
		return nil
	}
	// What is shown of a room to those who are invited has no ids of its own everywhere (Client-Server API, section
	// "Stripped state").
	if own.ID == "" {
		own.ID = word(c.derived("invite", string(own.Sender)))
	}
	if recorded.Own == protocol.Joined {
		// It was put out while it was away, of which the server tells no more than that it is asked back in; or the server shows an
		// invitation once more that was taken up.
		if join, err := c.askForJoin(); err != nil || join != nil {
			return err
		}
		b.events = append(b.events, protocol.Event{
			Room: c.reader.room, ID: c.derived("left"), Private: recorded.Private, Backlog: c.reader.backlog,
			Body: protocol.MemberChange{User: userID(b.run.self), Self: true, Bot: true, Membership: protocol.Left},
		})
		b.run.forget(room)
	}
	content, _ := memberOf(own.Content)
	if bool(content.Direct) {
		b.run.note(room, func(p *place) { p.direct = true })
	}
	c.reader.private = bool(content.Direct)
	var changes []protocol.Change
	for _, ev := range events {
		for _, change := range c.reader.changes(ev) {
			switch change.(type) {
			case protocol.Renamed, protocol.Realiased, protocol.TopicChanged, protocol.EncryptionEnabled:
				changes = append(changes, change)
			}
		}
	}
	if len(changes) > 0 {
		b.events = append(b.events, protocol.Event{
			Room: c.reader.room, ID: protocol.EventID(own.ID) + "/state", Private: c.reader.private, Backlog: c.reader.backlog,
			Body: protocol.RoomChange{Changes: changes},
		})
	}
	b.run.reachable(c.reader.room, server(string(own.Sender)), server(string(room)))
	if err := c.add(own); err != nil {
		return err
	}
	return b.flush()
}

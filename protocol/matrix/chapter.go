package matrix

import (
	"net/http"
	"net/url"
	"slices"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// isOwn reports whether an event says what the bot is to the room.
func (c *chapter) isOwn(ev *rawEvent) bool {
	return ev.is(event.StateMember) && ev.state() == string(c.run.self)
}

// ownJoin returns where the bot's last join stands, -1 if nowhere. A change of its name is none. A leave behind it, as a
// replay may have, makes no difference: the section tells what the bot is to the room now.
func (c *chapter) ownJoin(timeline []*rawEvent) int {
	at, before := -1, ""
	for i, ev := range timeline {
		if !c.isOwn(ev) {
			continue
		}
		is := membershipOf(ev.Content)
		if is == "join" && c.isJoin(ev, before) {
			at = i
		}
		before = is
	}
	return at
}

// isJoin reports whether an own event with the membership join begins a stay. Before is what the event before it in the
// timeline says.
func (c *chapter) isJoin(ev *rawEvent, before string) bool {
	if protocol.EventID(ev.ID) == c.recorded.Floor {
		return true
	}
	if known := membershipOf(ev.before()); known != "" {
		return known != "join"
	}
	if before != "" {
		return before != "join"
	}
	return c.recorded.Own != protocol.Joined
}

// joinInState returns the own join that comes as state alone, nil where it is none or not new.
func (c *chapter) joinInState() *rawEvent {
	for _, ev := range c.state {
		if c.isOwn(ev) && membershipOf(ev.Content) == "join" &&
			protocol.EventID(ev.ID) != c.recorded.Floor && (c.run.since == "" || c.isJoin(ev, "")) {
			return ev
		}
	}
	return nil
}

// askForJoin asks the server for the own join, of which the response shows nothing though it says that the bot is there:
// under its own id it is known again when it is shown. It returns nil where the server does not tell it either.
func (c *chapter) askForJoin() (*rawEvent, error) {
	var resp object
	path := mautrix.ClientURLPath{"v3", "rooms", c.room, "state", event.StateMember.Type, c.run.self}
	if err := c.run.request(c.run.ctx, http.MethodGet, path, url.Values{"format": {"event"}}, nil, &resp); err != nil {
		if status, code := answer(err); code != "" && (status == http.StatusForbidden || status == http.StatusNotFound) {
			return nil, nil // it is not there
		}
		return nil, c.run.persist("read the own join of", c.room, err)
	}
	ev := readEvent(resp)
	if !c.isOwn(ev) || membershipOf(ev.Content) != "join" || protocol.CheckID(string(ev.ID)) != nil {
		return nil, nil // it left at this very moment, or the server gives the content alone
	}
	return ev, nil
}

// derived makes an id for something that the server has given none. It is the same at every delivery, which all go on from
// the same token.
func (c *chapter) derived(parts ...string) protocol.EventID {
	return protocol.EventID(parts[0] + "/" + string(protocol.DeriveKey(append(parts, string(c.room), c.run.since)...)))
}

// observe keeps what the chapter says about the room that matters before its events are admitted: whether it is encrypted,
// who is in it, whether it is a private conversation.
func (c *chapter) observe(sr *syncRoom, join *rawEvent) error {
	if err := c.learnCreators(); err != nil {
		return err
	}
	named, moved := c.recorded.Named, false
	if join != nil {
		c.batch.powers = append(c.batch.powers, c.room)
	}
	encrypted := c.recorded.Encrypted
	name, alias := "", ""
	telling := slices.Concat(c.state, c.timeline)
	for _, ev := range telling {
		switch {
		case ev.is(event.StateMember):
			c.run.renamed = c.run.renamed || c.isOwn(ev) && membershipOf(ev.Content) == "join" && membershipOf(ev.before()) == "join"
			moved = moved || !c.isOwn(ev) && (membershipOf(ev.Content) == "join") != (membershipOf(ev.before()) == "join")
		case ev.is(event.StateEncryption):
			encrypted = true
		case ev.is(event.StateCreate):
			c.reader.space = isSpace(ev.Content)
		case ev.is(event.StatePowerLevels):
			c.batch.powers = append(c.batch.powers, c.room)
		}
		for _, change := range c.reader.changes(ev) {
			switch change := change.(type) {
			case protocol.Renamed:
				name, named = change.Name, change.Name != "" || alias != ""
			case protocol.Upgraded:
				c.run.reachable(change.Successor, server(string(ev.Sender)), server(change.Successor.Local()))
			case protocol.Realiased:
				alias, named = change.Alias, change.Alias != "" || name != ""
			}
		}
	}
	var count int
	c.run.note(c.room, func(p *place) {
		if encrypted {
			p.encrypted, p.plain = true, false
		}
		if join != nil {
			content, _ := memberOf(join.before())
			p.direct = p.direct || bool(content.Direct)
		}
		switch {
		case sr.Summary.Joined.given:
			p.joined = int(sr.Summary.Joined.value)
		case moved || join != nil:
			p.joined = -1
		case p.joined < 0 && c.recorded.Known:
			p.joined = c.recorded.Count
		}
		if c.limited {
			p.listed = false
		}
		count = p.joined
	})
	if err := c.members(telling, encrypted); err != nil {
		return err
	}
	if named && !c.run.isDirect(c.room) {
		return nil
	}
	if count < 0 {
		n, err := c.run.countJoined(c.room)
		if err != nil {
			return err
		}
		c.run.note(c.room, func(p *place) { p.joined = n })
		count = n
	}
	c.reader.private = count == 2
	if join != nil {
		c.run.learnDirect(c.room, join, telling)
	}
	return nil
}

// learnCreators finds out who has made the room, if that matters for what its events mean.
func (c *chapter) learnCreators() error {
	if !createdByAll(c.room) {
		return nil
	}
	telling := slices.Concat(c.state, c.timeline)
	if !slices.ContainsFunc(telling, func(ev *rawEvent) bool { return ev.is(event.StatePowerLevels) }) {
		return nil
	}
	for _, ev := range telling {
		if ev.is(event.StateCreate) {
			c.reader.creators = creatorsOf(ev)
			return nil
		}
	}
	creators, err := c.run.creators(c.run.ctx, c.reader.room)
	if err != nil {
		return c.run.persist("read who has made", c.room, err)
	}
	c.reader.creators = creators
	return nil
}

// members tells the encryption who came and went.
func (c *chapter) members(events []*rawEvent, encrypted bool) error {
	for _, ev := range events {
		if !ev.is(event.StateMember) {
			continue
		}
		c.run.note(c.room, func(p *place) {
			if p.invited == nil {
				return
			}
			switch who := id.UserID(ev.state()); membershipOf(ev.Content) {
			case "invite":
				p.invited[who] = true
			case "join": // as a member they may not be recorded yet
			default:
				delete(p.invited, who)
			}
		})
		if !encrypted || c.run.encryption == nil {
			continue
		}
		if err := c.run.encryption.Member(c.run.ctx, ev.event(c.room)); err != nil {
			return err
		}
	}
	return nil
}

// history adds events that are recorded and never acted on; all but one, which is added elsewhere. That one may come
// twice: servers that load members lazily put the own join into the state beside the timeline that has it (observed with
// Dendrite).
func (c *chapter) history(events []*rawEvent, but *rawEvent) {
	past := c.reader
	past.history = true
	for _, ev := range events {
		if ev != but && (but == nil || ev.ID == "" || ev.ID != but.ID) {
			c.run.echo(past, ev)
			c.events = append(c.events, past.read(ev))
		}
	}
}

// enter adds the own join, and how the room stands. Join is nil where the server does not show it.
func (c *chapter) enter(join *rawEvent, events []*rawEvent) {
	var own protocol.Event
	if join != nil {
		own = c.reader.read(join)
	}
	if body, ok := own.Body.(protocol.MemberChange); ok && body.Membership == protocol.Joined {
		body.Profile = false
		own.Body = body
	} else {
		own = protocol.Event{
			Room: c.reader.room, ID: c.derived("joined"), Sender: userID(c.run.self), Private: c.reader.private,
			Body: protocol.MemberChange{User: userID(c.run.self), Self: true, Bot: true, Membership: protocol.Joined},
		}
	}
	c.events = append(c.events, own)
	if changes := c.reader.snapshot(events); len(changes) > 0 {
		c.events = append(c.events, protocol.Event{
			Room: own.Room, ID: own.ID + "/state", Time: own.Time, Private: own.Private, Backlog: own.Backlog,
			Body: protocol.RoomChange{Changes: changes},
		})
	}
}

// encryptedBy notes that the room is encrypted from here on, if one of the events says so.
func (c *chapter) encryptedBy(events []*rawEvent) {
	c.reader.encrypted = c.reader.encrypted || slices.ContainsFunc(events, func(ev *rawEvent) bool { return ev.is(event.StateEncryption) })
}

// current adds events that come as state alone. A join of somebody who is known to be there is no join.
func (c *chapter) current() error {
	c.encryptedBy(c.state) // it stands before the timeline
	for _, ev := range c.state {
		out := c.reader.read(ev)
		if m, ok := out.Body.(protocol.MemberChange); ok && m.Membership == protocol.Joined && !m.Profile {
			in, err := c.run.rooms.IsMember(out.Room, m.User)
			if err != nil {
				return err
			}
			m.Profile = in
			out.Body = m
		}
		c.events = append(c.events, out)
	}
	return nil
}

// news adds events to be acted on.
func (c *chapter) news(events []*rawEvent) error {
	for _, ev := range events {
		if err := c.add(ev); err != nil {
			return err
		}
	}
	return nil
}

// add adds one event, opened if it is sealed.
func (c *chapter) add(ev *rawEvent) error {
	c.reader.encrypted = c.reader.encrypted || ev.is(event.StateEncryption)
	out, err := c.run.readOpened(c.reader, c.room, ev)
	if err != nil {
		return err
	}
	if m, ok := out.Body.(protocol.MemberChange); ok {
		if m.Membership == protocol.Joined && !m.Profile && len(ev.before()) == 0 && !c.out[ev.state()] {
			// Some servers leave out what the event replaces: a rename must not look like a join. The bot's own join is told by enter.
			m.Profile = m.Self
			if !m.Self {
				if m.Profile, err = c.run.rooms.IsMember(out.Room, m.User); err != nil {
					return err
				}
			}
			out.Body = m
		}
		if c.out == nil {
			c.out = map[string]bool{}
		}
		c.out[ev.state()] = m.Membership != protocol.Joined
	}
	c.events = append(c.events, out)
	if _, waits := out.Body.(protocol.Sealed); !waits && !out.History && out.Sender != userID(c.run.self) && ev.ID != "" {
		c.batch.handled[c.room] = id.EventID(out.ID)
	}
	return nil
}

// note changes what is known of a room.
func (r *run) note(room id.RoomID, change func(*place)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.placeLocked(room))
}

// forget forgets what this run knows of a room that the bot is no longer in.
func (r *run) forget(room id.RoomID) {
	r.mu.Lock()
	delete(r.places, room)
	var with []id.UserID
	for user, rooms := range r.direct {
		if slices.Contains(rooms, room) {
			with = append(with, user)
		}
	}
	r.mu.Unlock()
	for _, user := range with {
		r.prune(user, []id.RoomID{room})
	}
}

// isDirect reports whether a room is marked as a private conversation.
func (r *run) isDirect(room id.RoomID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.placeLocked(room).direct || r.direct.has(room)
}

// countJoined asks the server how many are in a room. Where it does not tell, nobody else counts as being there: the room is
// then no private conversation.
func (r *run) countJoined(room id.RoomID) (int, error) {
	var resp struct {
		Joined map[string]object `json:"joined"`
	}
	if err := r.members.wait(r.ctx); err != nil {
		return 0, err
	}
	err := r.request(r.ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "rooms", room, "joined_members"}, nil, nil, &resp)
	if err != nil {
		return 0, r.persist("read how many are in", room, err)
	}
	return len(resp.Joined), nil
}

// reachable keeps by which servers a room can be joined.
func (r *run) reachable(room protocol.RoomID, servers ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.via) >= maxVia {
		clear(r.via) // others can be asked for again by their own server
	}
	var known []string
	for _, s := range servers {
		if s != "" && !slices.Contains(known, s) {
			known = append(known, s)
		}
	}
	r.via[room] = known
}

// maxVia is of how many rooms it is kept by which servers they can be joined.
const maxVia = 1000

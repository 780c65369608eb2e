package protocoltest

import (
	"slices"

	"moot/protocol"
)

// self finds what the bot has become to a room.
func self(in protocol.RoomID, is ...protocol.Membership) func(protocol.Event) bool {
	return func(e protocol.Event) bool {
		m, ok := e.Body.(protocol.MemberChange)
		return ok && e.Room == in && m.Self && !m.Profile && slices.Contains(is, m.Membership)
	}
}

// joined waits for a new own join: a replay brings the earlier ones once more.
func (c *checking) joined(from int, in protocol.RoomID) (protocol.Event, int) {
	c.Helper()
	before := map[protocol.EventID]bool{}
	for _, e := range c.rec.Events()[:from] {
		if e.Room == in {
			before[e.ID] = true
		}
	}
	own := self(in, protocol.Joined)
	return c.wait(from, "the own join", func(e protocol.Event) bool { return own(e) && !before[e.ID] })
}

func checkFirstJoin(c *checking) {
	c.start()
	room := c.h.(Founder).Found(c.ann, "before one", "before two")
	c.h.(Kicker).InviteBot(room)
	join, at := c.joined(0, room)
	if join.History || join.Sender == "" {
		c.Errorf("the own join came with history %v, by %q", join.History, join.Sender)
	}
	if m := join.Body.(protocol.MemberChange); m.User != c.h.Bot() {
		c.Errorf("the own join is of %s, and the bot is %s", m.User, c.h.Bot())
	}
	after := c.marker(room)
	e, _ := c.waitID(0, "what was said after the join", after)
	if e.History {
		c.Errorf("what was said after the own join is history")
	}
	for i, e := range c.rec.Events() {
		m, ok := e.Body.(protocol.Message)
		if !ok || e.Room != room || e.ID == after.Event {
			continue
		}
		if !e.History || i > at {
			c.Errorf("%q was said before the bot came; it has history %v, and came at place %d, the join at %d", m.Text, e.History, i, at)
		}
	}
}

func checkOut(c *checking) {
	c.start()
	c.barrier(c.room)
	k := c.h.(Kicker)
	k.KickBot(c.room)
	kick, at := c.wait(0, "that the bot was kicked", self(c.room, protocol.Kicked, protocol.Left))
	if m := kick.Body.(protocol.MemberChange); m.User != c.h.Bot() {
		c.Errorf("the change is of %s, and the bot is %s", m.User, c.h.Bot())
	}
	out := c.marker(c.room)
	k.InviteBot(c.room)
	_, joined := c.joined(at+1, c.room)
	c.barrier(c.room)
	batch := c.rec.Batch(joined)
	for _, e := range c.rec.Events()[at+1:] {
		if e.Ref() == out && !slices.ContainsFunc(batch, func(b protocol.Event) bool { return b.Ref() == out }) {
			c.Errorf("what was said while the bot was out came apart from the replay that belongs to its join")
		}
	}
}

func checkRejoin(c *checking) {
	c.start()
	before := c.marker(c.room)
	c.waitID(0, "what was said before", before)
	k := c.h.(Kicker)
	k.KickBot(c.room)
	_, at := c.wait(0, "that the bot was kicked", self(c.room, protocol.Kicked, protocol.Left))
	out := c.marker(c.room)
	k.InviteBot(c.room)
	_, joined := c.joined(at+1, c.room)
	after := c.marker(c.room)
	c.waitID(0, "what was said after the rejoin", after)

	// A network need not replay. What it replays is the same events, in the delivery of the own join and before it.
	batch := c.rec.Batch(joined)
	place := slices.IndexFunc(batch, func(e protocol.Event) bool {
		return self(c.room, protocol.Joined)(e) && e.ID == c.rec.Events()[joined].ID
	})
	for i, e := range batch {
		if (e.Ref() == before || e.Ref() == out) && i > place {
			c.Errorf("%s was said before the rejoin and comes after it", e.ID)
		}
	}
	for i, e := range c.rec.Events() {
		if m, ok := e.Body.(protocol.Message); ok && e.Room == c.room && i > joined && e.ID != after.Event {
			c.Errorf("%q comes again after the rejoin", m.Text)
		}
	}
	if n := c.count(after); n != 1 {
		c.Errorf("what was said after the rejoin came %d times", n)
	}
}

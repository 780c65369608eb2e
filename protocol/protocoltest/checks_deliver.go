package protocoltest

import (
	"fmt"

	"moot/protocol"
)

func checkMessage(c *checking) {
	c.start()
	ref := protocol.Ref{Room: c.room, Event: c.h.Say(c.room, c.ann, "good morning")}
	e, _ := c.waitID(0, "the message", ref)
	m, ok := e.Body.(protocol.Message)
	switch {
	case !ok:
		c.Errorf("it came as a %s", protocol.KindOf(e.Body))
	case m.Text != "good morning" || m.Bot || m.Addressed || m.ReplyTo != "":
		c.Errorf("it came as %+v", m)
	}
	if e.Sender != c.ann {
		c.Errorf("the sender is %s, not %s", e.Sender, c.ann)
	}
	if e.Private || e.History || e.Backlog {
		c.Errorf("a message said just now in a room is marked: private %v, history %v, backlog %v", e.Private, e.History, e.Backlog)
	}
	if e.Time.IsZero() {
		c.Errorf("it has no time")
	}
}

func checkPrivateMessage(c *checking) {
	c.start()
	ref := c.h.Tell(c.ben, "a secret")
	e, _ := c.waitID(0, "the private message", ref)
	if !e.Private {
		c.Errorf("it is not marked as private")
	}
	if e.Sender != c.ben {
		c.Errorf("the sender is %s, not %s", e.Sender, c.ben)
	}
	if e.Room == c.room {
		c.Errorf("it came in the public room")
	}
	if m, _ := e.Body.(protocol.Message); m.Text != "a secret" {
		c.Errorf("it came as %+v", e.Body)
	}
}

func checkOrder(c *checking) {
	c.start()
	var refs []protocol.Ref
	for i := range 40 {
		by := c.ann
		if i%3 == 0 {
			by = c.ben
		}
		refs = append(refs, protocol.Ref{Room: c.room, Event: c.h.Say(c.room, by, fmt.Sprintf("number %d", i))})
	}
	c.inOrder(refs)
}

// inOrder checks that events come, each after the one before.
func (c *checking) inOrder(refs []protocol.Ref) {
	c.Helper()
	at := -1
	for i, ref := range refs {
		_, place := c.waitID(0, fmt.Sprintf("message %d of %d", i, len(refs)), ref)
		if place <= at {
			c.Errorf("message %d came at place %d, and the one before it at %d", i, place, at)
		}
		at = place
	}
}

func checkRestart(c *checking) {
	c.start()
	first := c.marker(c.room)
	c.waitID(0, "the first message", first)
	c.stop()
	after := len(c.rec.Events())
	missed := []protocol.Ref{c.marker(c.room), c.marker(c.room), c.marker(c.room)}
	c.start()
	c.inOrder(missed)
	for _, ref := range missed {
		if e, _ := c.waitID(after, "a missed message", ref); !e.Backlog || e.History {
			c.Errorf("a message said while the adapter was down is marked: backlog %v, history %v", e.Backlog, e.History)
		}
	}
	if e, _ := c.waitID(0, "a message said now", c.marker(c.room)); e.Backlog {
		c.Errorf("a message said after the restart is marked as backlog")
	}
}

func checkRefused(c *checking) {
	c.start()
	c.barrier(c.room)
	c.rec.RefuseOnce(func(events []protocol.Event) bool { return len(events) > 0 })
	refs := []protocol.Ref{c.marker(c.room), c.marker(c.room)}
	refused, err := c.rec.Refused(c.ctx())
	if err != nil {
		c.Fatalf("nothing was handed over to be refused: %v", err)
	}
	// An adapter may go on by itself or end with the error.
	select {
	case err := <-c.done:
		if err == nil {
			c.Errorf("Run returned no error although Admit failed")
		}
		c.cancel()
		c.cancel = nil
		c.start()
	case <-c.arrived(refs[1]):
	}
	for _, e := range refused {
		c.waitID(0, "an event that was refused", e.Ref())
	}
	c.inOrder(refs)
}

// arrived returns a channel that is closed when an event is admitted, or the patience ends.
func (c *checking) arrived(ref protocol.Ref) <-chan struct{} {
	ctx := c.ctx()
	ch := make(chan struct{})
	go func() {
		defer close(ch)
		_, _ = c.rec.Wait(ctx, 0, func(e protocol.Event) bool { return e.Ref() == ref })
	}()
	return ch
}

func checkRepeat(c *checking) {
	c.start()
	ref := c.marker(c.room)
	first, at := c.waitID(0, "the message", ref)
	c.h.(Repeater).Again(ref.Room, ref.Event)
	second, _ := c.waitID(at+1, "the message a second time", ref)
	if first.Sender != second.Sender || !first.Time.Equal(second.Time) || fmt.Sprint(first.Body) != fmt.Sprint(second.Body) {
		c.Errorf("the second delivery is another:\n%s", describe([]protocol.Event{first, second}))
	}
}

func checkReconnect(c *checking) {
	c.start()
	refs := []protocol.Ref{c.marker(c.room)}
	c.waitID(0, "the message before", refs[0])
	c.h.(Disconnecter).Disconnect()
	refs = append(refs, c.marker(c.room), c.marker(c.room))
	c.inOrder(refs)
}

func checkEdit(c *checking) {
	c.start()
	ref := c.marker(c.room)
	c.h.(Editor).Edit(c.room, c.ann, ref.Event, "better words")
	e, _ := c.wait(0, "the edit", func(e protocol.Event) bool { _, ok := e.Body.(protocol.Edit); return ok })
	if ed := e.Body.(protocol.Edit); ed.Target != ref.Event || ed.Text != "better words" || ed.Bot || e.Sender != c.ann {
		c.Errorf("it came as %+v by %s, and the message is %s", ed, e.Sender, ref.Event)
	}
	if e.ID == ref.Event {
		c.Errorf("the edit has the id of its message")
	}
}

func checkDeletion(c *checking) {
	c.start()
	ref := c.marker(c.room)
	c.h.(Deleter).Delete(c.room, c.ann, ref.Event)
	e, _ := c.wait(0, "the deletion", func(e protocol.Event) bool { _, ok := e.Body.(protocol.Deletion); return ok })
	if d := e.Body.(protocol.Deletion); d.Target != ref.Event {
		c.Errorf("it names %s, and the message is %s", d.Target, ref.Event)
	}
}

func checkReactions(c *checking) {
	c.start()
	ref := c.marker(c.room)
	c.reacted(ref)
}

// reacted lets somebody react to a message, and returns the event by which that came.
func (c *checking) reacted(ref protocol.Ref) (added protocol.Event, at int) {
	c.Helper()
	c.h.(Reactor).React(c.room, c.ben, ref.Event, "👍")
	added, at = c.wait(0, "the reaction", func(e protocol.Event) bool { _, ok := e.Body.(protocol.ReactionAdded); return ok })
	if a := added.Body.(protocol.ReactionAdded); a.Target != ref.Event || a.Reaction != "👍" || a.Bot || added.Sender != c.ben {
		c.Errorf("it came as %+v by %s", a, added.Sender)
	}
	return added, at
}

func checkReactionTaken(c *checking) {
	c.start()
	ref := c.marker(c.room)
	added, at := c.reacted(ref)
	c.h.(Unreactor).Unreact(c.room, c.ben, ref.Event, "👍")
	c.wait(at+1, "that the reaction was taken back", func(e protocol.Event) bool {
		switch b := e.Body.(type) {
		case protocol.ReactionRemoved:
			return b.Target == ref.Event && b.Reaction == "👍" && e.Sender == c.ben
		case protocol.Deletion:
			return b.Target == added.ID && e.Sender == c.ben
		}
		return false
	})
}

func checkRename(c *checking) {
	c.start()
	c.h.(Renamer).Rename(c.room, "Town Hall")
	c.wait(0, "the new name of the room", func(e protocol.Event) bool {
		change, _ := e.Body.(protocol.RoomChange)
		for _, one := range change.Changes {
			if one == (protocol.Renamed{Name: "Town Hall"}) {
				return e.Room == c.room
			}
		}
		return false
	})
}

func checkNick(c *checking) {
	c.start()
	c.h.(Nicker).Nick(c.ben, "Ben the Second")
	e, _ := c.wait(0, "the new name of a person", func(e protocol.Event) bool {
		m, ok := e.Body.(protocol.MemberChange)
		return ok && m.User == c.ben && e.Room == c.room && m.Name == "Ben the Second"
	})
	if m := e.Body.(protocol.MemberChange); m.Membership != protocol.Joined || !m.Profile || m.Self {
		c.Errorf("a change of name came as %+v", m)
	}
}

func checkMove(c *checking) {
	c.start()
	m := c.h.(Mover)
	m.Leave(c.room, c.ben)
	_, at := c.wait(0, "that somebody left", func(e protocol.Event) bool {
		ch, ok := e.Body.(protocol.MemberChange)
		return ok && e.Room == c.room && ch.User == c.ben && ch.Membership == protocol.Left
	})
	m.Join(c.room, c.ben)
	e, _ := c.wait(at+1, "that somebody joined", func(e protocol.Event) bool {
		ch, ok := e.Body.(protocol.MemberChange)
		return ok && e.Room == c.room && ch.User == c.ben && ch.Membership == protocol.Joined
	})
	if ch := e.Body.(protocol.MemberChange); ch.Self || ch.Bot || ch.Profile || ch.Name == "" {
		c.Errorf("a person joined as %+v", ch)
	}
}

func checkCall(c *checking) {
	c.start()
	v := c.h.(Caller)
	v.Call(c.room, c.ben, true)
	_, at := c.wait(0, "that somebody is in a call", func(e protocol.Event) bool {
		p, ok := e.Body.(protocol.VoicePresence)
		return ok && e.Sender == c.ben && p.Call != ""
	})
	v.Call(c.room, c.ben, false)
	c.wait(at+1, "that somebody left the call", func(e protocol.Event) bool {
		p, ok := e.Body.(protocol.VoicePresence)
		return ok && e.Sender == c.ben && p.Call == ""
	})
}

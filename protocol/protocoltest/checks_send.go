package protocoltest

import (
	"context"
	"errors"
	"slices"

	"go.uber.org/goleak"

	"moot/protocol"
)

// receipt waits for the own echo of a key.
func (c *checking) receipt(key protocol.Key) protocol.Event {
	c.Helper()
	e, _ := c.wait(0, "the receipt of "+string(key), func(e protocol.Event) bool {
		r, ok := e.Body.(protocol.Receipt)
		return ok && r.Key == key
	})
	return e
}

// stands checks that exactly one message with that text stands in the room, by the bot.
func (c *checking) stands(text string) Standing {
	c.Helper()
	found := c.standing(text)
	if len(found) != 1 || found[0].By != c.h.Bot() {
		c.Fatalf("%q stands %d times: %+v", text, len(found), found)
	}
	return found[0]
}

func checkSay(c *checking) {
	c.start()
	out, ref := c.say("1", "good evening")
	if s := c.stands("good evening"); s.ID != ref.Event || ref.Room != c.room {
		c.Errorf("Send returned %v, and it stands as %s", ref, s.ID)
	}
	if e := c.receipt(out.Key); e.Ref() != ref {
		c.Errorf("the receipt stands at %v, and Send returned %v", e.Ref(), ref)
	}
	at := c.barrier(c.room)
	for _, e := range c.rec.Events()[:at] {
		if m, ok := e.Body.(protocol.Message); ok && e.Sender == c.h.Bot() && !m.Bot {
			c.Errorf("the bot hears itself as a person: %q", m.Text)
		}
	}
}

func checkTwice(c *checking) {
	c.start()
	out, ref := c.say("1", "only once")
	if again := c.send(out, protocol.Attempt{N: 2}); again != ref {
		c.Errorf("the second time it stands at %v, the first at %v", again, ref)
	}
	c.stands("only once")
}

func checkTwiceOverRestart(c *checking) {
	c.start()
	out, ref := c.say("1", "only once")
	c.receipt(out.Key)
	c.stop()
	c.start()
	c.barrier(c.room)
	if again := c.send(out, protocol.Attempt{N: 2}); again != ref {
		c.Errorf("after the restart it stands at %v, before at %v", again, ref)
	}
	c.stands("only once")
}

func checkWhisper(c *checking) {
	c.start()
	out := protocol.Outgoing{Key: protocol.DeriveKey(c.Name()), Act: protocol.Whisper{User: c.ben, Text: protocol.Plain("between us")}}
	ref := c.send(out, protocol.Attempt{})
	private := slices.DeleteFunc(c.h.ReadPrivate(c.ben), func(s Standing) bool { return s.Text != "between us" })
	if len(private) != 1 {
		c.Errorf("the whisper stands %d times in the private conversation", len(private))
	}
	if n := len(c.standing("between us")); n > 0 {
		c.Errorf("the whisper stands in the public room")
	}
	for _, s := range c.h.ReadPrivate(c.ann) {
		if s.Text == "between us" {
			c.Errorf("the whisper to one person reached another")
		}
	}
	if ref.Room == c.room {
		c.Errorf("Send says that the whisper stands in the public room")
	}
	if again := c.send(out, protocol.Attempt{N: 2}); again != ref {
		c.Errorf("the second time it stands at %v, the first at %v", again, ref)
	}
}

func checkRevise(c *checking) {
	c.start()
	first, ref := c.say("1", "first words")
	out := protocol.Outgoing{
		Key: protocol.DeriveKey(c.Name(), "2"), Room: c.room,
		Act: protocol.Revise{Original: first.Key, Text: protocol.Plain("second words")},
	}
	c.send(out, protocol.Attempt{Original: ref})
	c.send(out, protocol.Attempt{N: 2, Original: ref})
	if s := c.stands("second words"); s.ID != ref.Event {
		c.Errorf("the revision made another message: %s, and the first is %s", s.ID, ref.Event)
	}
	if len(c.standing("first words")) > 0 {
		c.Errorf("the first words still stand")
	}
}

func checkReact(c *checking) {
	c.start()
	target := c.marker(c.room)
	out := protocol.Outgoing{Key: protocol.DeriveKey(c.Name(), "1"), Room: c.room, Act: protocol.React{Target: target.Event, Reaction: "✅"}}
	c.send(out, protocol.Attempt{})
	c.send(out, protocol.Attempt{N: 2})
	seen := func() (rs []protocol.Reaction) {
		for _, s := range c.h.Read(c.room) {
			if s.ID == target.Event {
				rs = append(rs, s.Reactions...)
			}
		}
		return rs
	}
	if rs := seen(); len(rs) != 1 || rs[0].Reaction != "✅" {
		c.Errorf("people see the reactions %+v", rs)
	}
	if _, reads := c.h.(Unreactor); reads {
		set := c.reactions(protocol.AskReactions{Target: target.Event}, protocol.Ref{})
		if rs := set.Reactions; len(rs) != 1 || rs[0].User != c.h.Bot() || !rs[0].Bot {
			c.Errorf("the bot has reacted as %+v", rs)
		}
	}
}

func checkReply(c *checking) {
	c.start()
	target := c.marker(c.room)
	c.send(protocol.Outgoing{
		Key: protocol.DeriveKey(c.Name(), "1"), Room: c.room,
		Act: protocol.Say{Text: protocol.Plain("that is so"), ReplyTo: target.Event},
	}, protocol.Attempt{})
	c.stands("that is so")
}

// isGone checks that an error says that trying again is of no use, because there is nothing there.
func (c *checking) isGone(what string, err error) {
	c.Helper()
	var se *protocol.SendError
	if !errors.As(err, &se) || !se.Final || !errors.Is(err, protocol.ErrGone) {
		c.Errorf("%s gave %v; a final SendError because of ErrGone is wanted", what, err)
	}
}

func checkNowhere(c *checking) {
	c.start()
	nowhere := protocol.RoomID(c.adapter.Network()) + ":no-such-place"
	_, err := c.adapter.Send(c.ctx(), protocol.Outgoing{
		Key: protocol.DeriveKey(c.Name(), "1"), Room: nowhere, Act: protocol.Say{Text: protocol.Plain("hello?")},
	}, protocol.Attempt{N: 1})
	c.isGone("a message to a room that there is not", err)
	_, err = c.adapter.Ask(c.ctx(), protocol.Ask{Key: protocol.DeriveKey(c.Name(), "2"), Room: nowhere, Want: protocol.AskMembers{}}, protocol.Attempt{N: 1})
	if err == nil {
		c.Errorf("the members of a room that there is not could be read")
	}
}

func checkSendOut(c *checking) {
	c.start()
	c.barrier(c.room)
	c.h.(Kicker).KickBot(c.room)
	c.wait(0, "that the bot was kicked", self(c.room, protocol.Kicked, protocol.Left))
	_, err := c.adapter.Send(c.ctx(), protocol.Outgoing{
		Key: protocol.DeriveKey(c.Name(), "1"), Room: c.room, Act: protocol.Say{Text: protocol.Plain("let me in")},
	}, protocol.Attempt{N: 1})
	c.isGone("a message to a room that the bot was put out of", err)
	if len(c.standing("let me in")) > 0 {
		c.Errorf("it stands there all the same")
	}
}

// ask asks and fails the test if that fails.
func (c *checking) ask(key string, in protocol.RoomID, want protocol.Want, original protocol.Ref) protocol.Body {
	c.Helper()
	body, err := c.adapter.Ask(c.ctx(), protocol.Ask{Key: protocol.DeriveKey(c.Name(), key), Room: in, Want: want}, protocol.Attempt{N: 1, Original: original})
	if err != nil {
		c.Fatalf("%s: %v", protocol.KindOf(want), err)
	}
	return body
}

func (c *checking) reactions(want protocol.AskReactions, original protocol.Ref) protocol.ReactionSet {
	c.Helper()
	set, ok := c.ask("reactions", c.room, want, original).(protocol.ReactionSet)
	if !ok {
		c.Fatalf("AskReactions gave no ReactionSet")
	}
	return set
}

func checkMembers(c *checking) {
	c.start()
	list, ok := c.ask("members", c.room, protocol.AskMembers{}, protocol.Ref{}).(protocol.MemberList)
	if !ok || !list.Last || list.Fault != "" {
		c.Fatalf("AskMembers gave %+v", list)
	}
	seen := map[protocol.UserID]protocol.Member{}
	for _, m := range list.Members {
		if _, twice := seen[m.User]; twice {
			c.Errorf("%s is listed twice", m.User)
		}
		seen[m.User] = m
		if m.Self != (m.User == c.h.Bot()) {
			c.Errorf("%s is listed with self %v", m.User, m.Self)
		}
	}
	for _, id := range []protocol.UserID{c.ann, c.ben, c.h.Bot()} {
		m, ok := seen[id]
		switch {
		case !ok:
			c.Errorf("%s is missing", id)
		case m.Name == "":
			c.Errorf("%s has no name", id)
		case m.Bot != (id == c.h.Bot()):
			c.Errorf("%s is listed with bot %v", id, m.Bot)
		}
	}
	if seen[c.ann].Power != protocol.PowerModerator || seen[c.ben].Power == protocol.PowerModerator {
		c.Errorf("the powers are %q and %q", seen[c.ann].Power, seen[c.ben].Power)
	}
	if err := (protocol.Event{Room: c.room, ID: "answer", Body: list}).Check(c.adapter.Network()); err != nil {
		c.Errorf("the list does not pass Check: %v", err)
	}
}

func checkMemberFault(c *checking) {
	c.start()
	f := c.h.(MemberFailer)
	f.FailMembers(true)
	ask := protocol.Ask{Key: protocol.DeriveKey(c.Name(), "1"), Room: c.room, Want: protocol.AskMembers{}}
	body, err := c.adapter.Ask(c.ctx(), ask, protocol.Attempt{N: 1})
	if list, ok := body.(protocol.MemberList); err == nil && (!ok || list.Fault == "") {
		c.Errorf("a member list that cannot be read came as %+v; it must be an error or have a fault", body)
	}
	f.FailMembers(false)
	c.ask("2", c.room, protocol.AskMembers{}, protocol.Ref{})
}

func checkReactionSet(c *checking) {
	c.start()
	r := c.h.(Unreactor)
	first, ref := c.say("1", "who is in favour?")
	r.React(c.room, c.ann, ref.Event, "👍")
	r.React(c.room, c.ben, ref.Event, "👍")
	r.React(c.room, c.ben, ref.Event, "🎉")
	r.Unreact(c.room, c.ann, ref.Event, "👍")
	set := c.reactions(protocol.AskReactions{Original: first.Key}, ref)
	if set.Target != ref.Event || len(set.Reactions) != 2 {
		c.Fatalf("the reactions are %+v", set)
	}
	for _, one := range set.Reactions {
		if one.User != c.ben || one.Bot {
			c.Errorf("a reaction is %+v", one)
		}
	}
}

func checkConversation(c *checking) {
	c.start()
	whisper := func(text string) protocol.Ref {
		return c.send(protocol.Outgoing{Key: protocol.DeriveKey(c.Name(), text), Act: protocol.Whisper{User: c.ben, Text: protocol.Plain(text)}}, protocol.Attempt{})
	}
	first, second := whisper("the first"), whisper("the second")
	if first.Room == "" || first.Room != second.Room {
		c.Errorf("the first stands in %s, the second in %s", first.Room, second.Room)
	}
	if ref := c.h.Tell(c.ben, "here?"); ref.Room != first.Room {
		c.Errorf("the person writes in %s, and was told something in %s", ref.Room, first.Room)
	}
}

func checkLeaveJoin(c *checking) {
	c.start()
	c.barrier(c.room)
	c.ask("1", c.room, protocol.AskLeave{Reason: "for a test"}, protocol.Ref{})
	_, at := c.wait(0, "that the bot left", self(c.room, protocol.Left))
	if can[Bidden](c.h) {
		_, err := c.adapter.Ask(c.ctx(), protocol.Ask{Key: protocol.DeriveKey(c.Name(), "2"), Room: c.room, Want: protocol.AskJoin{}}, protocol.Attempt{N: 1})
		var se *protocol.SendError
		if !errors.As(err, &se) || !se.Final {
			c.Errorf("joining by itself gave %v; a final error is wanted", err)
		}
		c.h.(Kicker).InviteBot(c.room)
		c.joined(at+1, c.room)
		c.ask("3", c.room, protocol.AskJoin{}, protocol.Ref{}) // it is in already, which is no error
		c.barrier(c.room)
		return
	}
	c.ask("2", c.room, protocol.AskJoin{}, protocol.Ref{})
	c.joined(at+1, c.room)
	c.ask("3", c.room, protocol.AskJoin{}, protocol.Ref{}) // it is in already, which is no error
	c.barrier(c.room)
}

func checkSendContext(c *checking) {
	c.start()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out := protocol.Outgoing{Key: protocol.DeriveKey(c.Name(), "1"), Room: c.room, Act: protocol.Say{Text: protocol.Plain("too late")}}
	if _, err := c.adapter.Send(ctx, out, protocol.Attempt{N: 1}); err == nil {
		c.Errorf("a send whose context has ended reports success")
	}
	// Whether it went out or not, the key tells.
	ref := c.send(out, protocol.Attempt{N: 2})
	if s := c.stands("too late"); s.ID != ref.Event {
		c.Errorf("it stands at %s, and Send returned %v", s.ID, ref)
	}
}

func checkEnds(c *checking) {
	before := goleak.IgnoreCurrent()
	c.start()
	c.barrier(c.room)
	c.stop()
	if err := goleak.Find(before); err != nil {
		c.Errorf("after Run has returned: %v", err)
	}
}

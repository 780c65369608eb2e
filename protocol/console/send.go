package console

import (
	"context"
	"fmt"

	"moot/internal/say"
	"moot/protocol"
)

// Send does at once what the bot wants done and returns where it stands. A key that was sent before changes nothing
// and returns the same place. The error is final where the bot is not in the room, where what is written to no
// longer stands, or where the bot may not.
func (a *Adapter) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	if err := ctx.Err(); err != nil {
		return protocol.Ref{}, err
	}
	var ref protocol.Ref
	err := a.world.act(Bot, func(c *change) (err error) {
		if before, ok := c.sent[out.Key]; ok {
			ref = before
			return nil
		}
		ref, err = c.send(out, attempt.Original)
		return err
	})
	if err != nil {
		return protocol.Ref{}, err
	}
	return ref, a.world.sync()
}

func (c *change) send(out protocol.Outgoing, original protocol.Ref) (protocol.Ref, error) {
	if w, ok := out.Act.(protocol.Whisper); ok {
		return c.whisper(w, out.Key)
	}
	in := out.Room
	if in == "" { // of a whisper only the place where it stands is known
		in = original.Room
	}
	rm, err := c.botIn(in)
	if err != nil {
		return protocol.Ref{}, err
	}
	d, done, err := c.deedOf(rm, out, original)
	if err != nil || done != "" {
		return protocol.Ref{Room: rm.id, Event: done}, err
	}
	id, err := c.add(rm.id, d)
	return protocol.Ref{Room: rm.id, Event: id}, err
}

func (c *change) whisper(w protocol.Whisper, key protocol.Key) (protocol.Ref, error) {
	if p := c.people[w.User]; p == nil || p.bot {
		return protocol.Ref{}, gone("there is nobody called %s", w.User)
	}
	d, err := c.saying(w.Text, w.File, "", key) // before a conversation is opened for it
	if err != nil {
		return protocol.Ref{}, err
	}
	in, err := c.direct(w.User)
	if err != nil {
		return protocol.Ref{}, err
	}
	id, err := c.add(in, d)
	return protocol.Ref{Room: in, Event: id}, err
}

// deedOf returns what is to be done, or by which event it was done before.
func (c *change) deedOf(rm *room, out protocol.Outgoing, original protocol.Ref) (d deed, done protocol.EventID, err error) {
	switch act := out.Act.(type) {
	case protocol.Say:
		d, err = c.saying(act.Text, act.File, act.ReplyTo, out.Key)
		return d, "", err
	case protocol.Revise:
		m, err := rm.aim(original.Event, original.Event)
		if err != nil {
			return nil, "", err
		}
		if m.by != Bot {
			return nil, "", final(fmt.Errorf("%w: somebody else wrote %s", ErrForbidden, m.id))
		}
		return edited{Target: m.id, Text: act.Text.Plain(), Rich: act.Text, Key: out.Key}, "", nil
	case protocol.React:
		m, err := rm.aim(act.Target, original.Event)
		if err != nil {
			return nil, "", err
		}
		if id := rm.reactionOf(m, Bot, act.Reaction); id != "" {
			return nil, id, nil
		}
		return reacted{Target: m.id, Reaction: act.Reaction, Key: out.Key}, "", nil
	}
	return nil, "", final(fmt.Errorf("the console does not know the act %s", protocol.KindOf(out.Act)))
}

// saying returns the deed of a message. A file is put into the folder before, and the message says where.
func (c *change) saying(text protocol.Text, file *protocol.File, replyTo protocol.EventID, key protocol.Key) (deed, error) {
	if file != nil {
		path, err := c.w.keep(key, file)
		if err != nil {
			return nil, err
		}
		text = c.speak.Say("file", say.Part("Text", text), code("Path", path))
	}
	plain := text.Plain()
	if plain == "" || len(plain) > MaxText {
		return nil, final(fmt.Errorf("%w: it has %d bytes, and a message between 1 and %d", ErrBadText, len(plain), MaxText))
	}
	return said{Text: plain, Rich: text, ReplyTo: replyTo, Key: key}, nil
}

// Fits implements protocol.Measurer.
func (a *Adapter) Fits(t protocol.Text) bool { return len(t.Plain()) <= MaxText }

// aim finds the message that is written to: by its id, or else by where the original stands.
func (rm *room) aim(target, original protocol.EventID) (*message, error) {
	if target == "" {
		target = original
	}
	if m := rm.messages[target]; m != nil && m.deletion == "" {
		return m, nil
	}
	return nil, gone("the message %s no longer stands in %s", target, rm.id)
}

// botIn finds a room that the bot is in.
func (c *change) botIn(id protocol.RoomID) (*room, error) {
	rm := c.rooms[id]
	if rm == nil {
		return nil, gone("there is no room %s", id)
	}
	if !rm.has(Bot) {
		return nil, gone("the bot is not in %s", id)
	}
	return rm, nil
}

func final(err error) error { return &protocol.SendError{Final: true, Err: err} }

func gone(format string, args ...any) error {
	return final(fmt.Errorf("%w: %s", protocol.ErrGone, fmt.Sprintf(format, args...)))
}

// Ask answers at once. While FailMembers is on, AskMembers fails with an error that may pass, as an overloaded
// server would; a member list that could not be read never looks like an empty one.
func (a *Adapter) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var body protocol.Body
	err := a.world.act(Bot, func(c *change) (err error) {
		body, err = c.answer(ask, attempt.Original)
		return err
	})
	if err != nil {
		return nil, err
	}
	return body, a.world.sync()
}

func (c *change) answer(ask protocol.Ask, original protocol.Ref) (protocol.Body, error) {
	switch want := ask.Want.(type) {
	case protocol.AskJoin:
		return nil, c.botJoins(ask.Room)
	case protocol.AskLeave:
		if rm := c.rooms[ask.Room]; rm != nil && rm.has(Bot) && rm.direct == "" {
			return nil, c.set(rm, Bot, protocol.Left, want.Reason)
		}
		return nil, nil
	case protocol.AskMembers:
		rm, err := c.botIn(ask.Room)
		if err != nil {
			return nil, err
		}
		if c.failMembers {
			return nil, fmt.Errorf("the members of %s cannot be read (the console was told so by /members)", rm.id)
		}
		return c.memberList(rm), nil
	case protocol.AskReactions:
		rm, err := c.botIn(ask.Room)
		if err != nil {
			return nil, err
		}
		m, err := rm.aim(want.Target, original.Event)
		if err != nil {
			return nil, err
		}
		return c.reactionSet(rm, m), nil
	}
	return nil, final(fmt.Errorf("the console does not know how to %s", protocol.KindOf(ask.Want)))
}

func (c *change) botJoins(id protocol.RoomID) error {
	rm := c.rooms[id]
	switch {
	case rm == nil:
		return gone("there is no room %s", id)
	case rm.has(Bot):
		return nil
	case rm.membership(Bot) == protocol.Banned:
		return final(fmt.Errorf("%w: the bot is banned from %s", ErrBanned, id))
	}
	return c.join(rm, Bot, "")
}

func (s *state) memberList(rm *room) protocol.MemberList {
	list := protocol.MemberList{Last: true}
	for _, id := range rm.joined() {
		p := s.people[id]
		list.Members = append(list.Members, protocol.Member{
			User: id, Name: p.name, Bot: p.bot, Self: id == Bot,
			Power: rm.power(id), Since: rm.members[id].since,
		})
	}
	return list
}

func (s *state) reactionSet(rm *room, m *message) protocol.ReactionSet {
	set := protocol.ReactionSet{Target: m.id}
	for _, id := range m.reactions {
		r := rm.reactions[id]
		set.Reactions = append(set.Reactions, protocol.Reaction{
			User: r.by, Reaction: r.reaction, Event: id, Bot: s.people[r.by].bot,
		})
	}
	return set
}

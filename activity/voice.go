package activity

import (
	"strconv"
	"time"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const (
	// grace is how late a timer may go off before it says that the bot was away, and for how long the network then
	// has a say.
	grace = time.Minute

	sweepSlice = 500
)

// calls is what a transaction sees of the calls of a room, and when.
type calls struct {
	*Feature
	tx    *store.Tx
	room  protocol.RoomID
	info  rooms.Info
	state roomState
	now   moment
}

func (f *Feature) look(tx *store.Tx, room protocol.RoomID, now moment) *calls {
	info, _ := rooms.Get(tx, room)
	return &calls{f, tx, room, info, getState(tx, room), now}
}

// voice handles that somebody enters a call, leaves it, or is there in another way.
func (f *Feature) voice(tx *store.Tx, ev protocol.Event, b protocol.VoicePresence) (store.Outcome, error) {
	switch {
	case ev.Sender == "":
		return store.Outcome{}, nil
	case b.Bot || isBot(tx, ev.Room, ev.Sender):
		return store.WasIgnored(ofBot), nil
	}
	if !ev.Backlog {
		hear(tx, ev.Room)
	}
	c := f.look(tx, ev.Room, f.momentOf(tx, ev))
	was, in := c.presence(ev.Sender)
	p := presence{Call: callName(b.Call), Deaf: b.Deafened, AFK: b.AFK, Gen: c.info.Generation, Until: b.Until}
	if b.Call == "" || p.over(c.tx.Now()) {
		if !in {
			return store.WasIgnored("not in a call that is known of"), nil
		}
		if rest, there := was.without(b.Device, c.tx.Now()); there {
			c.put(ev.Sender, rest)
			return store.WasHandled("is in the call with another device"), nil
		}
		return store.WasHandled("left the call"), c.leave(ev.Sender)
	}
	if in && was.Call == p.Call {
		p.Devices = was.Devices
	}
	p = p.with(b.Device, b.Until, c.tx.Now())
	switch {
	case in && was.Call == p.Call && was.Deaf == p.Deaf && was.AFK == p.AFK:
		was.Until, was.Devices = p.Until, p.Devices
		c.put(ev.Sender, was)
		return store.WasIgnored("is in the call that way already"), nil
	case in && was.Call != p.Call:
		if err := c.leave(ev.Sender); err != nil {
			return store.Outcome{}, err
		}
		in = false
	}
	if in {
		p.Number, p.Since = was.Number, was.Since
		c.put(ev.Sender, p)
		return store.WasHandled("is in the call in another way"), c.review(ev.Sender)
	}
	return store.WasHandled("entered the call"), c.enter(ev.Sender, p)
}

// memberChange ends the calls of who is no member any more, and all when it is the bot.
func (f *Feature) memberChange(tx *store.Tx, ev protocol.Event, b protocol.MemberChange) error {
	switch {
	case b.Self && !b.Profile:
		// All presences are void: the generation is another one, or the bot is not there.
		tx.SetTimer(timerSweep, tx.Now(), nil)
		if s := getState(tx, ev.Room); s.Out {
			s.Out = false
			putState(tx, ev.Room, s)
		}
	case !b.Self && b.Membership != protocol.Joined && tx.Has(presences, store.Key(ev.Room, string(b.User))):
		return f.look(tx, ev.Room, f.momentOf(tx, ev)).leave(b.User)
	}
	return nil
}

// roomChange notes outages. What happens during one is not known, so all times begin anew behind it. The presences
// stay: the network says what has changed, and not what has not.
func (f *Feature) roomChange(tx *store.Tx, ev protocol.Event, b protocol.RoomChange) error {
	for _, change := range b.Changes {
		a, ok := change.(protocol.Available)
		if !ok {
			continue
		}
		s := getState(tx, ev.Room)
		switch {
		case !a.Reachable:
			s.Out = true
		case s.Out:
			s.Out, s.Back = false, f.momentOf(tx, ev).at
		default:
			continue
		}
		putState(tx, ev.Room, s)
	}
	return nil
}

// enter takes somebody into a call.
func (c *calls) enter(user protocol.UserID, p presence) error {
	c.state.Presences++
	putState(c.tx, c.room, c.state)
	p.Number = c.state.Presences
	c.put(user, p)
	others := c.in(p.Call, 3)
	if len(others) == 2 {
		// The other one is alone no longer. With more there is nothing new to them.
		for _, other := range others {
			if err := c.review(other); err != nil {
				return err
			}
		}
		return nil
	}
	return c.review(user)
}

// leave takes somebody out of their call.
func (c *calls) leave(user protocol.UserID) error {
	p, ok := c.presence(user)
	if !ok {
		c.drop(user)
		return nil
	}
	if err := c.settle(user, p); err != nil {
		return err
	}
	c.drop(user)
	if left := c.in(p.Call, 2); len(left) == 1 {
		return c.review(left[0])
	}
	return nil
}

// review begins or ends the time of somebody in a call.
func (c *calls) review(user protocol.UserID) error {
	p, ok := c.presence(user)
	if !ok {
		return nil
	}
	switch counts := !p.Deaf && !p.AFK && len(c.in(p.Call, 2)) > 1; {
	case counts && p.Since.IsZero():
		c.begin(user, p)
	case !counts && !p.Since.IsZero():
		if err := c.settle(user, p); err != nil {
			return err
		}
		p.Since = time.Time{}
		c.put(user, p)
		c.tx.StopTimer(p.timer())
	}
	return nil
}

// restart lets the time of somebody in a call begin anew.
func (c *calls) restart(user protocol.UserID) {
	if p, ok := c.presence(user); ok && !p.Since.IsZero() {
		c.begin(user, p)
	}
}

// begin lets the time of somebody in a call begin.
func (c *calls) begin(user protocol.UserID, p presence) {
	p.Since = c.now.at
	c.put(user, p)
	c.arm(user, p, c.due(p))
}

// arm sets the timer of a presence. What is caught up may already be over, as the next events say; they come first.
func (c *calls) arm(user protocol.UserID, p presence, at time.Time) {
	if c.now.caught {
		at = later(at, c.tx.Now().Add(grace))
	}
	c.tx.SetTimer(p.timer(), at, []byte(store.Time(at)+string(user)))
}

// due returns when somebody has been in a call for long enough, which is more than Call.
func (c *calls) due(p presence) time.Time { return later(p.Since, c.state.Back).Add(c.Call + 1) }

// settle publishes what a time that ends now was worth, if no timer has done so. That happens when many are due, and
// when what is caught up says when somebody left. When else a timer is late the bot was away, and it is not known
// when they did.
func (c *calls) settle(user protocol.UserID, p presence) error {
	due := c.due(p)
	if p.Since.IsZero() || p.over(c.now.at) || c.state.Out || c.now.at.Before(due) || !c.now.caught && c.now.at.After(due.Add(grace)) {
		return nil
	}
	return c.publish(c.tx, user, c.now.at, byVoice)
}

// timeUp handles the timer of somebody in a call, that was to go off at the given time.
func (c *calls) timeUp(user protocol.UserID, at time.Time) error {
	p, ok := c.presence(user)
	now := c.tx.Now()
	switch {
	case !ok:
		c.drop(user)
		return nil
	case p.Since.IsZero():
		return nil
	case p.over(now):
		return c.gone(user, p)
	case c.state.Out:
		c.arm(user, p, now.Add(c.Call+1))
		return nil
	case c.due(p).After(now):
		c.arm(user, p, c.due(p))
		return nil
	case now.After(later(at, c.due(p)).Add(grace)):
		c.arm(user, p, now.Add(grace))
		return nil
	}
	if _, member := rooms.Lookup(c.tx, c.room, user); !member && c.info.Members == rooms.Known {
		return c.gone(user, p)
	}
	c.begin(user, p)
	return c.publish(c.tx, user, now, byVoice)
}

// gone takes somebody out of their call who was found not to be in the room.
func (c *calls) gone(user protocol.UserID, p presence) error {
	p.Since = time.Time{} // nobody knows how long they were there
	c.put(user, p)
	return c.leave(user)
}

// sweep clears away a slice of the presences that are void, and sets a timer for the next.
func (c *calls) sweep(from string) {
	prefix := store.Key(c.room, "")
	n := 0
	for k := range c.tx.Range(presences, prefix+from, store.After(prefix)) {
		user := protocol.UserID(k[len(prefix):])
		if n++; n > sweepSlice {
			c.tx.SetTimer(timerSweep, c.tx.Now(), []byte(user))
			return
		}
		if _, ok := c.presence(user); !ok {
			c.drop(user)
		}
	}
}

func (p presence) timer() string { return timerCall + strconv.FormatUint(p.Number, 10) }

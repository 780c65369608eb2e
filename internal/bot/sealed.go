package bot

import (
	"moot/protocol"
	"moot/sealed"
	"moot/store"
)

// seal keeps an event that cannot be read yet.
func (s *step) seal(ev protocol.Event) (Outcome, error) {
	kept := false
	err := s.run(protocol.Scope(ev.Room), ev.Ref(), "sealed", func(tx *store.Tx) (err error) {
		kept, err = sealed.Keep(tx, ev)
		return err
	})
	switch {
	case err != nil:
		return Outcome{}, err
	case !kept:
		return Outcome{store.Ignored, "its key has not come, and too many events of the room wait for theirs already"}, nil
	}
	reason := "its key has not come yet"
	if why := ev.Body.(protocol.Sealed).Reason; why != "" {
		reason += ": " + protocol.OneLine(why)
	}
	return Outcome{store.Waiting, reason}, nil
}

// late handles an event that waited for its key and has it now.
func (s *step) late(q queued) {
	ev := q.event
	if _, still := ev.Body.(protocol.Sealed); still {
		s.Log.Debug("an event was delivered again", "room", ev.Room, "event", ev.ID, "disposition", store.Waiting)
		return
	}
	err := s.run(protocol.Scope(ev.Room), ev.Ref(), "sealed", func(tx *store.Tx) error {
		sealed.Opened(tx, ev.Ref())
		return nil
	})
	switch {
	case err != nil:
		s.Log.Error("an event that waited for its key could not be let go of", "room", ev.Room, "event", ev.ID, "err", err)
	case q.bad != nil:
		s.Log.Warn("an event was refused", "room", ev.Room, "event", ev.ID, "err", q.bad)
		s.c.Record(ev.Room, ev.ID, store.Refused, q.bad.Error())
	default:
		ev.Backlog, ev.Late = true, true
		s.handle(ev, nil)
	}
}

// unsealed ends the events of a room that have waited for too long.
func (s *step) unsealed(ev protocol.Event, scope protocol.Scope) error {
	room := protocol.RoomID(scope)
	up, ok := s.up[room.Network()]
	if !ok {
		up = s.c.Now() // out of reach: no key could come
	}
	var ended []protocol.Ref
	err := s.run(scope, ev.Ref(), "sealed", func(tx *store.Tx) (err error) {
		ended, err = sealed.Expire(tx, room, up)
		return err
	})
	if err != nil {
		return err
	}
	s.endSealed(ended, "its key never came")
	return nil
}

// letGo ends the events of a room that the bot is about to leave, or was out of.
func (s *step) letGo(room protocol.RoomID) {
	var ended []protocol.Ref
	err := s.run(protocol.Scope(room), protocol.Ref{}, "sealed", func(tx *store.Tx) error {
		ended = sealed.Clear(tx, room)
		return nil
	})
	if err != nil {
		s.Log.Error("events that wait for their keys could not be let go of", "room", room, "err", err)
		return
	}
	s.endSealed(ended, "the bot left the room before its key came")
}

func (s *step) endSealed(ended []protocol.Ref, why string) {
	for _, ref := range ended {
		s.c.Record(ref.Room, ref.Event, store.Ignored, why)
	}
	if len(ended) > 0 {
		s.Log.Warn("events could not be read", "room", ended[0].Room, "events", len(ended), "detail", why)
	}
}

// reached notes since when a network can be reached.
func (s *step) reached(network protocol.Network, up bool) {
	if !up {
		delete(s.up, network)
	} else if _, ok := s.up[network]; !ok {
		s.up[network] = s.c.Now()
	}
}

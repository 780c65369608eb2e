package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"moot/protocol"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

// event handles an event, unless it was handled before or breaks a rule. It has one disposition afterwards.
func (s *step) event(q queued) {
	ev := q.event
	if ev.Time.After(s.c.Now().Add(futureSlack)) {
		// The clock is right, or no step would be made: the sender's is wrong, or lies. The event counts as said now. It stays
		// young for longer than it is remembered, but only its own sender could make use of that, to say something once more.
		ev.Time = s.c.Now()
	}
	switch was := s.c.Seen(ev.Room, ev.ID).Disposition; {
	case s.again(ev, was):
		s.Log.Debug("an event was delivered again", "room", ev.Room, "event", ev.ID, "disposition", was)
	case was == store.Waiting && !s.opened(ev):
	case q.bad != nil:
		level := slog.LevelWarn
		if _, written := ev.Body.(protocol.Malformed); written {
			level = slog.LevelDebug // people can write as many of them as they like; the disposition says why
		}
		s.Log.Log(context.Background(), level, "an event was refused", "room", ev.Room, "event", ev.ID, "err", q.bad)
		s.record(ev, store.Refused, q.bad.Error())
	case q.ask != "" && !s.waits(q.ask):
		s.record(ev, store.Ignored, "what was asked has ended meanwhile")
	default:
		ev.Late = was == store.Waiting
		ev.Backlog = ev.Backlog || ev.Late
		s.handle(ev, nil)
	}
	if _, ok := ev.Body.(protocol.Answer); ok && q.ask != "" {
		s.outbox.Answered(s.c, q.ask, "") // whatever became of it, its lane is free from here on
	}
}

// again reports whether an event was handled before: whether it has a disposition that is final, or waits for its key still.
func (s *step) again(ev protocol.Event, was store.Disposition) bool {
	body, still := ev.Body.(protocol.Sealed)
	return was != store.Unseen && (was != store.Waiting || still && !body.Withheld) // that a key is refused is news
}

// opened notes that an event waits for its key no longer, and reports whether that worked.
func (s *step) opened(ev protocol.Event) bool {
	err := s.run(protocol.Scope(ev.Room), ev.Ref(), "sealed", func(tx *store.Tx) error {
		sealed.Opened(tx, ev.Ref())
		return nil
	})
	if err != nil {
		s.Log.Error("an event that waited for its key still does", "room", ev.Room, "event", ev.ID, "err", err)
	}
	return err == nil
}

// handle handles an event that is new, or once more one that is a dead letter, and records what became of it: the outbox
// hears of it, the core brings up to date what is known, and then the features act.
func (s *step) handle(ev protocol.Event, letter *store.Letter) {
	defer s.inDoubt(ev)()
	core := letter == nil || letter.Core
	var out store.Outcome
	var err error
	if core {
		s.hear(ev)
		was, _ := rooms.Get(s.c.Read(), ev.Room)
		out, err = s.stage(ev, protocol.Scope(ev.Room), "core", s.core)
		if err == nil {
			s.left(ev, was)
		}
	}
	if err == nil && !out.Final {
		core = false
		out, err = s.stage(ev, ev.Scope(), protocol.KindOf(ev.Body), s.Features)
	}
	switch {
	case err != nil:
		out = store.Outcome{Disposition: store.Failed, Reason: s.bury(ev, ev.Scope(), core, letter, err)}
	case out.Fault != "":
		out = store.Outcome{Disposition: store.Failed, Reason: s.bury(ev, ev.Scope(), core, letter, errors.New(out.Fault))}
	case letter != nil:
		s.c.DropLetter(letter.ID)
	}
	switch {
	case out.Disposition != store.Unseen:
	case isState(ev.Body):
		out = store.WasHandled("")
	default:
		out = store.WasIgnored("nothing to do with it")
	}
	s.record(ev, out.Disposition, out.Reason)
}

// stage shows an event to features in one transaction, in their order, until one says that it ends there.
func (s *step) stage(ev protocol.Event, scope protocol.Scope, name string, features []Feature) (out store.Outcome, err error) {
	err = s.run(scope, ev.Ref(), name, func(tx *store.Tx) error {
		out = store.Outcome{}
		for _, f := range features {
			o, err := f.Handle(tx, ev)
			if err != nil {
				return err
			}
			if out = weightier(out, o); out.Final {
				return nil
			}
		}
		return nil
	})
	return out, err
}

// weightier returns the outcome that says more: that the way ends, that something was done, that it was not.
func weightier(a, b store.Outcome) store.Outcome {
	if b.Final || b.Fault != "" || a.Disposition == store.Unseen || a.Disposition == store.Ignored && b.Disposition == store.Handled {
		return b
	}
	return a
}

// hear lets the outbox know what an event says of what was sent or asked.
func (s *step) hear(ev protocol.Event) {
	switch b := ev.Body.(type) {
	case protocol.Receipt:
		s.outbox.Received(s.c, b.Key, cmp.Or(b.Message, ev.Ref()))
	case protocol.Message, protocol.Invocation:
		s.outbox.Hurry(ev.Room, s.c.Now())
	case protocol.Answer:
		s.outbox.Answered(s.c, b.Ask, b.Fault)
	}
}

// left ends what waits to be sent to a room that the bot has left with this event, or was out of before it.
func (s *step) left(ev protocol.Event, was rooms.Info) {
	if c, ok := ev.Body.(protocol.MemberChange); !ok || !c.Self || !was.Joined() {
		return
	}
	if now, _ := rooms.Get(s.c.Read(), ev.Room); now.Joined() && now.Generation == was.Generation {
		return
	}
	s.enqueued()
	s.made = append(s.made, s.outbox.LeaveRoom(s.c, ev.Room, ev.Ref())...)
}

// answer handles answers that the outbox has made of asks that ended, and those that these lead to.
func (s *step) answer(made []protocol.Event) {
	for s.made = append(s.made, made...); len(s.made) > 0; {
		ev := s.made[0]
		s.made = s.made[1:]
		s.event(queued{event: ev})
	}
}

// timers lets the timers go off whose time has come.
func (s *step) timers() {
	for _, t := range s.c.Due(timerTurn) {
		s.c.EndTimer(t)
		ev := protocol.Event{
			Room: protocol.RoomID(t.Scope),
			ID:   protocol.EventID(fmt.Sprintf("timer/%s/%d", t.Name, t.At.UnixNano())),
			Time: t.At,
			Body: protocol.Timer{Name: t.Name, Data: t.Data},
		}
		if err := s.timed(ev, t.Scope); err != nil {
			s.bury(ev, t.Scope, false, nil, err)
		}
	}
}

func (s *step) timed(ev protocol.Event, scope protocol.Scope) error {
	defer s.inDoubt(ev)()
	t := ev.Body.(protocol.Timer)
	return s.run(scope, ev.Ref(), t.Name, func(tx *store.Tx) error {
		if what, is, err := toldLate(tx, t); is || err != nil {
			if err != nil {
				return err
			}
			return s.told(tx, what)
		}
		return s.first(func(f Feature) (bool, error) { return f.Timed(tx, t) })
	})
}

// inDoubt has the commit doubt what an event causes, where another life may have had it too, until end is called.
func (s *step) inDoubt(ev protocol.Event) (end func()) {
	if s.until.IsZero() {
		return func() {}
	}
	since := ev.Time
	switch b := ev.Body.(type) {
	case protocol.Answer: // as what it was asked for
		q, _ := s.c.Queued(b.Ask)
		since = q.Doubt
	case protocol.Timer:
	default:
		if since.IsZero() {
			since = s.from
		}
	}
	if since.Before(s.until.Add(clockSlack)) {
		s.c.Doubt(since)
	}
	return func() { s.c.Doubt(time.Time{}) }
}

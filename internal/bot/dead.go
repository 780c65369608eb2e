package bot

import (
	"errors"
	"fmt"

	"moot/protocol"
	"moot/store"
)

// bury makes a dead letter of what could not be handled, and returns the reason to be recorded.
func (s *step) bury(ev protocol.Event, scope protocol.Scope, core bool, letter *store.Letter, err error) string {
	l := store.Letter{Scope: scope, Event: ev, Error: err.Error(), Core: core, Tries: 1}
	if letter != nil {
		l.ID, l.Tries = letter.ID, letter.Tries+1
	}
	var p *store.PanicError
	if errors.As(err, &p) {
		l.Stack = string(p.Stack)
	}
	l, kept := s.c.Bury(l)
	if !kept {
		s.unkept(ev, scope, err)
		return fmt.Sprintf("without a dead letter, since the room has %d already: %s", store.MaxLetters, err)
	}
	s.Log.Error("an event could not be handled", "room", ev.Room, "event", ev.ID, "user", ev.Sender, "dead", l.ID, "err", err, "stack", l.Stack)
	return fmt.Sprintf("dead letter %d: %s", l.ID, err)
}

// unkept counts what could not be handled in a room that has as many dead letters as are kept, and says so now and then.
func (s *step) unkept(ev protocol.Event, scope protocol.Scope, err error) {
	s.lost[scope]++
	if n := s.lost[scope]; n == 1 || n%1000 == 0 {
		s.Log.Error("events could not be handled, and a room has too many dead letters to keep theirs",
			"room", ev.Room, "event", ev.ID, "letters", store.MaxLetters, "events", n, "err", err)
	}
}

// wantRetry notes that a dead letter is to be tried again.
func (s *step) wantRetry(id uint64) {
	l, ok := s.c.Read().Letter(id)
	switch {
	case !ok || l.Retry: // one that has it is among the retries already
	case s.c.Read().Forgotten(l):
		s.Log.Error("a dead letter is not tried again, since its event is forgotten", "dead", id, "room", l.Event.Room, "event", l.Event.ID)
	default:
		s.c.WantRetry(id)
		s.retries = append(s.retries, id)
	}
}

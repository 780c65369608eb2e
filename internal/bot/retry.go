package bot

import (
	"moot/events"
	"moot/protocol"
	"moot/store"
)

// deadTurn is how many dead letters one commit tries again.
const deadTurn = 16

// retry tries again the dead letters that somebody wants to be tried again.
func (s *step) retry() {
	n := min(len(s.retries), deadTurn)
	turn := s.retries[:n]
	s.retries = s.retries[n:]
	for _, id := range turn {
		l, ok := s.c.Read().Letter(id)
		if !ok {
			continue
		}
		var err error
		switch b := l.Event.Body.(type) {
		case protocol.Timer:
			err = s.timed(l.Event, l.Scope)
		case protocol.Internal:
			if b.Kind == events.AsideKind {
				err = s.run(l.Scope, l.Event.Ref(), b.Kind, func(tx *store.Tx) error { return s.Bus.Retire(tx, b) })
			} else {
				err = s.retell(l)
			}
		default:
			s.handle(l.Event, &l)
			s.answer(nil)
			continue
		}
		if err != nil {
			s.bury(l.Event, l.Scope, false, &l, err)
		} else {
			s.c.DropLetter(l.ID)
		}
	}
}

package bot

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"moot/protocol"
	"moot/store"
)

const (
	timerTurn   = 64                    // timers that one commit lets go off
	attemptTurn = 256                   // attempts that one commit begins
	overrun     = 20 * time.Millisecond // a handler that takes longer is named in the log
)

// step is one commit of the machine.
type step struct {
	*Machine
	c    *store.Commit
	fx   *Effects
	made []protocol.Event // answers that the outbox has made, to be handled in this commit
	late int              // counts what is told in a later commit
}

// run runs f in a transaction, and names it in the log if it takes too long.
func (s *step) run(scope protocol.Scope, cause protocol.Ref, name string, f func(*store.Tx) error) error {
	began := time.Now()
	err := s.c.Run(scope, cause, f)
	if took := time.Since(began); took > overrun {
		level := slog.LevelDebug // a busy machine is no fault of the handler
		if took > 5*overrun {
			level = slog.LevelWarn
		}
		s.Log.Log(context.Background(), level, "a handler took long", "handler", name, "room", cause.Room, "event", cause.Event, "took", took)
	}
	return err
}

// first asks the features in their order until one takes what is offered.
func (s *step) first(offer func(Feature) (bool, error)) error {
	for _, f := range s.all {
		if ok, err := offer(f); ok || err != nil {
			return err
		}
	}
	return errors.New("no feature knows what to do with it")
}

// told handles what one scope tells another, within the transaction of the first.
func (s *step) told(tx *store.Tx, what protocol.Internal) error {
	return s.first(func(f Feature) (bool, error) { return f.Told(tx, what) })
}

// record records what became of an event.
func (s *step) record(ev protocol.Event, d store.Disposition, reason string) {
	s.c.Record(ev.Room, ev.ID, d, reason)
	s.fx.Counts.event(ev.Room.Network(), d)
}

// finish saves the cursors of batches that are all handled, and lets their Admit return.
func (s *step) finish(batches []*Batch) {
	for _, b := range batches {
		s.c.SetCursor(b.Cursor)
		s.fx.Done = append(s.fx.Done, b)
	}
}

// enqueued shows the outbox what was enqueued in this commit.
func (s *step) enqueued() {
	for _, q := range s.c.TakeQueued() {
		s.outbox.Add(q)
	}
}

func (s *step) logSend(key protocol.Key, err error) {
	if err != nil {
		sent := s.c.Read().Delivery(key)
		s.Log.Warn("an attempt to send failed", "key", key, "room", sent.Cause.Room, "event", sent.Cause.Event, "state", sent.State, "err", err)
	}
}

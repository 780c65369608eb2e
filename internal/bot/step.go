package bot

import (
	"fmt"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Step takes the inputs and makes one commit. After store.ErrFull nothing has happened, and the same inputs can be given to
// the next Step. After any other error the machine is of no use any more.
func (m *Machine) Step(now time.Time, inputs []Input) (Effects, error) {
	var fx Effects
	err := m.Store.Commit(now, func(c *store.Commit) error {
		s := &step{Machine: m, c: c, fx: &fx}
		c.Deliver(s.deliver)
		for _, in := range inputs {
			s.take(in)
		}
		s.reached()
		if s.start() {
			s.timers()
			m.lanes.take(s.queued)
			s.retry()
			s.forget()
			s.dispatch()
		}
		s.enqueued()
		fx.Appended = c.Appended()
		return nil
	})
	if err != nil {
		return Effects{}, fmt.Errorf("step: %w", err)
	}
	if err := m.plan(&fx, now); err != nil {
		return Effects{}, err
	}
	return fx, nil
}

// take takes an input.
func (s *step) take(in Input) {
	switch in := in.(type) {
	case Admitted:
		s.reached() // what was said of the network before the batch came is heard before its events are
		s.lanes.admit(in.Batch)
		if in.Batch.left == 0 {
			s.finish(s.lanes.finished(in.Batch))
		}
	case Sent:
		s.answer(s.outbox.Done(s.c, in.Key, in.Ref, in.Err))
		s.logSend(in.Key, in.Err)
		s.fx.Counts.attempt(in.Err)
	case Answered:
		s.fx.Counts.attempt(in.Err)
		s.answered(in)
	case Online:
		s.outbox.SetOnline(in.Network, in.Up)
		s.up[in.Network] = in.Up
	case Slept:
		s.slept(in.Since)
	case RetryDead:
		s.wantRetry(in.ID)
	case DropDead:
		s.c.DropLetter(in.ID)
	case Ending:
		s.ending = true
	}
}

// queued handles the next event of a lane.
func (s *step) queued(q queued) {
	if what, ok := q.event.Body.(protocol.Internal); ok && q.bad == nil {
		s.tell(q.event, what)
	} else {
		s.event(q)
	}
	s.answer(nil)
	s.finish(s.lanes.done(q.batch))
}

// answered takes what came of an ask. It is handled in its lane, behind what came before it.
func (s *step) answered(in Answered) {
	ev := outbox.AnswerEvent(in.Ask, in.Attempt, protocol.Answer{Result: in.Result})
	err := in.Err
	if err == nil {
		err = checkAnswer(in.Ask, ev)
	}
	if err != nil {
		s.answer(s.outbox.Done(s.c, in.Ask.Key, protocol.Ref{}, err))
		s.logSend(in.Ask.Key, err)
		return
	}
	for _, part := range rooms.Split(ev) {
		s.lanes.push(queued{event: part, ask: in.Ask.Key})
	}
}

// dispatch begins attempts.
func (s *step) dispatch() {
	s.enqueued()
	if s.ending {
		return
	}
	attempts, answers := s.outbox.Next(s.c, attemptTurn)
	s.fx.Attempts = attempts
	for _, a := range attempts {
		s.await(a)
	}
	s.answer(answers)
}

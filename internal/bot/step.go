package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

const (
	timerTurn   = 64                    // timers that one commit lets go off
	reactTurn   = 64                    // facts that one commit shows to reactors
	attemptTurn = 64                    // attempts that one commit begins
	deadTurn    = 16                    // dead letters that one commit tries again
	overrun     = 20 * time.Millisecond // a handler that takes longer is named in the log
)

// step is one commit of the machine.
type step struct {
	*Machine
	c      *store.Commit
	fx     *Effects
	failed error // why the commit cannot be made
}

// take takes an input.
func (s *step) take(in Input) {
	switch in := in.(type) {
	case Admitted:
		s.lanes.admit(in.Batch)
		if in.Batch.left == 0 {
			s.finish(s.lanes.settled(in.Batch))
		}
	case Sent:
		s.answers(s.outbox.Done(s.c, in.Key, in.Ref, in.Err))
		s.logSend(in.Key, in.Err)
	case Answered:
		s.answered(in)
	case Online:
		s.outbox.SetOnline(in.Network, in.Up)
		s.reached(in.Network, in.Up)
		for _, f := range s.Features {
			if w, ok := f.(Watcher); ok && s.failed == nil {
				s.failed = w.Online(s.c, in.Network, in.Up)
			}
		}
	case RetryDead:
		if l, ok := s.c.Read().Letter(in.ID); ok && !l.Retry { // one that has it is among the retries already
			s.c.WantRetry(in.ID)
			s.retries = append(s.retries, in.ID)
		}
	case DropDead:
		s.c.DropLetter(in.ID)
	case Ending:
		s.ending = true
	}
}

func (s *step) logSend(key protocol.Key, err error) {
	if err != nil {
		sent := s.c.Read().Sent(key)
		s.Log.Warn("an attempt to send failed", "key", key, "room", sent.Cause.Room, "event", sent.Cause.Event, "state", sent.State, "err", err)
	}
}

// finish saves the cursors of batches that are all handled, and lets their Admit return.
func (s *step) finish(batches []*Batch) {
	for _, b := range batches {
		s.c.SetCursor(b.Cursor)
		s.fx.Done = append(s.fx.Done, b)
	}
}

// queued handles the next event of a lane.
func (s *step) queued(q queued) {
	s.event(q)
	s.finish(s.lanes.done(q.batch))
}

func (s *step) event(q queued) {
	ev := q.event
	switch seen := s.c.Seen(ev.Room, ev.ID); {
	case seen.Disposition != store.Unseen && seen.Disposition != store.Waiting:
		s.Log.Debug("an event was delivered again", "room", ev.Room, "event", ev.ID, "disposition", seen.Disposition)
	case seen.Disposition == store.Waiting:
		s.late(q)
	case q.bad != nil:
		s.Log.Warn("an event was refused", "room", ev.Room, "event", ev.ID, "err", q.bad)
		s.c.Record(ev.Room, ev.ID, store.Refused, q.bad.Error())
	case q.ask != "" && !s.waits(q.ask):
		s.c.Record(ev.Room, ev.ID, store.Ignored, "what was asked has ended meanwhile")
	default:
		s.handle(ev, nil)
	}
	if _, ok := ev.Body.(protocol.Answer); ok && q.ask != "" {
		s.outbox.Answered(s.c, q.ask, "") // whatever became of it, its lane is free from here on
	}
}

// handle handles an event, or once more one that is a dead letter, and records what became of it.
func (s *step) handle(ev protocol.Event, letter *store.Letter) {
	out, core, err := s.stages(ev, letter)
	if err == nil {
		s.c.Record(ev.Room, ev.ID, out.Disposition, out.Reason)
		if letter != nil {
			s.c.DropLetter(letter.ID)
		}
		return
	}
	s.c.Record(ev.Room, ev.ID, store.Failed, s.bury(ev, ev.Scope(), core, letter, err))
}

// stages brings the room up to date and then asks the features. It tells whether it failed before the features.
func (s *step) stages(ev protocol.Event, letter *store.Letter) (out Outcome, core bool, err error) {
	if letter == nil || letter.Core {
		var ignored string
		if ignored, err = s.core(ev); err != nil {
			return out, true, err
		}
		if ignored == "" {
			ignored = s.barrier(ev)
		}
		if ignored != "" {
			return Outcome{store.Ignored, ignored}, false, nil
		}
	}
	if _, ok := ev.Body.(protocol.Sealed); ok {
		out, err := s.seal(ev)
		return out, true, err
	}
	if r, ok := ev.Body.(protocol.Receipt); ok {
		if s.c.Read().Sent(r.Key).State == "" {
			return Outcome{store.Ignored, "it was sent under a key that the bot does not know"}, false, nil
		}
		return Outcome{store.Handled, "we sent it"}, false, nil
	}
	err = s.run(ev.Scope(), ev.Ref(), protocol.KindOf(ev.Body), func(tx *store.Tx) error {
		out = Outcome{}
		for _, f := range s.Features {
			o, err := f.Handle(tx, ev)
			if err != nil {
				return err
			}
			out = weightier(out, o)
		}
		return nil
	})
	if out.Disposition == store.Unseen {
		out = Outcome{store.Ignored, "nothing to do with it"}
		if isState(ev.Body) {
			out = Outcome{store.Handled, ""}
		}
	}
	return out, false, err
}

// weightier returns the outcome that says more: that something was done rather than that it was not.
func weightier(a, b Outcome) Outcome {
	if a.Disposition == store.Unseen || a.Disposition == store.Ignored && b.Disposition == store.Handled {
		return b
	}
	return a
}

// core brings up to date what is known of the room and of what was sent. It returns why the event is of no concern to
// features, if so.
func (s *step) core(ev protocol.Event) (ignored string, err error) {
	state := ev
	switch b := ev.Body.(type) {
	case protocol.Receipt:
		s.outbox.Received(s.c, b.Key, ev.Ref())
		return "", nil
	case protocol.Answer:
		s.outbox.Answered(s.c, b.Ask, b.Fault)
		if b.Result == nil {
			return "", nil
		}
		state.Body = b.Result
	case protocol.Gap:
		return "", s.run(protocol.Scope(ev.Room), ev.Ref(), "rooms", func(tx *store.Tx) error {
			return s.Bus.Publish(tx, events.Draft{Kind: RoomKind.Name, Keys: map[string]string{"what": gapWhat}, Payload: b})
		})
	}
	if !rooms.Concerns(state.Body) {
		return "", nil
	}
	if s.rejoins(ev) {
		s.leave(ev.Room)
	}
	var result rooms.Result
	err = s.run(protocol.Scope(ev.Room), ev.Ref(), "rooms", func(tx *store.Tx) (err error) {
		if result, err = rooms.Apply(tx, state); err != nil {
			return err
		}
		for _, n := range result.Notes {
			if err := s.Bus.Publish(tx, roomFact(n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for _, n := range result.Notes {
		s.Log.Info("room "+string(n.What), "room", n.Room, "user", n.User, "detail", n.Detail)
		if n.What == rooms.BotLeft || n.What == rooms.BotKicked || n.What == rooms.BotBanned {
			s.leave(n.Room)
		}
	}
	if _, ok := ev.Body.(protocol.Answer); ok {
		return "", nil // whoever asked is told, also what changes nothing
	}
	return result.Ignored, nil
}

// leave ends what waits to be sent to a room.
func (s *step) leave(room protocol.RoomID) {
	s.letGo(room)
	s.enqueued()
	s.answers(s.outbox.LeaveRoom(s.c, room))
}

// rejoins tells whether the bot joins a room in which it is: it was not in it for a while, and that is history already.
func (s *step) rejoins(ev protocol.Event) bool {
	c, ok := ev.Body.(protocol.MemberChange)
	if !ok || !c.Self || c.Membership != protocol.Joined || c.Profile || ev.History {
		return false
	}
	info, _ := rooms.Get(s.c.Read(), ev.Room)
	return info.Joined()
}

// barrier returns why the event must not be acted on, zero if it may.
func (s *step) barrier(ev protocol.Event) string {
	if ev.History {
		return "from before the bot joined"
	}
	if isState(ev.Body) {
		return ""
	}
	switch {
	case ev.Time.IsZero():
	case ev.Time.Before(s.c.Now().Add(-s.Retention)):
		// What was swept from the record of the seen could not be told from what is new.
		return "older than what the bot remembers"
	case ev.Time.After(s.c.Now().Add(futureSlack)):
		// It would be young for longer than it is remembered.
		return "its time lies in the future"
	}
	if !ev.Private {
		if info, _ := rooms.Get(s.c.Read(), ev.Room); !info.Joined() {
			return "the bot is not in the room"
		}
	}
	return ""
}

// isState tells whether a body says how things are, rather than that somebody wants something.
func isState(b protocol.Body) bool {
	switch b.(type) {
	case protocol.MemberChange, protocol.MemberList, protocol.RoomChange, protocol.Receipt, protocol.Answer, protocol.DirectRoom, protocol.ReactionSet,
		protocol.Gap:
		return true
	}
	return false
}

// run runs f in a transaction, and names it in the log if it takes too long.
func (s *step) run(scope protocol.Scope, cause protocol.Ref, name string, f func(*store.Tx) error) error {
	began := time.Now()
	err := s.c.Run(scope, cause, f)
	if took := time.Since(began); took > overrun {
		s.Log.Warn("a handler took long", "handler", name, "room", cause.Room, "event", cause.Event, "took", took)
	}
	return err
}

// told handles what one scope tells another.
func (s *step) told(tx *store.Tx, what protocol.Internal) error {
	if ok, err := rooms.Told(tx, what); ok || err != nil {
		return err
	}
	for _, f := range s.Features {
		if ok, err := f.Told(tx, what); ok || err != nil {
			return err
		}
	}
	return errors.New("nobody knows what to do with it")
}

// answers handles answers that the outbox has made, within this commit.
func (s *step) answers(answers []protocol.Event) {
	for _, ev := range answers {
		s.event(queued{event: ev})
	}
}

// enqueued shows the outbox what was enqueued in this commit.
func (s *step) enqueued() {
	for _, q := range s.c.TakeQueued() {
		s.outbox.Add(q)
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
	s.answers(answers)
	s.enqueued()
	if len(answers) > 0 {
		s.reacting = true // there may be new facts
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
	t := ev.Body.(protocol.Timer)
	if t.Name == sealed.Timer {
		return s.unsealed(ev, scope)
	}
	return s.run(scope, ev.Ref(), t.Name, func(tx *store.Tx) error {
		if ok, err := rooms.Timed(tx, t); ok || err != nil {
			return err
		}
		for _, f := range s.Features {
			if ok, err := f.Timed(tx, t); ok || err != nil {
				return err
			}
		}
		return errors.New("nobody knows what to do with this timer")
	})
}

// bury makes a dead letter of an event that could not be handled, and returns the reason to be recorded.
func (s *step) bury(ev protocol.Event, scope protocol.Scope, core bool, letter *store.Letter, err error) string {
	l := store.Letter{Scope: scope, Event: ev, Error: err.Error(), Core: core, Tries: 1}
	if letter != nil {
		l.ID, l.Tries = letter.ID, letter.Tries+1
	}
	var p *store.PanicError
	if errors.As(err, &p) {
		l.Stack = string(p.Stack)
	}
	l = s.c.Bury(l)
	s.Log.Error("an event could not be handled", "room", ev.Room, "event", ev.ID, "user", ev.Sender, "dead", l.ID, "err", err, "stack", l.Stack)
	return fmt.Sprintf("dead letter %d: %s", l.ID, err)
}

// dead tries again the dead letters that somebody wants to be tried again.
func (s *step) dead() {
	n := min(len(s.retries), deadTurn)
	turn := s.retries[:n]
	s.retries = s.retries[n:]
	for _, id := range turn {
		l, ok := s.c.Read().Letter(id)
		if !ok {
			continue
		}
		switch b := l.Event.Body.(type) {
		case protocol.Timer:
			if err := s.timed(l.Event, l.Scope); err != nil {
				s.bury(l.Event, l.Scope, false, &l, err)
				continue
			}
			s.c.DropLetter(l.ID)
		case protocol.Internal:
			if err := s.reacted(b, l); err != nil {
				s.bury(l.Event, l.Scope, false, &l, err)
				continue
			}
			s.c.DropLetter(l.ID)
		default:
			s.handle(l.Event, &l)
		}
	}
}

// react shows new facts to reactors. What one fails on becomes a dead letter.
func (s *step) react() {
	if !s.reacting && !s.c.Appended() {
		return
	}
	more, failures := s.Bus.React(s.c, reactTurn)
	s.reacting = more
	for _, f := range failures {
		data, err := json.Marshal(reaction{f.Reactor, f.Seq})
		if err != nil {
			panic(err) // a string and a number can be encoded
		}
		ev := protocol.Event{Room: f.Cause.Room, ID: f.Cause.Event, Time: s.c.Now(), Body: protocol.Internal{Kind: reactionKind, Data: data}}
		s.bury(ev, f.Scope, false, nil, f.Err)
	}
}

// reaction is the data of the dead letter of a reactor.
type reaction struct {
	Reactor string
	Seq     uint64
}

const reactionKind = "reaction"

// reacted tries again what a reactor failed on.
func (s *step) reacted(what protocol.Internal, l store.Letter) error {
	var r reaction
	if err := json.Unmarshal(what.Data, &r); err != nil || what.Kind != reactionKind {
		return fmt.Errorf("dead letter of an unknown kind %q", what.Kind)
	}
	return s.run(l.Scope, l.Event.Ref(), "reactor "+r.Reactor, func(tx *store.Tx) error { return s.Bus.Retry(tx, r.Reactor, r.Seq) })
}

// roomFact makes the fact of a note. Words of people (names, reasons) have no place in a log that is kept for ever.
func roomFact(n rooms.Note) events.Draft {
	d := events.Draft{Kind: RoomKind.Name, Keys: map[string]string{"what": string(n.What)}}
	if n.User != "" {
		d.People = map[string]protocol.UserID{"by": n.User}
	}
	switch n.What {
	case rooms.RoomMoved, rooms.ListRead:
		d.Payload = map[string]string{"detail": n.Detail}
	}
	return d
}

// RoomKind is the kind of the facts about rooms: that the bot joined or left one, was kicked or banned, that a room has
// another name or goes on elsewhere, that its members are known or not, that the network kept something to itself.
var RoomKind = events.Kind{Name: "room", Version: 1, Describe: describeRoom}

// gapWhat is the key "what" of the fact of a [protocol.Gap], which is its payload.
const gapWhat = "gap"

func describeRoom(f events.Fact) string {
	if f.Keys["what"] == gapWhat {
		return "the bot was not connected, and some of what happened is lost"
	}
	switch rooms.What(f.Keys["what"]) {
	case rooms.BotJoined:
		return "the bot joined"
	case rooms.BotLeft:
		return "the bot left"
	case rooms.BotKicked:
		return "the bot was kicked"
	case rooms.BotBanned:
		return "the bot was banned"
	case rooms.RoomNamed:
		return "the room got another name"
	case rooms.RoomMoved:
		return "the room goes on elsewhere"
	case rooms.ListRead:
		return "the list of members was read"
	case rooms.ListFailed:
		return "the list of members could not be read"
	}
	return ""
}

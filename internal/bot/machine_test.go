package bot

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

var notes = store.ScopedBucket("notes")

func TestAFailingHandlerLeavesNoTraceBesideItsDisposition(t *testing.T) {
	for how, fail := range map[string]func() error{
		"error": func() error { return errors.New("broken") },
		"panic": func() error { panic("broken") },
	} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			r.joined(lobby)
			r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
				m, ok := ev.Body.(protocol.Message)
				if !ok {
					return store.Outcome{}, nil
				}
				tx.Put(notes, store.Key(lobby, m.Text), nil)
				if _, err := outbox.Send(tx, protocol.Outgoing{Room: lobby, Act: protocol.Say{Text: protocol.Plain(m.Text)}}); err != nil {
					return store.Outcome{}, err
				}
				tx.SetTimer(m.Text, r.now.Add(time.Hour), nil)
				if m.Text == "bad" {
					return store.WasHandled("noted"), fail()
				}
				return store.WasHandled("noted"), nil
			}
			before, bad, after := r.say(lobby, "before"), r.say(lobby, "bad"), r.say(lobby, "after")
			attempts := r.admit(before, bad, after)
			if len(attempts) != 1 || attempts[0].Out.Act.(protocol.Say).Text.Plain() != "before" {
				t.Errorf("attempts %+v", attempts)
			}
			r.view(func(tx *store.Tx) {
				if tx.Has(notes, store.Key(lobby, "bad")) || !tx.In(protocol.Scope(lobby)).Timer("bad").IsZero() {
					t.Error("the failed handler left something")
				}
				if !tx.Has(notes, store.Key(lobby, "before")) || !tx.Has(notes, store.Key(lobby, "after")) {
					t.Error("its neighbours lost something")
				}
			})
			if s := r.seen(bad); s.Disposition != store.Failed || !strings.Contains(s.Reason, "dead letter 1") {
				t.Errorf("the failed event is recorded as %+v", s)
			}
			if s := r.seen(after); s.Disposition != store.Handled || s.Reason != "noted" {
				t.Errorf("the event after it is recorded as %+v", s)
			}
			letters := r.letters()
			if len(letters) != 1 || letters[0].Event.ID != bad.ID || (letters[0].Stack != "") != (how == "panic") {
				t.Fatalf("dead letters %+v", letters)
			}

			// It stays dead, also when it is delivered again, until somebody wants a retry.
			r.admit(bad)
			if l := r.letters(); len(l) != 1 || l[0].Tries != 1 {
				t.Errorf("after a second delivery: %+v", l)
			}
			r.step(RetryDead{1})
			if l := r.letters(); len(l) != 1 || l[0].Tries != 2 || l[0].Retry {
				t.Errorf("after a retry in vain: %+v", l)
			}
			fail = func() error { return nil }
			r.crash()
			r.step(RetryDead{1})
			if l := r.letters(); len(l) != 0 {
				t.Errorf("after a retry: %+v", l)
			}
			if s := r.seen(bad); s.Disposition != store.Handled {
				t.Errorf("after a retry the event is recorded as %+v", s)
			}
		})
	}
}

func TestMembershipOutlivesAFailingFeature(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.feature.handle = func(*store.Tx, protocol.Event) (store.Outcome, error) { panic("broken") }
	r.admit(r.event(lobby, protocol.MemberChange{User: "console:ben", Membership: protocol.Joined}))
	r.view(func(tx *store.Tx) {
		if _, ok := rooms.Lookup(tx, lobby, "console:ben"); !ok {
			t.Error("ben's join was lost with the feature that failed on it")
		}
	})
	r.admit(r.event(lobby, protocol.MemberChange{User: "console:ben", Membership: protocol.Left}))
	r.feature.handle = nil
	r.step(RetryDead{1})
	r.view(func(tx *store.Tx) {
		if _, ok := rooms.Lookup(tx, lobby, "console:ben"); ok {
			t.Error("the retry of an old join brought ben back")
		}
	})
}

func TestADuplicateIsNotHandledAgain(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.answering()
	ev := r.say(lobby, "hi")
	if n := len(r.admit(ev, ev)); n != 1 {
		t.Errorf("%d answers to one message in one batch twice", n)
	}
	if n := len(r.admit(ev)); n != 0 {
		t.Errorf("%d answers to a second delivery", n)
	}
	r.crash()
	r.step(Online{protocol.Console, true})
	r.flying = nil
	if n := len(r.admit(ev)); n != 0 {
		t.Errorf("%d answers after a restart", n)
	}
}

func TestReplayAfterARejoinIsHistory(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.answering()
	old := r.say(lobby, "old")
	answer := r.admit(old)
	kick := r.event(lobby, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Kicked})
	r.admit(kick)
	r.step(Sent{Key: answer[0].Key, Err: &protocol.SendError{Final: true, Err: protocol.ErrGone}})
	r.flying = nil
	missed := r.say(lobby, "missed")
	rename := r.event(lobby, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Lounge"}}})
	join := r.event(lobby, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined})
	fresh := r.say(lobby, "fresh")
	attempts := r.admit(old, kick, missed, rename, join, fresh)
	var said []string
	for _, a := range attempts {
		if a.Out != nil {
			said = append(said, a.Out.Act.(protocol.Say).Text.Plain())
		}
	}
	if !slices.Equal(said, []string{"fresh"}) {
		t.Errorf("after the rejoin the bot answered %q", said)
	}
	if s := r.seen(missed); s.Disposition != store.Ignored {
		t.Errorf("what was said meanwhile is recorded as %+v", s)
	}
	r.view(func(tx *store.Tx) {
		if info, _ := rooms.Get(tx, lobby); !info.Joined() || info.Generation != 2 || info.Name != "Lounge" || info.Floor != join.ID {
			t.Errorf("%+v", info)
		}
	})
	if n := len(r.admit(missed)); n != 0 {
		t.Error("what was history is acted on when it comes again")
	}
}

func TestWhatIsOlderThanTheMemoryIsNotActedOn(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.answering()
	ev := r.say(lobby, "ancient")
	ev.Time = r.now.Add(-DefaultRetention - time.Minute)
	if n := len(r.admit(ev)); n != 0 || r.seen(ev).Disposition != store.Ignored {
		t.Errorf("%d answers, %+v", n, r.seen(ev))
	}
	// The sweep forgets an event only when its age keeps it from being acted on again.
	ev = r.say(lobby, "young")
	r.admit(ev)
	r.flying = nil
	r.now = r.now.Add(DefaultRetention + futureSlack + 2*time.Hour)
	r.step()
	if s := r.seen(ev); s.Disposition != store.Unseen {
		t.Fatalf("the sweep did not forget %+v", s)
	}
	if n := len(r.admit(ev)); n != 0 {
		t.Error("cleaning up opened the past again")
	}
}

func TestBadEventsAreRefusedAndHoldUpNothing(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.answering()
	bad := r.say(lobby, "bad")
	bad.ID = "a" + protocol.Separator + "b"
	worse := r.say(lobby, "worse")
	worse.Room = "nowhere" + protocol.Separator
	foreign := r.say("matrix:!a:b", "foreign")
	timer := r.event(lobby, protocol.Timer{Name: "rooms.sweep"})
	empty := r.event(lobby, nil)
	good := r.say(lobby, "good")
	if n := len(r.admit(bad, worse, foreign, timer, empty, good)); n != 1 {
		t.Errorf("%d answers, want that to the good one", n)
	}
	for name, ev := range map[string]protocol.Event{
		"separator": bad, "room": worse, "foreign": foreign, "timer": timer, "empty": empty,
	} {
		if s := r.seen(ev); s.Disposition != store.Refused || s.Reason == "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if len(r.done) == 0 {
		t.Error("the batch is not done")
	}
}

func TestCursorsMoveWithTheLastEventAndInOrder(t *testing.T) {
	r := newRig(t)
	r.joined(lobby, garden)
	cursor := func() (v string) {
		r.view(func(tx *store.Tx) { v = tx.Cursor("c") })
		return v
	}
	batch := func(value string, evs ...protocol.Event) *Batch {
		return &Batch{Network: protocol.Console, Events: evs, Cursor: protocol.Cursor{Name: "c", Value: value}}
	}
	var many []protocol.Event
	for range 3 * laneTurn {
		many = append(many, r.say(lobby, "x"))
	}
	r.done = nil
	first, second, empty := batch("1", many...), batch("2", r.say(garden, "y")), batch("3")
	fx := r.one(Admitted{first}, Admitted{second}, Admitted{empty})
	if got := cursor(); got != "" || len(r.done) != 0 || !fx.More {
		t.Fatalf("after one commit the cursor is %q, %d batches are done", got, len(r.done))
	}
	r.one()
	if cursor() != "" || len(r.done) != 0 {
		t.Error("a cursor was saved before all events before it were handled")
	}
	r.step()
	if cursor() != "3" || !slices.Equal(r.done, []*Batch{first, second, empty}) {
		t.Errorf("in the end the cursor is %q, done %d", cursor(), len(r.done))
	}
}

func TestAFloodInOneRoomLeavesTheOthersTheirTurn(t *testing.T) {
	r := newRig(t)
	r.joined(lobby, garden)
	var flood []protocol.Event
	for range 5000 {
		flood = append(flood, r.say(lobby, "spam"))
	}
	r.one(Admitted{&Batch{Network: protocol.Console, Events: flood}})
	quiet := r.say(garden, "hello")
	r.one(Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{quiet}}})
	if s := r.seen(quiet); s.Disposition == store.Unseen {
		t.Error("one message in a quiet room waited for a flood in another")
	}
	if s := r.seen(flood[2*laneTurn]); s.Disposition != store.Unseen {
		t.Error("the flood had more than its turn")
	}
	// Beside somebody who asks little it has less, so that they do not wait for its commits.
	before := handled(r, flood)
	r.one(Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{r.say(garden, "once more")}}})
	if n := handled(r, flood) - before; n != fewTurn {
		t.Errorf("beside one message elsewhere the flood had %d turns", n)
	}
}

// TestNoRoomHasMoreThanItsTurn: at most 64 events of one room are in a commit (promise 5; the number is meant, and not the
// constant), and two that are flooded have as many.
func TestNoRoomHasMoreThanItsTurn(t *testing.T) {
	r := newRig(t)
	r.joined(lobby, garden)
	floods := map[protocol.RoomID][]protocol.Event{}
	var all []protocol.Event
	for range 300 {
		for _, room := range []protocol.RoomID{lobby, garden} {
			ev := r.say(room, "spam")
			floods[room], all = append(floods[room], ev), append(all, ev)
		}
	}
	r.one(Admitted{&Batch{Network: protocol.Console, Events: all}})
	for room, evs := range floods {
		if n := handled(r, evs); n != 64 {
			t.Errorf("%d events of %s were in one commit", n, room)
		}
	}
}

func TestTimersSurviveARestartAndAreTriedAgainWhenTheyFail(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	broken := true
	var fired []string
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if m, ok := ev.Body.(protocol.Message); ok {
			tx.SetTimer("t", tx.Now().Add(time.Hour), []byte(m.Text))
		}
		return store.WasHandled(""), nil
	}
	r.feature.timed = func(tx *store.Tx, timer protocol.Timer) (bool, error) {
		if broken {
			return true, errors.New("broken")
		}
		fired = append(fired, fmt.Sprintf("%s %s %s", tx.Scope(), timer.Name, timer.Data))
		return true, nil
	}
	r.admit(r.say(lobby, "first"))
	r.admit(r.say(lobby, "second")) // takes the place of the first
	r.crash()
	if r.later(59 * time.Minute); len(r.letters()) != 0 {
		t.Fatal("the timer went off too early")
	}
	r.later(2 * time.Minute)
	if l := r.letters(); len(l) != 1 || l[0].Event.Body.(protocol.Timer).Name != "t" {
		t.Fatalf("dead letters %+v", l)
	}
	broken = false
	r.step(RetryDead{1})
	if !slices.Equal(fired, []string{"console:lobby t second"}) || len(r.letters()) != 0 {
		t.Errorf("fired %q, dead letters %+v", fired, r.letters())
	}
}

func TestScopesTellEachOtherThingsWithinOneTransaction(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	fail := false
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if m, ok := ev.Body.(protocol.Message); ok {
			if m.Text == "cheat" {
				tx.Put(notes, store.Key(ann, "x"), nil)
			}
			tx.Tell(protocol.Scope(ann), protocol.Internal{Kind: "note", Data: []byte(m.Text)})
		}
		return store.WasHandled(""), nil
	}
	r.feature.told = func(tx *store.Tx, what protocol.Internal) (bool, error) {
		tx.Put(notes, store.Key(tx.Scope(), string(what.Data)), nil)
		if string(what.Data) == "loop" {
			tx.Tell(tx.Scope(), what)
		}
		if fail {
			return true, errors.New("broken")
		}
		return true, nil
	}
	r.admit(r.say(lobby, "hello"))
	fail = true
	r.admit(r.say(lobby, "bad"))
	fail = false
	cheat, loop := r.say(lobby, "cheat"), r.say(lobby, "loop")
	r.admit(cheat, loop)
	r.view(func(tx *store.Tx) {
		if !tx.Has(notes, store.Key(ann, "hello")) {
			t.Error("what was told was not handled")
		}
		if tx.Has(notes, store.Key(ann, "bad")) {
			t.Error("what failed was kept")
		}
	})
	if s := r.seen(cheat); s.Disposition != store.Failed || !strings.Contains(s.Reason, "outside the scope") {
		t.Errorf("a write under another scope: %+v", s)
	}
	if s := r.seen(loop); s.Disposition != store.Failed {
		t.Errorf("a conversation without end: %+v", s)
	}
}

func TestWhatIsSaidWhereTheBotIsNotIsIgnored(t *testing.T) {
	r := newRig(t)
	r.step(Online{protocol.Console, true})
	r.answering()
	ev := r.say(garden, "hi")
	if n := len(r.admit(ev)); n != 0 || r.seen(ev).Disposition != store.Ignored {
		t.Errorf("%d answers, %+v", n, r.seen(ev))
	}
	private := r.say("console:dm-ann", "hi")
	private.Private = true
	if n := len(r.admit(private)); n != 1 {
		t.Errorf("%d answers in private", n)
	}
}

func TestABrokenStoreEndsTheStep(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.machine.Step(r.now, nil); err == nil {
		t.Error("a step on a closed store went well")
	}
	r.store, _ = store.Open(store.Config{Path: r.path})
}

func TestAnErrorWithoutWordsIsAnError(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.answering()
	for _, tc := range []struct {
		err  error
		want store.State
	}{
		{&protocol.SendError{Final: true}, store.StateFailed},
		{(*protocol.SendError)(nil), store.StateQueued}, // last, since its room then waits
	} {
		a := r.admit(r.say(lobby, string(tc.want)))
		r.step(Sent{Key: a[0].Key, Err: tc.err})
		if s := r.sent(a[0].Key); s.State != tc.want {
			t.Errorf("%#v made of it %+v", tc.err, s)
		}
	}
}

func TestAnOwnEndWithALongReasonIsTakenIn(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	kick := r.own(protocol.Kicked)
	c := kick.Body.(protocol.MemberChange)
	c.Reason = string(slices.Repeat([]byte("x"), 2<<20))
	kick.Body = c
	r.admit(kick)
	if _, info := r.members(); info.Joined() {
		t.Error("the bot thinks that it is still there")
	}
}

// handled counts the events of a list that are recorded.
func handled(r *rig, evs []protocol.Event) (n int) {
	for _, ev := range evs {
		if r.seen(ev).Disposition != store.Unseen {
			n++
		}
	}
	return n
}

// TestASlowHandlerIsNamed: a little over the time is what a busy machine does, and much over it what an operator should see.
func TestASlowHandlerIsNamed(t *testing.T) {
	for took, want := range map[time.Duration]string{0: "", 2 * overrun: "DEBUG", 6 * overrun: "WARN"} {
		r := newRig(t)
		r.joined(lobby)
		var log strings.Builder
		r.machine.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r.feature.handle = func(*store.Tx, protocol.Event) (store.Outcome, error) {
			time.Sleep(took)
			return store.Outcome{}, nil
		}
		r.admit(r.say(lobby, "hello"))
		level, said := "", ""
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "a handler took long") && strings.Contains(line, "handler=Message") {
				_, level, _ = strings.Cut(line, "level=")
				level, _, _ = strings.Cut(level, " ")
				said = line
			}
		}
		if took == 0 && level == "WARN" || took > 0 && level != want && level != "WARN" { // the machine may be slower than the handler
			t.Errorf("a handler of %s is logged as %q: %s", took, level, said)
		}
	}
}

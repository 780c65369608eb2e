package sealed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/protocol"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

const (
	hall protocol.RoomID = "matrix:!hall:a"
	self protocol.UserID = "matrix:@moot:a"
	ann  protocol.UserID = "matrix:@ann:a"
)

// newRig is a bot that is in the hall. Its core keeps what is sealed; it has no other features.
func newRig(t *testing.T) *bottest.Rig {
	r := &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: "matrix", Kinds: []events.Kind{rooms.Kind},
		Features: func(*bottest.Rig) []bot.Feature { return nil },
	}
	r.Open()
	t.Cleanup(r.Close)
	r.Admit(r.Event(hall, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined}))
	return r
}

func secret(r *bottest.Rig, by protocol.UserID) protocol.Event {
	return r.Event(hall, by, protocol.Sealed{Session: "S", Content: []byte("{}")})
}

func seen(r *bottest.Rig, ev protocol.Event) (s store.Seen) {
	r.View(func(tx *store.Tx) { s = tx.Seen(ev.Room, ev.ID) })
	return s
}

func count(r *bottest.Rig) (n int) {
	r.View(func(tx *store.Tx) { n = sealed.Count(tx, 1000) })
	return n
}

// TestTheWaitGoesByTheReachOfTheNetwork: a key is waited for while the network is in reach, however often it is lost meanwhile,
// and after a month without it no longer.
func TestTheWaitGoesByTheReachOfTheNetwork(t *testing.T) {
	r := newRig(t)
	ev := secret(r, ann)
	r.Admit(ev)
	for range 3 {
		r.Later(sealed.Wait - time.Minute)
		r.Step(bot.Online{Network: "matrix"})
		r.Later(time.Hour)
		r.Step(bot.Online{Network: "matrix", Up: true})
	}
	if s := seen(r, ev); s.Disposition != store.Waiting {
		t.Fatalf("ended too early: %+v", s)
	}
	r.Later(sealed.Wait + time.Second)
	if s := seen(r, ev); s.Disposition != store.Ignored || count(r) != 0 {
		t.Errorf("it is %+v, %d wait", s, count(r))
	}
	lost := secret(r, ann)
	r.Admit(lost)
	r.Step(bot.Online{Network: "matrix"})
	r.Later(sealed.Lost - time.Hour)
	if s := seen(r, lost); s.Disposition != store.Waiting {
		t.Fatalf("ended too early: %+v", s)
	}
	r.Later(2 * time.Hour)
	if s := seen(r, lost); s.Disposition != store.Ignored || count(r) != 0 {
		t.Errorf("it is %+v, %d wait", s, count(r))
	}
}

// TestANetworkThatNeverComesBack: what waits for it sets no timer every few minutes.
func TestANetworkThatNeverComesBack(t *testing.T) {
	r := newRig(t)
	r.Admit(secret(r, ann))
	r.Step(bot.Online{Network: "matrix"})
	var at time.Time
	r.View(func(tx *store.Tx) { at = tx.In(protocol.Scope(hall)).Timer("sealed") })
	if d := at.Sub(r.Now); d < sealed.Lost-time.Hour {
		t.Errorf("the room is looked at again in %s", d)
	}
}

// TestNobodyIsNamedTwice: whose messages could not be read is said in one message, and not again within the silence.
func TestNobodyIsNamedTwice(t *testing.T) {
	r := newRig(t)
	var people []protocol.UserID
	for i := range 8 {
		people = append(people, protocol.UserID(fmt.Sprintf("matrix:@p%d:a", i)))
		r.Admit(secret(r, people[i]), secret(r, people[i]))
	}
	r.Now = r.Now.Add(sealed.Wait + time.Minute)
	r.Step()
	said := r.Said()
	if len(said) != 1 || !strings.Contains(said[0], ":a and 3 more wrote:") {
		t.Errorf("said %q", said)
	}
	r.Admit(secret(r, people[0]), secret(r, ann))
	r.Now = r.Now.Add(sealed.Wait + time.Minute)
	r.Step()
	if said := r.Said(); len(said) != 1 || !strings.HasPrefix(said[0], "I could not read what @ann:a wrote:") {
		t.Errorf("then said %q", said)
	}
}

// TestARefusedKeyIsToldAtOnce, with what helps, also when the refusal comes after the message; and why says so to the end.
func TestARefusedKeyIsToldAtOnce(t *testing.T) {
	r := newRig(t)
	ev := secret(r, ann)
	r.Admit(ev)
	if said := r.Said(); len(said) != 0 {
		t.Errorf("before it is refused, it says %q", said)
	}
	ev.Body = protocol.Sealed{Session: "S", Content: []byte("{}"), Reason: "it gives keys to verified devices only", Withheld: true}
	r.Admit(ev)
	r.Admit(secret(r, ann))
	said := r.Said()
	if len(said) != 1 || !strings.Contains(said[0], "allow messages to sessions that are not verified") {
		t.Errorf("it says %q", said)
	}
	r.Later(sealed.Wait + time.Minute)
	if s := seen(r, ev); s.Disposition != store.Ignored || s.Reason != "its key never came: it gives keys to verified devices only" {
		t.Errorf("in the end it is %+v", s)
	}
	for _, text := range r.Said() {
		if strings.Contains(text, "restart") {
			t.Errorf("it gives advice that does not help: %q", text)
		}
	}
}

// TestAnOpenedEventLeavesNothing, also where it then breaks a rule.
func TestAnOpenedEventLeavesNothing(t *testing.T) {
	r := newRig(t)
	good, bad := secret(r, ann), secret(r, ann)
	r.Admit(good, bad)
	r.View(func(tx *store.Tx) {
		var ids []protocol.EventID
		for ev := range sealed.All(tx, hall) {
			ids = append(ids, ev.ID)
		}
		if slices.Sort(ids); len(ids) != 2 {
			t.Errorf("%v wait", ids)
		}
	})
	good.Body, bad.Body = protocol.Message{Text: "hi"}, protocol.Malformed{Kind: "m.room.message", Reason: "no text"}
	r.Admit(good, bad)
	if g, b := seen(r, good), seen(r, bad); g.Disposition != store.Ignored || b.Disposition != store.Refused || count(r) != 0 {
		t.Errorf("%+v, %+v, %d wait", g, b, count(r))
	}
	r.View(func(tx *store.Tx) {
		if at := tx.NextTimer(); !at.IsZero() {
			t.Errorf("a timer is set for %s, and nothing waits", at)
		}
	})
}

// TestTheWaitAfterTheClockWasTurnedBack: what was sealed while the clock was ahead waits no longer than anything else, and a
// room that was told then is told again.
func TestTheWaitAfterTheClockWasTurnedBack(t *testing.T) {
	r := newRig(t)
	right := r.Now.Add(time.Hour)
	r.Now = r.Now.AddDate(10, 0, 0)
	r.Admit(secret(r, ann))
	r.Later(sealed.Wait + time.Minute)
	if said := r.Said(); len(said) != 1 {
		t.Fatalf("said %q", said)
	}
	ev := secret(r, ann)
	r.Admit(ev)
	if _, _, err := bot.TurnBack(r.Store, right); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.Now = right
	r.Open()
	r.Said() // what the crash left open
	r.Later(2*sealed.Wait + time.Minute)
	if s := seen(r, ev); s.Disposition != store.Ignored || count(r) != 0 {
		t.Errorf("it is %+v, %d wait", s, count(r))
	}
	if said := r.Said(); len(said) != 1 {
		t.Errorf("said %q", said)
	}
}

// TestExport shows somebody how many messages of theirs wait for their key, and that the room was told; and nobody else's.
func TestExport(t *testing.T) {
	r := newRig(t)
	const ben protocol.UserID = "matrix:@ben:a"
	export := func(of protocol.UserID) (lines string) {
		r.View(func(tx *store.Tx) {
			for line := range (sealed.Feature{}).Export(tx, of) {
				lines += line.Plain() + "\n"
			}
		})
		return lines
	}
	r.Admit(secret(r, ann), secret(r, ann), secret(r, ben))
	if got := export(ann); !strings.Contains(got, "that I cannot read yet, as I got them: 2.") {
		t.Errorf("ann is shown %q", got)
	}
	r.Later(sealed.Wait + time.Minute)
	if got := export(ann); strings.Contains(got, "as I got them") || !strings.Contains(got, "that I could not read what you wrote, at 2026-11-") {
		t.Errorf("when the wait is over ann is shown %q", got)
	}
	if got := export("matrix:@cem:a"); got != "" {
		t.Errorf("who has sent nothing is shown %q", got)
	}
}

package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

func TestAThousandCommandsInASecond(t *testing.T) {
	w := newWorld(t)
	w.meet(ben)
	w.room("console:lobby", "lobby", "ann", "ben", "cleo")
	for _, place := range []protocol.RoomID{"console:lobby", dm(ben)} {
		var evs []protocol.Event
		for i := range 1000 {
			evs = append(evs, protocol.Event{Room: place, Sender: ben, Body: protocol.Message{Text: "!moot ping"}})
			if i%200 == 199 && !private(place) {
				evs = append(evs, protocol.Event{Room: place, Sender: ann, Body: protocol.Message{Text: "!moot ping"}})
			}
		}
		var pongs, limits, silent, annsPongs int
		for i, a := range w.together(evs) {
			switch {
			case a.text() == "pong" && evs[i].Sender == ann:
				annsPongs++
			case a.text() == "pong":
				pongs++
			case strings.HasPrefix(a.text(), "One at a time, please"):
				limits++
				if want := (store.Outcome{Disposition: store.Handled, Reason: "answered to the rate limit"}); a.outcome != want {
					t.Errorf("the answer about the limit is %v", a.outcome)
				}
			case len(a.out) == 0 && a.outcome == store.Outcome{Disposition: store.Ignored, Reason: "rate limit"}:
				silent++
			default:
				t.Fatalf("%v: %q", a.outcome, a.text())
			}
		}
		obeyed, told := commands.DefaultBurst, 1
		if private(place) { // the limit is that of the person, and they were told of it in the room
			obeyed, told = 0, 0
		}
		if pongs != obeyed || limits != told || silent != 1000-pongs-limits {
			t.Errorf("in %s: %d are obeyed, %d answered, %d passed over", place, pongs, limits, silent)
		}
		if !private(place) && annsPongs != 5 {
			t.Errorf("somebody else is obeyed %d times of 5", annsPongs)
		}
	}
	w.now = w.now.Add(3 * time.Second)
	pongs := 0
	for range 9 {
		switch a := w.say(ben, "console:lobby", "!moot ping"); {
		case a.text() == "pong":
			pongs++
		case a.outcome.Reason != "rate limit":
			t.Errorf("who has not been quiet is told again: %v", a.outcome)
		}
	}
	if pongs != 4 { // in 13 seconds
		t.Errorf("after a while %d of 9 are obeyed", pongs)
	}
	w.pass(time.Minute)
	if rows := w.holds("", "command-rates"); rows != nil {
		t.Error("the rates are not cleared away")
	}
}

func TestWhatIsRememberedIsClearedAway(t *testing.T) {
	w := newWorld(t)
	w.room("console:lobby", "lobby", "ann", "ben")
	w.say(ann, "console:lobby", "!moot ping")
	w.say(ben, "console:lobby", "!moot ping")
	asked := func() (n int) {
		w.view(func(tx *store.Tx) {
			for range tx.Range(store.SharedBucket("command-asked"), "", "") {
				n++
			}
		})
		return n
	}
	w.pass(25 * time.Hour)
	if asked() != 2 {
		t.Errorf("%d of 2 are left while the events are remembered", asked())
	}
	if err := w.store.Commit(w.now, func(c *store.Commit) error { c.SweepSeen(c.Now()); return nil }); err != nil {
		t.Fatal(err)
	}
	w.pass(25 * time.Hour)
	if asked() != 0 {
		t.Errorf("%d are left when the events are not remembered any more", asked())
	}
	if fired := w.pass(100 * time.Hour); fired != 0 {
		t.Errorf("%d timers go on for nothing", fired)
	}
}

// TestForgettingLeavesNothing looks for somebody in every bucket.
func TestForgettingLeavesNothing(t *testing.T) {
	w := newWorldWith(t, unlimited, &commands.Command{Name: "break", Summary: "fails",
		Run: func(*commands.Call) error { return errors.New("a fault") }})
	w.meet(ben)
	w.room("console:lobby", "lobby", "ann", "ben")
	w.room("console:garden", "The Garden", "ann", "ben")
	w.fact("console:lobby", map[string]string{"vote": "1"}, map[string]protocol.UserID{"opener": ben}, "a text of his own")
	for _, line := range []string{"ping", "use garden", "break my heart", "mydata"} {
		w.say(ben, "console:lobby", "!moot "+line)
	}
	w.say(ben, dm(ben), "break my word")
	buckets := []string{"people", "people-numbers", "people-kept", "texts", "facts", "index", "dead", "chosen-rooms", "command-asked", "seen"}
	if n := len(w.holds("console:ben", buckets...)); n < 4 {
		t.Fatalf("there is little to forget: %d", n)
	}
	w.leave("console:lobby", ben, protocol.Left)
	if a := w.say(ben, dm(ben), "forget me yes"); !strings.Contains(a.text(), "This is forgotten:") {
		t.Fatalf("answered %q", a.text())
	}
	for _, text := range []string{"console:ben", "a text of his own", "break my"} {
		if where := w.holds(text, buckets...); where != nil {
			t.Errorf("%q is left in %v", text, where)
		}
	}
	w.leave("console:garden", ben, protocol.Left)
	w.pass(time.Hour)
	if where := w.holds("console:ben", "room-users", "user-rooms", "moderators", "command-rates"); len(where) != 2 {
		t.Errorf("beside the private conversation he is left in %v", where) // room-users and user-rooms have that
	}
}

package bot

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// concerns makes the feature want to tell rooms whatever happens to their network, and returns what each has heard.
func (r *rig) concerns(rooms ...protocol.RoomID) map[protocol.RoomID][]string {
	heard := map[protocol.RoomID][]string{}
	r.feature.reach = func(_ *store.Tx, network protocol.Network, up bool, at time.Time) (all []store.Told) {
		for _, room := range rooms {
			word := fmt.Sprint(up)
			if network == "" {
				word = "away since " + at.Format(time.TimeOnly)
			}
			all = append(all, store.Told{To: protocol.Scope(room), What: protocol.Internal{Kind: "fake.reach", Data: []byte(word)}})
		}
		return all
	}
	r.feature.told = func(tx *store.Tx, what protocol.Internal) (bool, error) {
		room := protocol.RoomID(tx.Scope())
		heard[room] = append(heard[room], string(what.Data))
		return what.Kind == "fake.reach", nil
	}
	return heard
}

// TestAFeatureThatFailsOnANetworkEndsNothing: whatever a feature does when a network comes or goes, and at a start, it is a dead
// letter of the room, the others hear of it, and the bot goes on and starts again.
func TestAFeatureThatFailsOnANetworkEndsNothing(t *testing.T) {
	for how, fail := range map[string]func() error{
		"error": func() error { return errors.New("broken") },
		"panic": func() error { panic("broken") },
	} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			heard := r.concerns(lobby, garden)
			told := r.feature.told
			broken := true
			r.feature.told = func(tx *store.Tx, what protocol.Internal) (bool, error) {
				if tx.Scope() == protocol.Scope(lobby) && broken {
					return true, fail()
				}
				return told(tx, what)
			}
			r.crash() // a start
			r.step(Online{protocol.Console, true})
			r.step(Online{protocol.Console, false})
			if l := r.letters(); len(l) != 3 || l[0].Scope != protocol.Scope(lobby) {
				t.Fatalf("dead letters %+v", l)
			}
			if got := heard[garden]; len(got) != 3 || !slices.Equal(got[1:], []string{"true", "false"}) {
				t.Errorf("the other room heard %q", got)
			}
			r.joined(lobby)
			r.answering()
			if n := len(r.admit(r.say(lobby, "hi"))); n != 1 {
				t.Errorf("%d answers afterwards", n)
			}
			// A retry tells what is so now.
			broken = false
			r.step(RetryDead{r.letters()[2].ID})
			if got := heard[lobby]; !slices.Equal(got, []string{"true"}) || len(r.letters()) != 3 {
				t.Errorf("after a retry %q, %d letters", got, len(r.letters()))
			}
		})
	}
}

// TestAFeatureThatCannotSayWhomANetworkConcerns: that too is a dead letter.
func TestAFeatureThatCannotSayWhomANetworkConcerns(t *testing.T) {
	r := newRig(t)
	heard := r.concerns(lobby)
	says := r.feature.reach
	r.feature.reach = func(*store.Tx, protocol.Network, bool, time.Time) []store.Told { panic("broken") }
	r.crash()
	r.step(Online{protocol.Console, true})
	letters := r.letters()
	if len(letters) != 2 || letters[0].Stack == "" {
		t.Fatalf("dead letters %+v", letters)
	}
	r.step(RetryDead{letters[1].ID})
	if l := r.letters(); len(l) != 2 || l[1].Tries != 2 {
		t.Errorf("after a retry in vain: %+v", l)
	}
	r.feature.reach = says
	r.step(RetryDead{letters[0].ID}, RetryDead{letters[1].ID})
	if l := r.letters(); len(l) != 0 || !slices.Contains(heard[lobby], "true") {
		t.Errorf("after a retry %+v, heard %q", l, heard[lobby])
	}
}

// TestARoomHearsOfItsNetworkInOrder: what is said of a network and what comes from it are heard in the order in which they came,
// also where all of it falls into one commit. What comes by a connection must not be told that there is none.
func TestARoomHearsOfItsNetworkInOrder(t *testing.T) {
	r := newRig(t)
	r.concerns(lobby)
	r.joined(lobby)
	r.step(Online{protocol.Console, false})
	var order []string
	r.feature.told = func(_ *store.Tx, what protocol.Internal) (bool, error) {
		order = append(order, string(what.Data))
		return true, nil
	}
	r.feature.handle = func(_ *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if m, ok := ev.Body.(protocol.Message); ok {
			order = append(order, m.Text)
		}
		return store.Outcome{}, nil
	}
	said := func(text string) Admitted {
		return Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{r.say(lobby, text)}}}
	}
	r.step(said("before"), Online{protocol.Console, true}, said("after"), Online{protocol.Console, false}, said("last"),
		Online{protocol.Console, true}, Online{protocol.Console, false}) // which is no news
	if want := []string{"before", "true", "after", "false", "last"}; !slices.Equal(order, want) {
		t.Errorf("the room heard %q, and %q came", order, want)
	}
}

// TestManyRoomsHearOfANetworkInSlices: however many rooms a network concerns, no commit tells more than a few, and at a start
// nothing else happens until all have heard, since one that ended before would not know since when the bot was away.
func TestManyRoomsHearOfANetworkInSlices(t *testing.T) {
	const many = 1000
	r := newRig(t)
	var rooms []protocol.RoomID
	for i := range many {
		rooms = append(rooms, protocol.RoomID(fmt.Sprintf("console:%d", i)))
	}
	heard := r.concerns(rooms...)
	all := func(n int) (count int) {
		for _, words := range heard {
			if len(words) >= n {
				count++
			}
		}
		return count
	}
	slices := func(want, of int) {
		t.Helper()
		for n := 0; ; n++ {
			before := all(of)
			fx := r.one()
			if got := all(of) - before; got > want {
				t.Fatalf("one commit told %d rooms", got)
			}
			if !fx.More {
				return
			}
			if n > many {
				t.Fatal("it does not come to an end")
			}
		}
	}
	r.joined(lobby)
	alive := r.now
	r.now = r.now.Add(time.Hour)
	heard = r.concerns(rooms...)
	r.crash()
	r.answering()
	ev := r.say(lobby, "hi")
	r.one(Online{protocol.Console, true}, Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{ev}}})
	r.one()
	if n := all(1); n == 0 || n >= many || r.seen(ev).Disposition != store.Unseen {
		t.Fatalf("%d rooms have heard in two commits; the message is %v", n, r.seen(ev).Disposition)
	}
	r.crash() // within the start: the next run still knows since when the bot was away
	heard = r.concerns(rooms...)
	slices(reachTurn, 1)
	if all(1) != many || heard[rooms[many-1]][0] != "away since "+alive.Format(time.TimeOnly) {
		t.Errorf("%d rooms heard %q", all(1), heard[rooms[many-1]])
	}
	r.one(Online{protocol.Console, true})
	slices(commitTurn/toldWeight, 2)
	quiet := r.say(lobby, "hello")
	r.one(Online{protocol.Console, false})
	r.one(Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{quiet}}})
	if s := r.seen(quiet); s.Disposition == store.Unseen || all(3) == many {
		t.Errorf("a message waited for %d rooms to hear of the network", all(3))
	}
	slices(commitTurn/toldWeight, 3)
	if all(3) != many {
		t.Errorf("%d rooms heard", all(3))
	}
}

// TestWhatAStartSaysIsSent: what features say while all hear that the bot was away goes out, also where they are so many that one
// commit could not tell them all.
func TestWhatAStartSaysIsSent(t *testing.T) {
	const many = 3*reachTurn + 1
	r := newRig(t)
	var rooms []protocol.RoomID
	for i := range many {
		rooms = append(rooms, protocol.RoomID(fmt.Sprintf("console:%d", i)))
	}
	r.concerns(rooms...)
	r.crash()
	told := r.feature.told
	r.feature.told = func(tx *store.Tx, what protocol.Internal) (bool, error) {
		if string(what.Data) == "true" {
			return true, nil // that the network is there
		}
		if _, err := outbox.Send(tx, protocol.Outgoing{Room: protocol.RoomID(tx.Scope()), Act: protocol.Say{Text: protocol.Plain("I was away")}}); err != nil {
			return true, err
		}
		return told(tx, what)
	}
	sent := map[protocol.RoomID]bool{}
	for flying := r.step(Online{protocol.Console, true}); len(flying) > 0; {
		var ends []Input
		for _, a := range flying {
			sent[a.Out.Room] = true
			ends = append(ends, Sent{Key: a.Key, Ref: protocol.Ref{Room: a.Out.Room, Event: protocol.EventID("sent-" + a.Key)}})
		}
		flying = r.step(ends...)
	}
	if len(sent) != many {
		t.Errorf("%d of %d rooms are told", len(sent), many)
	}
}

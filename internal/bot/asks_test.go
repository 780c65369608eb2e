package bot

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const self protocol.UserID = "console:moot"

func (r *rig) own(m protocol.Membership) protocol.Event {
	return r.event(lobby, protocol.MemberChange{User: self, Self: true, Membership: m})
}

func (r *rig) change(user protocol.UserID, m protocol.Membership) protocol.Event {
	return r.event(lobby, protocol.MemberChange{User: user, Membership: m})
}

// asked returns the attempts of asks that were begun since it was last called, and fails the test if there are not n.
func (r *rig) asked(n int) (asks []outbox.Attempt) {
	r.t.Helper()
	r.flying = slices.DeleteFunc(r.flying, func(a outbox.Attempt) bool {
		if a.Ask != nil {
			asks = append(asks, a)
		}
		return a.Ask != nil
	})
	if len(asks) != n {
		r.t.Fatalf("%d asks were begun, want %d: %+v", len(asks), n, asks)
	}
	return asks
}

func answered(a outbox.Attempt, result protocol.Body) Answered {
	return Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: result}
}

func listOf(users ...protocol.UserID) protocol.MemberList {
	l := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true}}}
	for _, u := range users {
		l.Members = append(l.Members, protocol.Member{User: u})
	}
	return l
}

// members returns who is in the lobby beside the bot, and what is known of it.
func (r *rig) members() (users []protocol.UserID, info rooms.Info) {
	r.view(func(tx *store.Tx) {
		info, _ = rooms.Get(tx, lobby)
		for m := range rooms.Members(tx, lobby) {
			if !m.Self {
				users = append(users, m.User)
			}
		}
	})
	return users, info
}

func (r *rig) expectMembers(want ...protocol.UserID) {
	r.t.Helper()
	got, info := r.members()
	if !slices.Equal(got, want) || info.Members != rooms.Known || info.Count != len(want)+1 {
		r.t.Errorf("members %v (%s, %d counted), want %v", got, info.Members, info.Count, want)
	}
}

func TestAnAnswerThatIsNoneIsAFaultAndAskedForAgain(t *testing.T) {
	for name, result := range map[string]protocol.Body{
		"nothing":      nil,
		"another kind": protocol.Message{Text: "hi"},
		"half a list":  protocol.MemberList{Members: listOf(ann).Members},
		"bad member":   listOf(ann, "nonsense"),
		"a pointer":    &protocol.MemberList{Last: true},
		"foreigner":    listOf("matrix:@eve:example.org"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.step(Online{protocol.Console, true})
			r.admit(r.own(protocol.Joined))
			r.step(answered(r.asked(1)[0], result))
			if _, info := r.members(); info.Members != rooms.Unknown || info.Fault == "" {
				t.Errorf("after a bad answer: %+v", info)
			}
			r.later(time.Minute)
			r.step(answered(r.asked(1)[0], listOf(ann)))
			r.expectMembers(ann)
		})
	}
}

func TestAListFromBeforeAKickDoesNotCountAfterTheRejoin(t *testing.T) {
	for name, late := range map[string]func(r *rig, in Answered){
		"taken after the rejoin": func(r *rig, in Answered) {
			r.admit(r.own(protocol.Kicked))
			r.admit(r.own(protocol.Joined))
			r.step(in)
		},
		"queued behind the kick": func(r *rig, in Answered) {
			kick := &Batch{Network: protocol.Console, Events: []protocol.Event{r.own(protocol.Kicked)}}
			join := &Batch{Network: protocol.Console, Events: []protocol.Event{r.own(protocol.Joined)}}
			r.step(Admitted{kick}, Admitted{join}, in)
		},
		"kick and rejoin in one delivery": func(r *rig, in Answered) {
			r.admit(r.own(protocol.Kicked), r.own(protocol.Joined))
			r.step(in)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.step(Online{protocol.Console, true})
			r.admit(r.own(protocol.Joined))
			old := r.asked(1)[0]
			late(r, answered(old, listOf(ann, "console:eve")))
			if got, info := r.members(); len(got) != 0 || info.Members != rooms.Unknown {
				t.Errorf("members %v, %s", got, info.Members)
			}
			r.step(answered(r.asked(1)[0], listOf(ann)))
			r.expectMembers(ann)
		})
	}
}

func TestWhatHappensWhileAListIsFetchedWinsOverIt(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.admit(r.change("console:ben", protocol.Joined))
	for range 2 {
		ask := func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
			if _, ok := ev.Body.(protocol.Message); !ok {
				return store.Outcome{}, nil
			}
			_, err := outbox.Ask(tx, protocol.Ask{Room: lobby, Want: protocol.AskMembers{}})
			return store.WasHandled(""), err
		}
		r.feature.handle = ask
		r.admit(r.say(lobby, "reconcile"))
		a := r.asked(1)[0]
		snapshot := listOf(ann, "console:ben")
		r.admit(r.change("console:ben", protocol.Left), r.change("console:dan", protocol.Joined))
		r.step(answered(a, snapshot))
		r.expectMembers(ann, "console:dan")
		r.later(time.Minute)
		r.expectMembers(ann, "console:dan")
		r.admit(r.change("console:ben", protocol.Joined), r.change("console:dan", protocol.Left))
		r.expectMembers(ann, "console:ben")
	}
}

func TestWhoAskedHearsThatTheBotHasLeft(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	faults := map[protocol.Key]string{}
	var key protocol.Key
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (out store.Outcome, err error) {
		switch b := ev.Body.(type) {
		case protocol.Message:
			key, err = outbox.Ask(tx, protocol.Ask{Room: lobby, Want: protocol.AskMembers{}})
		case protocol.Answer:
			faults[b.Ask] = b.Fault
		}
		return store.Outcome{}, err
	}
	r.admit(r.say(lobby, "reconcile"))
	r.asked(1)
	r.admit(r.own(protocol.Kicked))
	if faults[key] == "" {
		t.Errorf("whoever asked heard %v", faults)
	}
}

func TestARejoinEndsWhatWaitsAlsoWhenTheKickCameWithIt(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.answering()
	before := r.say(lobby, "one")
	two := r.say(lobby, "two")
	first := r.admit(before, two)
	r.admit(r.own(protocol.Kicked), r.own(protocol.Joined))
	r.step(Sent{Key: first[0].Key, Err: errors.New("passing")})
	for _, ev := range []protocol.Event{before, two} {
		if s := r.sent(store.CauseKey(ev.Ref(), 1)); s.State != store.StateEnded {
			t.Errorf("the answer to %s is %s", ev.ID, s.State)
		}
	}
	r.asked(1)
}

func TestAFeatureMayGreetWhenTheBotJoins(t *testing.T) {
	r := newRig(t)
	r.step(Online{protocol.Console, true})
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		switch ev.Body.(type) {
		case protocol.MemberChange, protocol.RoomChange:
			_, err := outbox.Send(tx, protocol.Outgoing{Room: lobby, Act: protocol.Say{Text: protocol.Plain("hello")}})
			return store.WasHandled(""), err
		}
		return store.Outcome{}, nil
	}
	said := map[protocol.Key]bool{}
	collect := func(attempts []outbox.Attempt) {
		for _, a := range attempts {
			if a.Out != nil {
				said[a.Key] = true
				r.step(Sent{Key: a.Key})
			}
		}
	}
	collect(r.admit(r.own(protocol.Joined)))
	collect(r.admit(r.event(lobby, protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: garden}}})))
	if len(said) != 2 {
		t.Errorf("said %v", slices.Collect(maps.Keys(said)))
	}
}

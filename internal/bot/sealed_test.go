package bot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/sealed"
	"moot/store"
)

func (r *rig) sealed(room protocol.RoomID) protocol.Event {
	return r.event(room, protocol.Sealed{Session: "S", Content: []byte(`{"ciphertext": "x"}`)})
}

// opened is the event as it is handed over when the key has come.
func opened(ev protocol.Event, text string) protocol.Event {
	ev.Body = protocol.Message{Text: text}
	return ev
}

func (r *rig) waiting(room protocol.RoomID) (events []protocol.Event) {
	r.view(func(tx *store.Tx) {
		for ev := range sealed.All(tx, room) {
			events = append(events, ev)
		}
	})
	return events
}

func says(attempts []outbox.Attempt) (texts []string) {
	for _, a := range attempts {
		if a.Out != nil {
			texts = append(texts, a.Out.Act.(protocol.Say).Text.Plain())
		}
	}
	return texts
}

// What waits for its key is handled once, when it comes, also after a crash and a second delivery.
func TestAnEventWaitsForItsKey(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.answering()
	var late []bool
	answer := r.feature.handle
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		late = append(late, ev.Late && ev.Backlog)
		return answer(tx, ev)
	}
	ev := r.sealed(lobby)
	if got := says(r.admit(ev, ev)); got != nil {
		t.Fatalf("said %q of what cannot be read", got)
	}
	r.crash()
	r.step(Online{protocol.Console, true})
	if got := r.seen(ev); got.Disposition != store.Waiting || got.Reason != "its key has not come yet" {
		t.Errorf("recorded %v", got)
	}
	if got := r.waiting(""); len(got) != 1 || string(got[0].Body.(protocol.Sealed).Content) != `{"ciphertext": "x"}` || got[0].Ref() != ev.Ref() || got[0].Sender != ann {
		t.Errorf("kept %v", got)
	}
	if got := says(r.admit(opened(ev, "hello"), opened(ev, "hello"), ev)); fmt.Sprint(got) != "[hello]" {
		t.Errorf("said %q", got)
	}
	if got := r.seen(ev); got.Disposition != store.Handled || len(r.waiting("")) != 0 {
		t.Errorf("recorded %v, %d still wait", got, len(r.waiting("")))
	}
	if fmt.Sprint(late) != "[true]" {
		t.Errorf("handled %v", late)
	}
	if got := says(r.later(time.Hour)); got != nil {
		t.Errorf("said %q afterwards", got)
	}
}

func TestAKeyThatNeverComes(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	first, second := r.sealed(lobby), r.sealed(lobby)
	second.Sender = "console:ben"
	r.admit(first, second)
	if got := says(r.later(sealed.Wait - time.Minute)); got != nil {
		t.Fatalf("gave up too early: %q", got)
	}
	third := r.sealed(lobby)
	r.admit(third)
	got := says(r.later(time.Minute))
	if len(got) != 1 || !strings.HasPrefix(got[0], "I could not read what Ann and ben wrote: ") {
		t.Errorf("told %q", got)
	}
	if seen := r.seen(first); seen.Disposition != store.Ignored || seen.Reason != "its key never came" {
		t.Errorf("recorded %v", seen)
	}
	if seen := r.seen(third); seen.Disposition != store.Waiting {
		t.Errorf("one that has waited for a minute is %v", seen)
	}
	if got := says(r.later(sealed.Wait)); got != nil { // ann was told of
		t.Errorf("told again: %q", got)
	}
	if seen := r.seen(third); seen.Disposition != store.Ignored {
		t.Errorf("the third is %v", seen)
	}
	r.answering()
	if got := says(r.admit(opened(first, "too late"))); got != nil {
		t.Errorf("handled what had ended: %q", got)
	}
	for _, a := range r.flying {
		r.step(Sent{Key: a.Key, Ref: protocol.Ref{Room: lobby, Event: "$told"}})
	}
	fourth := r.sealed(lobby)
	r.now = r.now.Add(sealed.Silence)
	r.admit(fourth)
	if got := says(r.later(sealed.Wait)); len(got) != 1 {
		t.Errorf("an hour later it told %q", got)
	}
	r.later(sealed.Silence)
	r.view(func(tx *store.Tx) {
		for k := range tx.Range(store.ScopedBucket("sealed-told"), "", "") {
			t.Errorf("%q stays for ever", k)
		}
		if at := tx.NextTimer(); !at.IsZero() {
			t.Errorf("a timer is left for %s", at)
		}
	})
}

// No key can come while the network is out of reach; so that time does not count.
func TestTheWaitCountsInReachOnly(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	ev := r.sealed(lobby)
	r.admit(ev)
	r.crash()
	if got := r.later(24 * time.Hour); len(got) != 0 || r.seen(ev).Disposition != store.Waiting {
		t.Fatalf("ended without the network: %v", r.seen(ev))
	}
	r.now = r.now.Add(time.Hour)
	r.step(Online{protocol.Console, true})
	r.later(sealed.Wait / 2)
	r.step(Online{protocol.Console, true}) // said again, it is no news
	if r.later(sealed.Wait/2 - time.Minute); r.seen(ev).Disposition != store.Waiting {
		t.Errorf("ended before its time: %v", r.seen(ev))
	}
	if got := says(r.later(2 * time.Minute)); len(got) != 1 || r.seen(ev).Disposition != store.Ignored {
		t.Errorf("told %q, recorded %v", got, r.seen(ev))
	}
}

// What was said before the bot left is none of its business when it comes back.
func TestLeavingLetsGoOfWhatWaits(t *testing.T) {
	for _, back := range []bool{false, true} {
		r := newRig(t)
		r.joined(lobby, garden)
		r.answering()
		ev, other := r.sealed(lobby), r.sealed(garden)
		r.admit(ev, other)
		if back { // the leaving was never seen
			r.admit(r.event(lobby, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined}))
		} else {
			r.admit(r.event(lobby, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Kicked}))
		}
		if got := r.seen(ev); got.Disposition != store.Ignored || got.Reason != "the bot left the room before its key came" {
			t.Errorf("recorded %v", got)
		}
		if got := r.seen(other); got.Disposition != store.Waiting {
			t.Errorf("in the other room: %v", got)
		}
		if got := says(r.admit(opened(ev, "hello"))); got != nil {
			t.Errorf("said %q", got)
		}
	}
}

func TestWhatIsSealedIsHistoryToo(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	old, ancient := r.sealed(lobby), r.sealed(lobby)
	old.History = true
	ancient.Time = r.now.Add(-100 * 24 * time.Hour)
	elsewhere := r.sealed(garden)
	r.admit(old, ancient, elsewhere)
	for _, ev := range []protocol.Event{old, ancient, elsewhere} {
		if got := r.seen(ev); got.Disposition != store.Ignored {
			t.Errorf("recorded %v", got)
		}
	}
	long := r.sealed(lobby)
	long.Body = protocol.Sealed{Content: make([]byte, protocol.MaxSealed+1)}
	r.admit(long)
	if got := r.seen(long); got.Disposition != store.Refused {
		t.Errorf("a long one is %v", got)
	}
	if n := len(r.waiting("")); n != 0 {
		t.Errorf("%d wait", n)
	}
}

func TestOnlySoManyWait(t *testing.T) {
	r := newRig(t)
	r.joined(lobby, garden)
	var evs []protocol.Event
	for range sealed.MaxRoom + 10 {
		evs = append(evs, r.sealed(lobby))
	}
	evs = append(evs, r.sealed(garden))
	r.admit(evs...)
	if n := len(r.waiting(lobby)); n != sealed.MaxRoom || len(r.waiting(garden)) != 1 {
		t.Errorf("%d wait", n)
	}
	if got := r.seen(evs[sealed.MaxRoom]); got.Disposition != store.Ignored || !strings.Contains(got.Reason, "too many") {
		t.Errorf("the one too many is %v", got)
	}
	if got := says(r.later(sealed.Wait + time.Second)); len(got) != 2 {
		t.Errorf("told %q", got)
	}
	if n := len(r.waiting("")); n != 0 {
		t.Errorf("%d wait for ever", n)
	}
}

// moving is the bot's own join of a private conversation, behind some of what was there before: more than a lane has that is
// served first.
func (r *rig) moving(room protocol.RoomID) (evs []protocol.Event) {
	for range few + 1 {
		old := r.event(room, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "n"}}})
		old.Private, old.History = true, true
		evs = append(evs, old)
	}
	join := r.event(room, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined})
	join.Private = true
	return append(evs, join)
}

// TestWhatIsSaidInPrivateComesBehindTheOwnJoin: what somebody says in a private conversation goes by the lane of the person. It does
// not overtake the join that was delivered before it, which would let go of it.
func TestWhatIsSaidInPrivateComesBehindTheOwnJoin(t *testing.T) {
	private := func(ev protocol.Event) protocol.Event { ev.Private = true; return ev }
	for name, together := range map[string]bool{"in one delivery": true, "in two": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.step(Online{protocol.Console, true})
			r.answering()
			for n := range 2 { // it comes for the first time, and again after a leave that was never seen
				key, clear := private(r.sealed(lobby)), private(r.say(lobby, fmt.Sprint("clear ", n)))
				evs := r.moving(lobby)
				var got []string
				if together {
					got = says(r.admit(append(evs, key, clear)...))
				} else {
					first := Admitted{&Batch{Network: protocol.Console, Events: evs}}
					got = says(r.step(first, Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{key, clear}}}))
				}
				if want := fmt.Sprintf("[clear %d]", n); fmt.Sprint(got) != want {
					t.Errorf("said %q, and not %s", got, want)
				}
				if seen := r.seen(key); seen.Disposition != store.Waiting {
					t.Errorf("what is sealed is %v", seen)
				}
				r.endAll()
				if got := says(r.admit(opened(key, fmt.Sprint("sealed ", n)))); len(got) != 1 {
					t.Errorf("of what was sealed it said %q", got)
				}
				r.endAll()
			}
		})
	}
}

// endAll ends all attempts that have begun.
func (r *rig) endAll() {
	r.t.Helper()
	for len(r.flying) > 0 {
		flying := r.flying
		r.flying = nil
		for i, a := range flying {
			if a.Ask != nil {
				r.step(Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: protocol.MemberList{Last: true}})
				continue
			}
			r.step(Sent{Key: a.Key, Ref: protocol.Ref{Room: a.Out.Room, Event: protocol.EventID(fmt.Sprintf("$own%d.%d", r.next, i))}})
		}
	}
}

package bot

import (
	"errors"
	"strings"
	"testing"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

func TestManyDeadLettersAreAllTriedAgainAlsoAfterACrash(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	broken := true
	r.feature.handle = func(_ *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); ok && broken {
			return store.Outcome{}, errors.New("broken")
		}
		return store.WasHandled(""), nil
	}
	var evs []protocol.Event
	for range 3*deadTurn + 1 {
		evs = append(evs, r.say(lobby, "x"))
	}
	r.admit(evs...)
	broken = false
	var in []Input
	for i := range evs {
		in = append(in, RetryDead{uint64(i + 1)}, RetryDead{uint64(i + 1)})
	}
	r.one(in...)
	if n := len(r.letters()); n != 2*deadTurn+1 {
		t.Errorf("after one commit %d letters are left", n)
	}
	r.crash()
	r.step()
	if n := len(r.letters()); n != 0 {
		t.Errorf("in the end %d letters are left", n)
	}
}

// failing makes the feature fail on each message.
func (r *rig) failing() {
	r.feature.handle = func(_ *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); ok {
			return store.Outcome{}, errors.New("broken")
		}
		return store.Outcome{}, nil
	}
}

// TestARoomHasOnlySoManyDeadLetters: who finds what a handler fails on does not fill the disk with it, and other rooms keep
// theirs.
func TestARoomHasOnlySoManyDeadLetters(t *testing.T) {
	r := newRig(t)
	r.joined(lobby, garden)
	r.failing()
	var evs []protocol.Event
	for range store.MaxLetters + 50 {
		evs = append(evs, r.say(lobby, "boom"))
	}
	elsewhere := r.say(garden, "boom")
	r.admit(append(evs, elsewhere)...)
	if n := len(r.letters()); n != store.MaxLetters+1 {
		t.Fatalf("%d letters", n)
	}
	last := r.seen(evs[len(evs)-1])
	if last.Disposition != store.Failed || !strings.Contains(last.Reason, "without a dead letter") {
		t.Errorf("the one too many is %+v", last)
	}
	if s := r.seen(elsewhere); s.Disposition != store.Failed || !strings.HasPrefix(s.Reason, "dead letter ") {
		t.Errorf("in the other room: %+v", s)
	}
	// One that is dropped, tried again in vain, or handled makes place for one, none, and one.
	r.step(DropDead{2}, DropDead{2}, RetryDead{3}) // the first is of the other room, which had less to do
	r.crash()
	r.admit(r.say(lobby, "boom"), r.say(lobby, "boom"))
	if n := len(r.letters()); n != store.MaxLetters+1 {
		t.Errorf("%d letters after one was dropped", n)
	}
	r.feature.handle = nil
	r.step(RetryDead{3})
	r.failing()
	r.admit(r.say(lobby, "boom"), r.say(lobby, "boom"))
	if n := len(r.letters()); n != store.MaxLetters+1 {
		t.Errorf("%d letters after one was handled", n)
	}
}

// TestDeadLettersAreForgottenLikeTheirEvents: and one whose event is forgotten is not tried again, which could do it twice.
func TestDeadLettersAreForgottenLikeTheirEvents(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.failing()
	old := r.say(lobby, "boom")
	r.admit(old)
	r.feature.timed = func(*store.Tx, protocol.Timer) (bool, error) { return true, errors.New("broken") }
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		tx.SetTimer("soon", tx.Now(), nil)
		return store.WasHandled(""), nil
	}
	r.admit(r.say(lobby, "hi"))
	r.failing()
	if n := len(r.letters()); n != 2 {
		t.Fatalf("%d letters", n)
	}
	r.later(DefaultRetention - time.Hour)
	young := r.say(lobby, "boom")
	r.admit(young)
	r.step(RetryDead{1}) // in vain
	r.later(48 * time.Hour)
	r.feature.handle = func(*store.Tx, protocol.Event) (store.Outcome, error) {
		t.Error("an event that is forgotten was handled again")
		return store.Outcome{}, nil
	}
	if s := r.seen(old); s.Disposition == store.Unseen {
		if l := r.letters(); len(l) != 1 || l[0].Event.ID != young.ID {
			t.Errorf("letters %+v", l)
		}
	} else {
		t.Fatalf("the event is not forgotten: %+v", s)
	}
}

// TestALetterOfAForgottenEventIsRefused: also where the letter has not been swept yet.
func TestALetterOfAForgottenEventIsRefused(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	ev := r.say(lobby, "boom")
	err := r.store.Commit(r.now, func(c *store.Commit) error {
		c.Bury(store.Letter{Scope: ev.Scope(), Event: ev, Error: "broken", Tries: 1})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.feature.handle = func(*store.Tx, protocol.Event) (store.Outcome, error) {
		t.Error("an event that is forgotten was handled")
		return store.Outcome{}, nil
	}
	r.one(RetryDead{1})
}

// TestWhatWaitsForANetworkThatIsGoneEnds: on a network that the bot no longer serves things expire as on others, asks get
// their fault, and what never expires waits no longer than anything is remembered.
func TestWhatWaitsForANetworkThatIsGoneEnds(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	var faults []string
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		switch b := ev.Body.(type) {
		case protocol.Message:
			_, err := outbox.Send(tx, protocol.Outgoing{Room: lobby, Act: protocol.Say{Text: protocol.Plain("soon")}})
			_, nerr := outbox.Send(tx, protocol.Outgoing{Room: lobby, Expires: outbox.Never, Act: protocol.Say{Text: protocol.Plain("ever")}})
			_, aerr := outbox.Ask(tx, protocol.Ask{Room: lobby, Want: protocol.AskReactions{Target: ev.ID}})
			return store.WasHandled(""), errors.Join(err, nerr, aerr)
		case protocol.Answer:
			faults = append(faults, b.Fault)
		}
		return store.Outcome{}, nil
	}
	r.step(Online{protocol.Console, false})
	r.admit(r.say(lobby, "hi"))
	waits := func() (n int) {
		r.view(func(tx *store.Tx) {
			for range tx.Queue("", 0) {
				n++
			}
		})
		return n
	}
	r.machine.serves = []protocol.Network{"other"}
	if n := waits(); n != 3 {
		t.Fatalf("%d wait", n)
	}
	r.later(2 * time.Hour)
	if n := waits(); n != 1 || len(faults) != 1 || faults[0] != string(store.StateExpired) {
		t.Errorf("%d wait, asks heard %q", n, faults)
	}
	r.crash()
	r.later(DefaultRetention)
	if n := waits(); n != 1 {
		t.Errorf("a network that is only out of reach: %d wait", n)
	}
	r.machine.serves = []protocol.Network{"other"}
	r.later(2 * futureSlack)
	if n := waits(); n != 0 || r.machine.outbox.Waiting() != 0 {
		t.Errorf("%d wait, %d lanes", n, r.machine.outbox.Waiting())
	}
}

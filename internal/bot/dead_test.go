package bot

import (
	"errors"
	"testing"

	"moot/protocol"
	"moot/store"
)

func TestManyDeadLettersAreAllTriedAgainAlsoAfterACrash(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	broken := true
	r.feature.handle = func(_ *store.Tx, ev protocol.Event) (Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); ok && broken {
			return Outcome{}, errors.New("broken")
		}
		return Outcome{store.Handled, ""}, nil
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

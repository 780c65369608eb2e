package bot

import (
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// A bot whose clock was ahead, by hours or by ten years, is put right: it does nothing twice, and what is new it handles.
func TestTurnBack(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"hours": 25 * time.Hour, "years": 10 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.answering()
			r.joined(lobby)
			before, fired := r.say(lobby, "before"), 0
			r.admit(before)
			r.feature.timed = func(*store.Tx, protocol.Timer) (bool, error) { fired++; return true, nil }
			right := r.now
			r.now = r.now.Add(ahead)
			during := r.say(lobby, "during")
			during.Time = right
			r.admit(during)
			if s := r.seen(during); s.Disposition != store.Handled && name == "hours" {
				t.Errorf("while the clock was ahead: %+v", s)
			}
			r.later(2 * time.Hour) // the sweep
			right = right.Add(2 * time.Hour)
			by, since, err := TurnBack(r.store, right)
			if err != nil || by < ahead-3*time.Hour || by > ahead+time.Hour {
				t.Fatalf("turned back by %s: %v", by, err)
			}
			if young := right.Add(-DefaultRetention).Add(30 * time.Hour); name == "hours" && since.After(young) {
				t.Errorf("what came before %s is not acted on", since)
			}
			r.crash()
			r.now = right
			for _, a := range r.step(Online{protocol.Console, true}) { // what a crash left open
				r.step(Sent{Key: a.Key, Ref: protocol.Ref{Room: lobby, Event: protocol.EventID(a.Key)}})
			}
			for _, ev := range []protocol.Event{before, during} {
				if n := len(r.admit(ev)); n != 0 {
					t.Errorf("%s is answered %d times more: %+v", ev.ID, n, r.seen(ev))
				}
			}
			r.now = r.now.Add(time.Second)
			fresh := r.say(lobby, "fresh")
			if n := len(r.admit(fresh)); n == 0 || r.seen(fresh).Disposition != store.Handled {
				t.Errorf("%d answers to what is new: %+v", n, r.seen(fresh))
			}
			if n := len(r.admit(fresh)); n != 0 {
				t.Errorf("%d more when it comes again", n)
			}
			if at := r.seen(fresh).Time; at.After(right.Add(time.Hour)) {
				t.Errorf("it was seen at %s", at)
			}
			if by, _, err := TurnBack(r.store, r.now.Add(time.Minute)); by != 0 || err != nil {
				t.Errorf("turned back once more: %s, %v", by, err)
			}
		})
	}
}

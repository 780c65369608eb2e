package bot

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

// TestADropThatPanicsEndsNothing: a fact that cannot leave the window is a dead letter of its room, the runner goes on, in
// the next life too, and the letter can be tried again.
func TestADropThatPanicsEndsNothing(t *testing.T) {
	defer noLeaks(t)
	counts := store.ScopedBucket("counts")
	fails := true
	r := newRig(t)
	r.close()
	r.kinds = []events.Kind{{
		Name: "counted", Version: 1, Disposable: true, Buckets: []store.Bucket{counts},
		Apply: func(tx *store.Tx, f events.Fact) error { tx.Put(counts, string(f.Scope), nil); return nil },
		Drop: func(tx *store.Tx, f events.Fact) error {
			if fails {
				panic("oh")
			}
			tx.Delete(counts, string(f.Scope))
			return nil
		},
	}}
	r.open()
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); !ok {
			return store.Outcome{}, nil
		}
		return store.WasHandled(""), r.bus.Publish(tx, events.Draft{Kind: "counted"})
	}
	clock := &jumping{at: r.now, jump: make(chan struct{}, 1)}
	wait := func(says string, done func(*store.Tx) bool) {
		t.Helper()
		for deadline, ok := time.Now().Add(20*time.Second), false; !ok; time.Sleep(time.Millisecond) {
			if r.view(func(tx *store.Tx) { ok = done(tx) }); time.Now().After(deadline) {
				t.Fatal(says)
			}
		}
	}
	letters := func(tx *store.Tx) []store.Letter { return slices.Collect(tx.Letters(0)) }
	for life := range 2 {
		run := play(t, r, newWire(), func(c *RunnerConfig) { c.Clock = clock })
		if life == 0 {
			run.join(t)
			if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
				t.Fatal(err)
			}
		}
		clock.mu.Lock()
		clock.at = clock.at.Add(events.DefaultWindow + time.Hour)
		clock.mu.Unlock()
		clock.jump <- struct{}{}
		wait("there is no letter", func(tx *store.Tx) bool { return len(letters(tx)) == 1 })
		if err := run.end(t); err != nil {
			t.Errorf("life %d: %v", life, err)
		}
		r.crash()
	}
	var l store.Letter
	r.view(func(tx *store.Tx) { l = letters(tx)[0] })
	if l.Scope != protocol.Scope(lobby) || !strings.Contains(l.Error, "oh") || l.Stack == "" {
		t.Errorf("letter %+v", l)
	}
	now := clock.at.Add(time.Minute)
	retry := func() {
		t.Helper()
		if _, err := r.machine.Step(now, []Input{RetryDead{l.ID}}); err != nil {
			t.Fatal(err)
		}
	}
	retry()
	r.view(func(tx *store.Tx) {
		if got := letters(tx); len(got) != 1 || got[0].Tries != 2 || !tx.Has(counts, string(lobby)) {
			t.Errorf("letters %+v", got)
		}
	})
	fails = false
	retry()
	r.view(func(tx *store.Tx) {
		if got := letters(tx); len(got) != 0 || tx.Has(counts, string(lobby)) {
			t.Errorf("letters %+v", got)
		}
	})
}

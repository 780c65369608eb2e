package bot

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

func TestSettleLooksAtTheClock(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := newRig(t)
	fired := make(chan string, 1)
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); ok {
			tx.SetTimer("tomorrow", tx.Now().Add(24*time.Hour), nil)
		}
		return Outcome{store.Handled, ""}, nil
	}
	r.feature.timed = func(_ *store.Tx, timer protocol.Timer) (bool, error) {
		fired <- timer.Name
		return true, nil
	}
	clock := &jumping{at: r.now, jump: make(chan struct{}, 1)}
	run := run(t, r, newWire(), func(c *RunnerConfig) { c.Clock = clock })
	run.join(t)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.mu.Lock()
	clock.at = clock.at.Add(25 * time.Hour)
	clock.mu.Unlock()
	if err := run.Settle(t.Context()); err != nil { // whether or not the jump was noticed
		t.Fatal(err)
	}
	if len(fired) != 1 {
		t.Error("settled although a timer was due")
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

func TestOldFactsAreArchivedWithoutWaitingForEvents(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := newRig(t)
	const n = 4*archiveSlice + 1
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); !ok {
			return Outcome{}, nil
		}
		for range n {
			if err := r.bus.Publish(tx, events.Draft{Kind: RoomKind.Name, Keys: map[string]string{"what": "test"}}); err != nil {
				return Outcome{}, err
			}
		}
		return Outcome{store.Handled, ""}, nil
	}
	clock := &jumping{at: r.now, jump: make(chan struct{}, 1)}
	run := run(t, r, newWire(), func(c *RunnerConfig) { c.Clock = clock })
	run.join(t)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	clock.mu.Lock()
	clock.at = clock.at.Add(events.DefaultWindow + time.Hour)
	clock.mu.Unlock()
	clock.jump <- struct{}{}
	for deadline := time.Now().Add(20 * time.Second); ; {
		left := 0
		r.view(func(tx *store.Tx) {
			for range tx.Records(0) {
				left++
			}
		})
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d facts are still in the store", left)
		}
		time.Sleep(time.Millisecond)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

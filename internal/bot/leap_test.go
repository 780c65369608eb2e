package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// Pulse lets a test have timers that only make a commit.
func (f *fake) Pulse(name string) bool { return name == "pulse" }

// TestAMovedClockStopsAtWhatIsDue: what was to happen while a clock was moved happens at its own time, in its order, after what
// came of what was before it; what people do after that comes last.
func TestAMovedClockStopsAtWhatIsDue(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	var mu sync.Mutex
	var seen []string
	var began time.Time
	note := func(tx *store.Tx, what string) {
		mu.Lock()
		defer mu.Unlock()
		if what != "pulse" || len(seen) == 0 || !strings.HasPrefix(seen[len(seen)-1], "pulse") {
			seen = append(seen, fmt.Sprintf("%s at %.0f", what, tx.Now().Sub(began).Hours()))
		}
	}
	pulses := 0
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		switch b := ev.Body.(type) {
		case protocol.Message:
			if b.Text == "begin" {
				began = tx.Now()
				tx.SetTimer("two", tx.Now().Add(2*time.Hour), nil)
				tx.SetTimer("late", tx.Now().Add(24*time.Hour), nil)
				tx.SetTimer("pulse", tx.Now().Add(time.Minute), nil)
			} else {
				note(tx, b.Text)
			}
			return store.WasHandled(""), nil
		case protocol.Answer:
			if ev.Room == garden {
				note(tx, "answer")
			}
		}
		return store.Outcome{}, nil
	}
	r.feature.timed = func(tx *store.Tx, timer protocol.Timer) (bool, error) {
		switch timer.Name {
		case "pulse":
			if pulses++; tx.Now().Sub(began) < 20*time.Hour { // and none is there that would end the wait
				tx.SetTimer("pulse", tx.Now().Add(time.Minute), nil)
			}
			return true, nil
		case "two": // asks, and would go on without an answer after an hour, as a vote does that closes
			if _, err := outbox.Ask(tx, protocol.Ask{Room: garden, Want: protocol.AskJoin{}}); err != nil {
				return false, err
			}
			tx.SetTimer("unanswered", tx.Now().Add(time.Hour), nil)
		}
		note(tx, timer.Name)
		return true, nil
	}
	clock := &jumping{at: r.now, jump: make(chan struct{}, 1)}
	w := newWire()
	answered := make(chan struct{})
	w.asked = func(a protocol.Ask) (protocol.Body, error) {
		if a.Room != garden {
			return protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true}}}, nil
		}
		<-answered
		return nil, nil
	}
	run := play(t, r, w, func(c *RunnerConfig) { c.Clock = clock })
	run.join(t)
	admit := func(text string) {
		t.Helper()
		if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, text)}, protocol.Cursor{}); err != nil {
			t.Error(err)
		}
	}
	admit("begin")
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.mu.Lock()
	clock.at = clock.at.Add(25 * time.Hour)
	clock.mu.Unlock()
	clock.jump <- struct{}{}
	said := make(chan struct{})
	event := r.say(lobby, "afterwards")
	go func() {
		defer close(said)
		if err := run.to.Admit(context.Background(), []protocol.Event{event}, protocol.Cursor{}); err != nil {
			t.Error(err)
		}
	}()
	time.Sleep(20 * time.Millisecond) // whatever it does too early it does meanwhile
	close(answered)
	<-said
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{"two at 2", "answer at 2", "unanswered at 3", "late at 24", "afterwards at 25"}
	if !slices.Equal(seen, want) {
		t.Errorf("it happens\n%q, not\n%q", seen, want)
	}
	if pulses == 0 || pulses > 20 {
		t.Errorf("%d pulses", pulses)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// TestAMachineThatSlept: after a while without a step, features are told that the bot was away, though no network was lost.
func TestAMachineThatSlept(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	var mu sync.Mutex
	var heard []string
	told := make(chan struct{}, 100)
	r.feature.reach = func(_ *store.Tx, network protocol.Network, up bool, at time.Time) []store.Told {
		return []store.Told{{To: protocol.Scope(lobby), What: protocol.Internal{
			Kind: "fake.reach", Data: fmt.Appendf(nil, "%s up %v", network, up),
		}}}
	}
	r.feature.told = func(tx *store.Tx, what protocol.Internal) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, string(what.Data))
		told <- struct{}{}
		return true, nil
	}
	r.feature.handle = func(*store.Tx, protocol.Event) (store.Outcome, error) { return store.WasHandled(""), nil }
	wall := &wrongClock{jumping{at: r.now}}
	run := play(t, r, newWire(), func(c *RunnerConfig) { c.Clock = wall })
	run.join(t)
	for range 2 {
		select {
		case <-told:
		case <-time.After(20 * time.Second):
			t.Fatal("nobody hears of the start")
		}
	}
	for _, c := range []struct {
		slept time.Duration
		want  []string
	}{{90 * time.Second, nil}, {8 * time.Hour, []string{" up false", "console up true"}}} {
		mu.Lock()
		heard = nil
		mu.Unlock()
		wall.set(wall.Now().Add(c.slept))
		if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
			t.Fatal(err)
		}
		if err := run.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if !slices.Equal(heard, c.want) {
			t.Errorf("after %s features hear %q, not %q", c.slept, heard, c.want)
		}
		mu.Unlock()
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

package bot

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// tally is a Meter that counts.
type tally struct {
	mu sync.Mutex
	Counts
	steps int
}

func (m *tally) Stepped(took time.Duration, did Counts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps++
	if m.Events == nil {
		m.Events, m.Attempts = map[EventCount]int{}, map[Result]int{}
	}
	for e, n := range did.Events {
		m.Events[e] += n
	}
	for r, n := range did.Attempts {
		m.Attempts[r] += n
	}
}

func (m *tally) event(d store.Disposition) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Events[EventCount{protocol.Console, d}]
}

// TestMeter: each event that gets a disposition is counted once, and each attempt by how it ended.
func TestMeter(t *testing.T) {
	m := &tally{}
	w := newWire()
	results := map[string]error{
		"refused": &protocol.SendError{Final: true}, "ambiguous": &protocol.SendError{Ambiguous: true},
		"limited": &protocol.SendError{RetryAfter: time.Hour},
	}
	w.reply = func(o protocol.Outgoing) error { return results[o.Act.(protocol.Say).Text.Plain()] }
	r := newRig(t)
	r.answering()
	r.joined(lobby)
	b := play(t, r, w, func(c *RunnerConfig) { c.Meter = m })
	var said []protocol.Event
	for i, text := range []string{"done", "refused", "ambiguous", "limited", "done"} {
		ev := r.say(lobby, text)
		if i == 4 {
			ev = said[0] // which comes again
		}
		said = append(said, ev)
	}
	if err := b.to.Admit(t.Context(), said, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := m.event(store.Handled); n != 4 {
		t.Errorf("%d events were handled", n)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	want := map[Result]int{ResultDone: 1, ResultRefused: 1, ResultAmbiguous: 1, ResultLimited: 1}
	if !maps.Equal(m.Attempts, want) || m.steps == 0 {
		t.Errorf("the attempts are %v instead of %v, in %d steps", m.Attempts, want, m.steps)
	}
}

// TestLive: whoever asks whether the loop lives has it make a step; while the disk is full they hear that instead, and at the
// end that it has ended.
func TestLive(t *testing.T) {
	r, d := fullRig(t)
	m := &tally{}
	b := play(t, r, newWire(), func(c *RunnerConfig) { c.Meter, c.holdRetry = m, time.Millisecond })
	live := func() (held, err error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return b.Live(ctx)
	}
	for range 3 {
		m.mu.Lock()
		before := m.steps
		m.mu.Unlock()
		if held, err := live(); held != nil || err != nil {
			t.Fatalf("it holds still: %v, and fails: %v", held, err)
		}
		m.mu.Lock()
		if m.steps == before {
			t.Error("it made no step")
		}
		m.mu.Unlock()
	}
	d.set(true)
	go func() { _ = b.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "held")}, protocol.Cursor{}) }()
	d.await(t, 1)
	if held, err := live(); !errors.Is(held, store.ErrFull) || err != nil {
		t.Errorf("with a full disk it holds still: %v, and fails: %v", held, err)
	}
	d.set(false)
	b.stop()
	<-b.ended
	if _, err := live(); !errors.Is(err, ErrStopping) {
		t.Errorf("after its end: %v", err)
	}
}

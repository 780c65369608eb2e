package gateway

import (
	"testing"
	"time"
)

// A connection that fails before it identifies leaves nothing behind, and an identify of one is
// counted for all.
func TestPermits(t *testing.T) {
	b := New(Config{}).budget
	limit := sessionLimit{Total: 1000, Remaining: 1, ResetAfter: 3600_000}
	for range 2000 {
		b.turn <- struct{}{}
		p := &permit{b: b}
		if wait := b.scarcity(time.Now(), limit); wait > 0 {
			t.Fatalf("the only identify that is left is not granted, but after %s", wait)
		}
		p.release()
		p.release()
	}
	b.turn <- struct{}{}
	p := &permit{b: b}
	if err := p.spend(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.release()
	if wait := b.scarcity(time.Now(), limit); wait == 0 || len(b.spent) != 1 {
		t.Errorf("another is granted in %s; %d are spent", wait, len(b.spent))
	}
	if wait := b.scarcity(time.Now().Add(time.Hour), limit); wait != 0 {
		t.Errorf("the last one is granted in %s", wait)
	}
}

// Of a budget of two, one of which is left, one goes; of none, nobody asks again before there are
// more.
func TestSmallBudgets(t *testing.T) {
	b := New(Config{}).budget
	limit := func(remaining int, reset time.Duration) sessionLimit {
		return sessionLimit{Total: 2, Remaining: remaining, ResetAfter: reset.Milliseconds()}
	}
	for reset, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, 0: day, -time.Hour: day,
		1000 * day: day} {
		if wait := b.scarcity(time.Now(), limit(0, reset)); wait != want {
			t.Errorf("none is left for %s, and it waits for %s", reset, wait)
		}
	}
	if wait := b.scarcity(time.Now(), limit(1, time.Hour)); wait != 0 {
		t.Errorf("the first is granted in %s", wait)
	}
	b.spent = append(b.spent, identify{at: time.Now()})
	if wait := b.scarcity(time.Now(), limit(0, time.Hour)); wait == 0 {
		t.Error("the second is granted too")
	}
}

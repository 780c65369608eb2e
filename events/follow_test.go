package events

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/store"
)

// take returns the numbers of the next n facts.
func take(t *testing.T, sub *Subscription, n int) (got []uint64) {
	t.Helper()
	for range n {
		f, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Seq)
	}
	return got
}

// idle checks that nothing more comes.
func idle(t *testing.T, sub *Subscription) {
	t.Helper()
	if _, err := sub.turn(); err != nil || len(sub.page) > 0 {
		t.Errorf("there is more: %+v, %v", sub.page, err)
	}
}

func TestSubscribe(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, note(1))
	all, some := w.bus.Subscribe(), w.bus.Subscribe("ballot", "active", "nonsense")
	defer all.Close()
	defer some.Close()
	w.publish(lobby, note(2), ballot(ann, "1", "yes"), note(3), active(ann))
	if d := cmp.Diff([]uint64{2, 3, 4, 5}, take(t, all, 4)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]uint64{3, 5}, take(t, some, 2)); d != "" {
		t.Error(d)
	}
	idle(t, all)
	idle(t, some)
}

func TestSubscribeWithHistory(t *testing.T) {
	w := newWorld(t)
	w.commit(func(c *store.Commit) {
		for i := range 300 {
			if err := c.Run(lobby, w.cause(), func(tx *store.Tx) error {
				return errors.Join(w.bus.Publish(tx, note(i)), w.bus.Publish(tx, ballot(ann, "1", "yes")))
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.age()
	w.archive()
	w.publish(lobby, note(1), ballot(ann, "1", "no"))
	for name, tc := range map[string]struct {
		n       int
		kinds   []string
		first   uint64
		history int
	}{
		"three":        {3, nil, 600, 3},
		"three notes":  {3, []string{"note"}, 597, 3},
		"default":      {0, nil, 602 - DefaultHistory + 1, DefaultHistory},
		"all":          {-1, nil, 1, 602},
		"all notes":    {-1, []string{"note"}, 1, 301},
		"more than is": {1000, []string{"ballot"}, 2, 301},
		"none":         {5, []string{"nonsense"}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sub := w.bus.SubscribeWithHistory(tc.n, tc.kinds...)
			defer sub.Close()
			got := take(t, sub, tc.history)
			if tc.history > 0 && (got[0] != tc.first) {
				t.Errorf("it begins with %d and not %d", got[0], tc.first)
			}
			for i := 1; i < len(got); i++ {
				if step := got[i] - got[i-1]; step != 1 && (tc.kinds == nil || step != 2) {
					t.Fatalf("%d follows %d", got[i], got[i-1])
				}
			}
			idle(t, sub)
		})
	}
}

// However publishing and following interleave: each follower gets each fact after its start once
// and in order, and goes to sleep only when there is nothing left.
func TestNoGapAndNoRepeat(t *testing.T) {
	const facts, runs = 240, 3
	w := newWorld(t)
	w.publish(lobby, note(0)) // so that there is a history
	var wg sync.WaitGroup
	results := make(chan []uint64, 64)
	follow := func(start func() *Subscription, last uint64) {
		sub := start()
		wg.Go(func() {
			defer sub.Close()
			var got []uint64
			for len(got) == 0 || got[len(got)-1] < last {
				f, err := sub.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				got = append(got, f.Seq)
			}
			results <- got
		})
	}
	subscribe := func() *Subscription { return w.bus.Subscribe() }
	history := func() *Subscription { return w.bus.SubscribeWithHistory(5) }
	notes := func() *Subscription { return w.bus.SubscribeWithHistory(-1, "note", "ballot") }
	const last = 1 + facts
	for range 3 {
		follow(subscribe, last)
		follow(history, last)
		follow(notes, last)
	}
	for i := range facts / runs {
		if i%20 == 10 {
			follow(subscribe, last)
			follow(history, last)
		}
		w.commit(func(c *store.Commit) {
			for range runs {
				if err := c.Run(lobby, w.cause(), func(tx *store.Tx) error { return w.bus.Publish(tx, note(i)) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(results)
	n := 0
	for got := range results {
		n++
		for i := 1; i < len(got); i++ {
			if got[i] != got[i-1]+1 {
				t.Fatalf("%d follows %d", got[i], got[i-1])
			}
		}
	}
	if n != 9+8 {
		t.Errorf("%d followers came to the end", n)
	}
}

// A wake-up between the look at the log and the wait for it is not lost: that one is told for whom
// nothing is there yet.
func TestWakeUpsAreNotLost(t *testing.T) {
	w := newWorld(t)
	sub := w.bus.Subscribe()
	defer sub.Close()
	idle(t, sub) // it has looked, and found nothing
	w.publish(lobby, note(1))
	w.publish(lobby, note(2))
	select {
	case <-sub.wake: // what it would now wait for
	default:
		t.Error("it sleeps on two facts")
	}
	sub.wake <- struct{}{} // a wake-up without a fact does no harm either
	if d := cmp.Diff([]uint64{1, 2}, take(t, sub, 2)); d != "" {
		t.Error(d)
	}
}

// Nobody is told of a fact before its commit, or of one that is discarded.
func TestFollowersSeeCommitsOnly(t *testing.T) {
	w := newWorld(t)
	sub := w.bus.SubscribeWithHistory(-1)
	defer sub.Close()
	w.now = w.now.Add(time.Second)
	err := w.store.Commit(w.now, func(c *store.Commit) error {
		if err := c.Run(lobby, w.cause(), func(tx *store.Tx) error { return w.bus.Publish(tx, note(1)) }); err != nil {
			t.Error(err)
		}
		w.bus.Notify()
		idle(t, sub)
		return errors.New("no")
	})
	if err == nil {
		t.Fatal("committed")
	}
	idle(t, sub)
	w.publish(lobby, note(2))
	if f, err := sub.Next(t.Context()); err != nil || string(f.Payload) != "2" || f.Seq != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

// One that never reads costs nothing but its place, and one that reads again gets everything, a
// page at a time.
func TestALaggard(t *testing.T) {
	w := newWorld(t)
	lazy := w.bus.Subscribe()
	defer lazy.Close()
	for i := range 12 {
		w.publish(lobby, note(i), says(strings.Repeat("x", 100<<10)), active(ann), note(i), note(i), note(i), note(i), note(i))
	}
	if len(lazy.page) != 0 {
		t.Error("it holds facts that it was not asked for")
	}
	w.age()
	w.archive()
	var want []uint64
	for n := uint64(1); n <= 96; n++ {
		if n%8 != 3 { // the disposable ones are gone
			want = append(want, n)
		}
	}
	var got []uint64
	for range want {
		got = append(got, take(t, lazy, 1)...)
		size := 0
		for _, f := range lazy.page {
			size += len(f.Payload)
		}
		if len(lazy.page) > pageFacts || size > pageBytes+(100<<10)+2 {
			t.Fatalf("a page of %d facts and %d bytes", len(lazy.page), size)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSubscriptionsEnd(t *testing.T) {
	w := newWorld(t)
	waiting := func(end func(*Subscription, context.CancelFunc)) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		sub := w.bus.Subscribe()
		defer sub.Close()
		done := make(chan error)
		go func() {
			_, err := sub.Next(ctx)
			done <- err
		}()
		end(sub, cancel)
		return <-done
	}
	if err := waiting(func(s *Subscription, _ context.CancelFunc) { s.Close(); s.Close() }); !errors.Is(err, ErrClosed) {
		t.Error("closed:", err)
	}
	if err := waiting(func(_ *Subscription, cancel context.CancelFunc) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Error("cancelled:", err)
	}
	if n := len(w.bus.followers.all); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	sub := w.bus.Subscribe()
	err := waiting(func(*Subscription, context.CancelFunc) { w.close() })
	if !errors.Is(err, ErrClosed) && !strings.Contains(err.Error(), "not open") {
		t.Error("bus closed:", err)
	}
	if _, err := sub.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error("bus closed:", err)
	}
	sub.Close()
}

func TestSubscribeToAClosedBus(t *testing.T) {
	w := newWorld(t)
	bus := w.bus
	w.close()
	if _, err := bus.Subscribe().Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

package discord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"moot/protocol"
)

// gate is the Admitter behind lanes, which a test holds shut.
type gate struct {
	mu      sync.Mutex
	open    chan struct{} // closed when deliveries go through
	batches [][]protocol.EventID
	places  []string
	err     error
}

func (g *gate) admit(_ context.Context, evs []protocol.Event, place string) error {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	var ids []protocol.EventID
	for _, e := range evs {
		ids = append(ids, e.ID)
	}
	g.batches, g.places = append(g.batches, ids), append(g.places, place)
	return g.err
}

func (g *gate) has(id protocol.EventID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.batches, func(b []protocol.EventID) bool { return slices.Contains(b, id) })
}

func event(room protocol.RoomID, id string) protocol.Event {
	return protocol.Event{Room: room, ID: protocol.EventID(id)}
}

// TestWhatIsAboutAStateSeesWhatCameBefore: it is made only when all that may have changed the state is admitted; what is about
// another state goes along with it.
func TestWhatIsAboutAStateSeesWhatCameBefore(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	l := newLanes(t.Context(), g.admit, func(err error) { t.Error(err) })
	put := func(id, about, needs string) {
		w := work{room: "r", about: about, make: func(context.Context) []protocol.Event {
			if needs != "" && !g.has(protocol.EventID(needs)) {
				t.Errorf("%s was made before %s was admitted", id, needs)
			}
			return []protocol.Event{event("r", id)}
		}}
		if err := l.put(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	put("0", "", "") // what follows waits behind it
	put("1", "ann", "")
	put("2", "ben", "")
	put("3", "", "")
	put("4", "ann", "1")
	put("5", everyState, "4")
	put("6", "ben", "5")
	close(g.open)
	l.wait()
	want := []protocol.EventID{"0", "1", "2", "3", "4", "5", "6"}
	if got := slices.Concat(g.batches...); !slices.Equal(got, want) {
		t.Errorf("admitted are %v", got)
	}
	if len(g.batches) >= len(want) {
		t.Errorf("each was admitted by itself: %v", g.batches)
	}
}

// TestThePlaceWaitsForTheSlowest: rooms do not wait for one another, and the place that is saved never lies behind what is not admitted yet.
func TestThePlaceWaitsForTheSlowest(t *testing.T) {
	slow, fast := &gate{open: make(chan struct{})}, &gate{open: make(chan struct{})}
	gates := map[protocol.RoomID]*gate{"slow": slow, "fast": fast}
	l := newLanes(t.Context(), func(ctx context.Context, evs []protocol.Event, place string) error {
		return gates[evs[0].Room].admit(ctx, evs, place)
	}, func(err error) { t.Error(err) })
	done := make(chan struct{})
	for i, room := range []protocol.RoomID{"fast", "slow", "fast", "fast"} {
		at := fmt.Sprint(10 + i)
		w := work{room: room, at: at, make: func(context.Context) []protocol.Event { return []protocol.Event{event(room, at)} }}
		if i == 3 { // made only when the one before is in
			w.about = everyState
			made := w.make
			w.make = func(ctx context.Context) []protocol.Event { defer close(done); return made(ctx) }
		}
		if err := l.put(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	close(fast.open)
	<-done // although the slow room is stuck
	fast.mu.Lock()
	for i, place := range fast.places {
		if place != "" && place != "10" {
			t.Errorf("delivery %d of the fast room saved the place %s", i, place)
		}
	}
	fast.mu.Unlock()
	close(slow.open)
	l.wait()
	if place := l.place(nil); place != "13" {
		t.Errorf("at the end the place is %s", place)
	}
}

// TestARefusedDeliveryEndsTheRun, and does not move the place.
func TestARefusedDeliveryEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &gate{open: make(chan struct{}), err: errors.New("refused")}
	close(g.open)
	var failed error
	l := newLanes(ctx, g.admit, func(err error) { failed = err; cancel() })
	if err := l.put(t.Context(), work{room: "r", at: "10", make: just(event("r", "1"))}); err != nil {
		t.Fatal(err)
	}
	l.wait()
	if !errors.Is(failed, g.err) || l.place(nil) != "" {
		t.Errorf("the run ends with %v at the place %q", failed, l.place(nil))
	}
	if err := l.put(t.Context(), work{room: "r", make: just(event("r", "2"))}); err == nil {
		t.Error("work is taken after the end")
	}
}

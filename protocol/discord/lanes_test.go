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

// gate is an Admitter that a test holds shut.
type gate struct {
	mu      sync.Mutex
	open    chan struct{} // closed when deliveries go through
	batches [][]protocol.EventID
	cursors map[string]string
	err     error
}

func (g *gate) Admit(_ context.Context, evs []protocol.Event, cursor protocol.Cursor) error {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	var ids []protocol.EventID
	for _, e := range evs {
		ids = append(ids, e.ID)
	}
	g.batches = append(g.batches, ids)
	if g.err == nil && cursor.Name != "" {
		if g.cursors == nil {
			g.cursors = map[string]string{}
		}
		g.cursors[cursor.Name] = cursor.Value
	}
	return g.err
}

func (g *gate) Cursor(name string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cursors[name], nil
}

func (g *gate) has(id protocol.EventID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.batches, func(b []protocol.EventID) bool { return slices.Contains(b, id) })
}

func event(room protocol.RoomID, id string) protocol.Event {
	return protocol.Event{Room: room, ID: protocol.EventID(id)}
}

// TestWhatIsAboutAStateSeesWhatCameBefore: it is made only when all that may have changed the state
// is admitted; what is about another state goes along with it.
func TestWhatIsAboutAStateSeesWhatCameBefore(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	l := newLanes(t.Context(), g, func(err error) { t.Error(err) })
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

// rooms is an Admitter with a gate for each room.
type rooms map[protocol.RoomID]*gate

func (r rooms) Admit(ctx context.Context, evs []protocol.Event, cursor protocol.Cursor) error {
	return r[evs[0].Room].Admit(ctx, evs, cursor)
}

func (r rooms) Cursor(string) (string, error) { return "", nil }

// TestTheSequenceWaitsForTheSlowest: rooms do not wait for one another, and what is saved of a
// session never covers what is not admitted yet.
func TestTheSequenceWaitsForTheSlowest(t *testing.T) {
	slow, fast := &gate{open: make(chan struct{})}, &gate{open: make(chan struct{})}
	l := newLanes(t.Context(), rooms{"r:slow": slow, "r:fast": fast}, func(err error) { t.Error(err) })
	p := &progress{session: "s", seq: 1}
	var reached saved
	state := func() saved {
		t.Helper()
		value, _ := p.state("9", "9")
		s, ok := parseSaved(value)
		if !ok {
			t.Fatalf("%q cannot be read", value)
		}
		return s
	}
	done := make(chan struct{})
	for i, room := range []protocol.RoomID{"r:fast", "r:slow", "r:fast", "r:fast"} {
		at := fmt.Sprint(10 + i)
		w := work{room: room, make: func(context.Context) []protocol.Event { return []protocol.Event{event(room, at)} }}
		if i == 3 { // made only when the one before is in
			w.about = everyState
			made := w.make
			w.make = func(ctx context.Context) []protocol.Event { reached = state(); defer close(done); return made(ctx) }
		}
		place := p.arrived(int64(2 + i))
		place.brings(at)
		if err := l.put(withPlace(t.Context(), place), w); err != nil {
			t.Fatal(err)
		}
		place.done()
	}
	close(fast.open)
	<-done // although the slow room is stuck
	if reached.Seq > 2 || reached.Seen != "" && reached.Seen != "10" {
		t.Errorf("before the slow room was done %+v was saved", reached)
	}
	close(slow.open)
	l.wait()
	if s := state(); s.Seq != 5 || s.Seen != "13" {
		t.Errorf("at the end it is %+v", s)
	}
	if got := fast.cursors["discord/room/fast"]; got != "s.5.13" {
		t.Errorf("the mark of the fast room is %q", got)
	}
}

// TestWhatARoomHasHadIsNotMadeAnew: Discord replays a whole session from where the slowest room
// was, and each room leaves out what it has had. Where it compared the replay with what it knows by
// now, it would take old states for new ones.
func TestWhatARoomHasHadIsNotMadeAnew(t *testing.T) {
	g := &gate{open: make(chan struct{}), cursors: map[string]string{"discord/room/lab": "s.7"}}
	close(g.open)
	l := newLanes(t.Context(), g, func(err error) { t.Error(err) })
	sessions := map[string]*progress{"s": {session: "s"}, "other": {session: "other"}}
	put := func(session string, seq int64) {
		p := sessions[session]
		w := work{room: "discord:lab", make: just(event("discord:lab", fmt.Sprint(session, seq)))}
		if err := l.put(withPlace(t.Context(), p.arrived(seq)), w); err != nil {
			t.Fatal(err)
		}
	}
	put("s", 6)
	put("s", 7)
	put("s", 8)
	put("s", 8) // once more
	put("other", 3)
	l.wait()
	put("other", 3)
	l.wait()
	if got := slices.Concat(g.batches...); !slices.Equal(got, []protocol.EventID{"s8", "other3"}) {
		t.Errorf("admitted are %v", got)
	}
}

// TestASessionIsSavedWhenItBegins, with what is still to be done for it; but not while something of
// the one before is not admitted, which nobody would tell another process.
func TestASessionIsSavedWhenItBegins(t *testing.T) {
	former := &progress{session: "a", seq: 5}
	late := former.arrived(6)
	p := &progress{session: "b", first: 1, guilds: []string{"5"}, former: former}
	ready := p.arrived(1)
	ready.hold() // for what was missed in private
	p.arrived(2).done()
	saves := func() (s saved, ok bool) {
		value, ok := p.state("9", "9")
		s, _ = parseSaved(value)
		return s, ok
	}
	ready.done()
	if s, ok := saves(); ok {
		t.Errorf("%+v is saved while something of the session before is not admitted", s)
	}
	late.done()
	if s, ok := saves(); !ok || s.Seq != 1 || !slices.Equal(s.Guilds, []string{"5"}) {
		t.Errorf("while something that was missed is not fetched %+v is saved", s)
	}
	ready.done()
	if s, ok := saves(); !ok || s.Seq != 2 || s.Guilds != nil {
		t.Errorf("in the end %+v is saved", s)
	}
}

// TestARefusedDeliveryEndsTheRun, and does not move the place.
func TestARefusedDeliveryEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &gate{open: make(chan struct{}), err: errors.New("refused")}
	close(g.open)
	var failed error
	l := newLanes(ctx, g, func(err error) { failed = err; cancel() })
	p := &progress{session: "s"}
	place := p.arrived(1)
	if err := l.put(withPlace(t.Context(), place), work{room: "r", make: just(event("r", "1"))}); err != nil {
		t.Fatal(err)
	}
	place.done()
	l.wait()
	if !errors.Is(failed, g.err) || p.seq != 0 || len(p.open) != 1 {
		t.Errorf("the run ends with %v at %d", failed, p.seq)
	}
	if err := l.put(t.Context(), work{room: "r", make: just(event("r", "2"))}); err == nil {
		t.Error("work is taken after the end")
	}
}

package protocoltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"moot/protocol"
)

// Start makes the network for one check. It uses Cleanup for what must end.
type Start func(t testing.TB) Harness

// leavesNothing is the check that has to be alone in its program.
const leavesNothing = "it ends with its context and leaves nothing running"

// Run runs all checks but one beside one another, each against a network of its own. Start is called by several goroutines. The test
// that calls it is not itself one that runs beside others.
func Run(t *testing.T, start Start) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			if c.Name != leavesNothing { // which counts what runs
				t.Parallel() // they wait more than they work
			}
			c.Run(t, start)
		})
	}
}

// Check is one promise of an adapter.
type Check struct {
	Name  string
	needs func(h Harness) bool // nil needs nothing
	do    func(c *checking)
}

// Run checks the promise, and skips where the network lacks what it takes. A harness with a method Patience() time.Duration
// says by it how long to wait for what must come; otherwise it is 15 seconds.
func (c Check) Run(t testing.TB, start Start) {
	h := start(t)
	if c.needs != nil && !c.needs(h) {
		t.Skip("this network cannot do what the check needs")
	}
	patience := 15 * time.Second
	if p, ok := h.(interface{ Patience() time.Duration }); ok {
		patience = p.Patience()
	}
	k := &checking{TB: t, h: h, rec: &Recorder{}, patience: patience, room: h.Room()}
	k.ann, k.ben = h.People()
	t.Cleanup(k.stop)
	c.do(k)
	k.stop()
	k.wellFormed()
}

// can reports whether a harness has an ability.
func can[A any](h Harness) bool {
	_, ok := h.(A)
	return ok
}

func both(a, b func(Harness) bool) func(Harness) bool {
	return func(h Harness) bool { return a(h) && b(h) }
}

// checking is one check under way.
type checking struct {
	testing.TB
	h        Harness
	rec      *Recorder
	patience time.Duration
	room     protocol.RoomID
	ann, ben protocol.UserID

	adapter protocol.Adapter
	cancel  context.CancelFunc // nil while no adapter runs
	done    chan error
	said    int
}

// start runs a new adapter with the cursor that the last one left.
func (c *checking) start() {
	c.Helper()
	if c.cancel != nil {
		c.Fatal("an adapter already runs")
	}
	c.adapter = c.h.Adapter()
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done = cancel, make(chan error, 1)
	go func(a protocol.Adapter, done chan<- error) { done <- a.Run(ctx, c.rec) }(c.adapter, c.done)
	if r, ok := c.h.(Readier); ok {
		r.Ready()
	}
}

// stop ends the adapter, which is no error of it.
func (c *checking) stop() {
	c.Helper()
	if c.cancel == nil {
		return
	}
	c.cancel()
	c.cancel = nil
	select {
	case err := <-c.done:
		if err != nil && !errors.Is(err, ErrRefused) {
			c.Errorf("Run returned %v when its context ended; that is no error", err)
		}
	case <-time.After(c.patience):
		c.Errorf("Run did not return within %s of the end of its context", c.patience)
	}
}

func (c *checking) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	c.Cleanup(cancel)
	return ctx
}

// wait returns the first event from a place on that is such, and the place.
func (c *checking) wait(from int, what string, such func(protocol.Event) bool) (protocol.Event, int) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	at, err := c.rec.Wait(ctx, from, such)
	if err != nil {
		c.Fatalf("%s did not come within %s; what came is\n%s", what, c.patience, describe(c.rec.Events()))
	}
	return c.rec.Events()[at], at
}

// waitID waits for an event by its address.
func (c *checking) waitID(from int, what string, ref protocol.Ref) (protocol.Event, int) {
	c.Helper()
	return c.wait(from, what, func(e protocol.Event) bool { return e.Ref() == ref })
}

// marker says something new in the room and returns it.
func (c *checking) marker(in protocol.RoomID) protocol.Ref {
	c.Helper()
	c.said++
	return protocol.Ref{Room: in, Event: c.h.Say(in, c.ann, fmt.Sprintf("marker %d", c.said))}
}

// barrier returns when everything that has happened in the room was admitted: by waiting for something said now.
func (c *checking) barrier(in protocol.RoomID) int {
	c.Helper()
	_, at := c.waitID(0, "what was said last", c.marker(in))
	return at
}

// count tells how often an event was admitted.
func (c *checking) count(ref protocol.Ref) int {
	n := 0
	for _, e := range c.rec.Events() {
		if e.Ref() == ref {
			n++
		}
	}
	return n
}

// send sends and fails the test if that fails.
func (c *checking) send(out protocol.Outgoing, attempt protocol.Attempt) protocol.Ref {
	c.Helper()
	if attempt.N == 0 {
		attempt.N = 1
	}
	ref, err := c.adapter.Send(c.ctx(), out, attempt)
	if err != nil {
		c.Fatalf("send %s: %v", protocol.KindOf(out.Act), err)
	}
	return ref
}

func (c *checking) say(key, text string) (protocol.Outgoing, protocol.Ref) {
	c.Helper()
	out := protocol.Outgoing{Key: protocol.DeriveKey(c.Name(), key), Room: c.room, Act: protocol.Say{Text: protocol.Plain(text)}}
	return out, c.send(out, protocol.Attempt{})
}

// standing returns the messages in the room with that text.
func (c *checking) standing(text string) []Standing {
	return slices.DeleteFunc(c.h.Read(c.room), func(s Standing) bool { return s.Text != text })
}

// wellFormed checks what is promised of every event.
func (c *checking) wellFormed() {
	c.Helper()
	if c.adapter == nil {
		return
	}
	network := c.adapter.Network()
	bodies := map[protocol.Ref]string{}
	for _, e := range c.rec.Events() {
		if err := e.Check(network); err != nil {
			c.Errorf("the event %s of %s does not pass Check: %v", e.ID, e.Room, err)
		}
		kind := protocol.KindOf(e.Body)
		if before, ok := bodies[e.Ref()]; ok && before != kind {
			c.Errorf("the id %s in %s names a %s and a %s", e.ID, e.Room, before, kind)
		}
		bodies[e.Ref()] = kind
	}
}

// describe lists events for a failure.
func describe(events []protocol.Event) string {
	out := ""
	for _, e := range events {
		out += fmt.Sprintf("  %s %s by %s: %s %+v\n", e.Room, e.ID, e.Sender, protocol.KindOf(e.Body), e.Body)
	}
	return out
}

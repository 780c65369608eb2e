package bot

import (
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moot/events"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// rig is a machine that a test steps by hand.
type rig struct {
	t       testing.TB
	path    string
	store   *store.Store
	bus     *events.Bus
	machine *Machine
	feature *fake
	kinds   []events.Kind // of the bus, beside that of rooms, from the next open on
	room    func() error  // of the store, from the next open on
	now     time.Time
	next    int
	done    []*Batch
	flying  []outbox.Attempt // attempts that have not ended
}

// fake is a feature whose doings a test says.
type fake struct {
	handle func(*store.Tx, protocol.Event) (store.Outcome, error)
	told   func(*store.Tx, protocol.Internal) (bool, error)
	timed  func(*store.Tx, protocol.Timer) (bool, error)
	reach  func(tx *store.Tx, network protocol.Network, up bool, at time.Time) []store.Told
}

func (f *fake) Reach(tx *store.Tx, network protocol.Network, up bool, at time.Time) iter.Seq[store.Told] {
	if f.reach == nil {
		return slices.Values([]store.Told(nil))
	}
	return slices.Values(f.reach(tx, network, up, at))
}

func (f *fake) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	if f.handle == nil {
		return store.Outcome{}, nil
	}
	return f.handle(tx, ev)
}

func (f *fake) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	if f.told == nil {
		return false, nil
	}
	return f.told(tx, what)
}

func (f *fake) Timed(tx *store.Tx, timer protocol.Timer) (bool, error) {
	if f.timed == nil {
		return false, nil
	}
	return f.timed(tx, timer)
}

const (
	lobby  protocol.RoomID = "console:lobby"
	garden protocol.RoomID = "console:garden"
	ann    protocol.UserID = "console:ann"
)

func newRig(t testing.TB) *rig {
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "moot.db"), feature: &fake{}, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *rig) open() {
	var err error
	if r.store, err = store.Open(store.Config{Path: r.path, Space: r.room}); err != nil {
		r.t.Fatal(err)
	}
	if r.bus, err = events.Open(events.Config{Store: r.store, Kinds: append(r.kinds, rooms.Kind)}); err != nil {
		r.t.Fatal(err)
	}
	if r.machine, err = NewMachine(MachineConfig{Store: r.store, Bus: r.bus, Features: []Feature{r.feature}}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) close() {
	if err := r.bus.Close(); err != nil {
		r.t.Error(err)
	}
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

// crash loses everything that is not in the store.
func (r *rig) crash() {
	r.close()
	r.flying, r.done = nil, nil
	r.open()
}

// one makes one step.
func (r *rig) one(in ...Input) Effects {
	r.t.Helper()
	r.now = r.now.Add(time.Millisecond)
	fx, err := r.machine.Step(r.now, in)
	if err != nil {
		r.t.Fatal(err)
	}
	r.done = append(r.done, fx.Done...)
	r.flying = append(r.flying, fx.Attempts...)
	return fx
}

// step makes steps until there is nothing more to do, and returns what is to be sent.
func (r *rig) step(in ...Input) []outbox.Attempt {
	r.t.Helper()
	before := len(r.flying)
	for n := 0; r.one(in...).More; n++ {
		if in = nil; n > 10_000 {
			r.t.Fatal("the machine never comes to rest")
		}
	}
	return r.flying[before:]
}

// later steps after a while.
func (r *rig) later(d time.Duration) []outbox.Attempt {
	r.t.Helper()
	r.now = r.now.Add(d)
	return r.step()
}

// joined makes the bot a member of rooms, with the network online.
func (r *rig) joined(rooms ...protocol.RoomID) {
	r.t.Helper()
	r.step(Online{protocol.Console, true})
	for _, room := range rooms {
		r.admit(r.event(room, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined}))
		for _, a := range r.flying {
			if a.Ask != nil {
				r.step(Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: protocol.MemberList{Last: true, Members: []protocol.Member{
					{User: "console:moot", Self: true}, {User: ann, Name: "Ann"},
				}}})
			}
		}
		r.flying = nil
	}
}

func (r *rig) event(room protocol.RoomID, body protocol.Body) protocol.Event {
	r.next++
	return protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("$%d", r.next)), Sender: ann, Time: r.now, Body: body}
}

func (r *rig) say(room protocol.RoomID, text string) protocol.Event {
	return r.event(room, protocol.Message{Text: text})
}

func (r *rig) admit(evs ...protocol.Event) []outbox.Attempt {
	r.t.Helper()
	return r.step(Admitted{&Batch{Network: protocol.Console, Events: evs}})
}

func (r *rig) view(f func(*store.Tx)) {
	r.t.Helper()
	if err := r.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) seen(ev protocol.Event) (s store.Seen) {
	r.view(func(tx *store.Tx) { s = tx.Seen(ev.Room, ev.ID) })
	return s
}

func (r *rig) sent(key protocol.Key) (s store.Delivery) {
	r.view(func(tx *store.Tx) { s = tx.Delivery(key) })
	return s
}

func (r *rig) letters() (letters []store.Letter) {
	r.view(func(tx *store.Tx) {
		for l := range tx.Letters(0) {
			letters = append(letters, l)
		}
	})
	return letters
}

// answering makes the feature answer each message with its own text.
func (r *rig) answering() {
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		m, ok := ev.Body.(protocol.Message)
		if !ok {
			return store.Outcome{}, nil
		}
		_, err := outbox.Send(tx, protocol.Outgoing{Room: ev.Room, Act: protocol.Say{Text: protocol.Plain(m.Text)}})
		return store.WasHandled("answered"), err
	}
}

// noLeaks fails if goroutines are left, but for those of a store that is closed later.
func noLeaks(t *testing.T) {
	t.Helper()
	goleak.VerifyNone(t, goleak.IgnoreAnyFunction("moot/store.(*Store).checkpoints"),
		goleak.IgnoreAnyFunction("moot/store/wal.(*Log).prepareAll"))
}

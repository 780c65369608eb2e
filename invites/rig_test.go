package invites

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/bot"
	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

const (
	hall protocol.RoomID = "matrix:!hall:here.org"
	yard protocol.RoomID = "matrix:!yard:here.org"
	self protocol.UserID = "matrix:@moot:here.org"
	boss protocol.UserID = "matrix:@boss:far.org"    // the operator
	ann  protocol.UserID = "matrix:@ann:here.org"    // of the bot's own server
	bob  protocol.UserID = "matrix:@bob:friend.org"  // of a server that is named
	cem  protocol.UserID = "matrix:@cem:far.org"     // named
	mal  protocol.UserID = "matrix:@mal:nowhere.org" // a stranger
)

// rig is the real loop over a real store, stepped by hand; what it wants of the network gathers in flying.
type rig struct {
	*testing.T
	dir     string
	config  Config
	store   *store.Store
	bus     *events.Bus
	feature *Feature
	machine *bot.Machine
	now     time.Time
	wake    time.Time
	next    int
	flying  []outbox.Attempt
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), config: Config{
		Networks: []protocol.Network{"matrix"}, Operators: []protocol.UserID{boss}, OwnServer: true,
		Servers: []string{"Friend.org"}, People: []protocol.UserID{cem}, PerHour: 2, Greet: true,
	}}
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *rig) open() {
	r.Helper()
	var err error
	if r.store, err = store.Open(store.Config{Path: filepath.Join(r.dir, "moot.db")}); err != nil {
		r.Fatal(err)
	}
	if r.bus, err = events.Open(events.Config{Store: r.store, Kinds: []events.Kind{bot.RoomKind, Kind()}}); err != nil {
		r.Fatal(err)
	}
	c := r.config
	c.Bus = r.bus
	if r.feature, err = New(c); err != nil {
		r.Fatal(err)
	}
	tree, err := commands.New(commands.Config{Operators: c.Operators, Prefixes: []string{"!moot"}, MaxAge: hour, Burst: 100, Every: time.Second}, r.feature.Commands()...)
	if err != nil {
		r.Fatal(err)
	}
	r.machine, err = bot.NewMachine(bot.MachineConfig{
		Store: r.store, Bus: r.bus, Features: []bot.Feature{bot.FeatureOf(tree), bot.FeatureOf(r.feature)},
	})
	if err != nil {
		r.Fatal(err)
	}
	r.step(bot.Online{Network: "matrix", Up: true})
}

// close also proves that the projection is what the log gives.
func (r *rig) close() {
	if err := r.bus.Verify(context.Background(), r.dir); err != nil {
		r.Errorf("verify: %v", err)
	}
	if err := r.bus.Close(); err != nil {
		r.Errorf("close the bus: %v", err)
	}
	if err := r.store.Close(); err != nil {
		r.Errorf("close the store: %v", err)
	}
}

// restart stops the bot and starts it anew, with another configuration if change makes one.
func (r *rig) restart(change func(*Config)) {
	r.Helper()
	r.close()
	r.flying = nil
	if change != nil {
		change(&r.config)
	}
	r.open()
}

// step makes steps until there is nothing more to do now, and looks for dead letters.
func (r *rig) step(in ...bot.Input) {
	r.Helper()
	for n := 0; ; n++ {
		fx, err := r.machine.Step(r.now, in)
		if err != nil {
			r.Fatal(err)
		}
		r.flying = append(r.flying, fx.Attempts...)
		if r.wake, in = fx.Wake, nil; !fx.More {
			break
		}
		if n > 1000 {
			r.Fatal("the machine never comes to rest")
		}
	}
	r.view(func(tx *store.Tx) {
		for l := range tx.Letters(0) {
			r.Fatalf("dead letter: %s: %s", l.Error, l.Stack)
		}
	})
}

// later lets time pass, with a step whenever something is due. It is a little more than d: the steps themselves take some.
func (r *rig) later(d time.Duration) {
	r.Helper()
	for end := r.now.Add(d + time.Millisecond); ; {
		if r.wake.IsZero() || r.wake.After(end) {
			r.now = end
			r.step()
			return
		}
		if r.wake.After(r.now) {
			r.now = r.wake
		}
		r.step()
	}
}

func (r *rig) view(f func(tx *store.Tx)) {
	r.Helper()
	if err := r.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		r.Fatal(err)
	}
}

// happens admits an event and returns what became of it.
func (r *rig) happens(room protocol.RoomID, by protocol.UserID, body protocol.Body) (s store.Seen) {
	r.Helper()
	r.next++
	return r.admit(protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("$%d", r.next)), Sender: by, Time: r.now, Body: body})
}

func (r *rig) admit(ev protocol.Event) (s store.Seen) {
	r.Helper()
	r.step(bot.Admitted{Batch: &bot.Batch{Network: "matrix", Events: []protocol.Event{ev}}})
	r.view(func(tx *store.Tx) { s = tx.Seen(ev.Room, ev.ID) })
	return s
}

func (r *rig) invites(by protocol.UserID, room protocol.RoomID) store.Seen {
	r.Helper()
	return r.happens(room, by, protocol.MemberChange{User: self, Self: true, Membership: protocol.Invited})
}

// joins lets the bot arrive in a room with others, and answers what it asks about the members.
func (r *rig) joins(room protocol.RoomID, others ...protocol.UserID) {
	r.Helper()
	r.happens(room, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	r.members(room, others...)
}

func (r *rig) members(room protocol.RoomID, others ...protocol.UserID) {
	r.Helper()
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true}}}
	for _, user := range others {
		list.Members = append(list.Members, protocol.Member{User: user})
	}
	a := r.take(room, "AskMembers")
	r.step(bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: list})
}

// wants names what the bot wants of the network in a room and has not got: asks by their kind, messages by their text.
func (r *rig) wants(room protocol.RoomID) (all []string) {
	for _, a := range r.flying {
		switch {
		case a.Ask != nil && a.Ask.Room == room:
			all = append(all, protocol.KindOf(a.Ask.Want))
		case a.Out != nil && a.Out.Room == room:
			all = append(all, a.Out.Act.(protocol.Say).Text.Plain())
		}
	}
	return all
}

func (r *rig) expect(room protocol.RoomID, want ...string) {
	r.Helper()
	if got := r.wants(room); !slices.Equal(got, want) {
		r.Fatalf("the bot wants %q of %s, where %q was expected", got, room, want)
	}
}

// says lets somebody say something in private, and returns the answer.
func (r *rig) says(by protocol.UserID, text string) string {
	r.Helper()
	room := protocol.RoomID("matrix:!dm-" + by.Local())
	r.next++
	r.admit(protocol.Event{
		Room: room, ID: protocol.EventID(fmt.Sprintf("$%d", r.next)), Sender: by, Time: r.now, Private: true, Body: protocol.Message{Text: text},
	})
	for i, a := range r.flying {
		if a.Out != nil && a.Out.Room == room {
			r.flying = slices.Delete(r.flying, i, i+1)
			r.step(bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: room, Event: protocol.EventID("$sent-" + a.Key)}})
			return a.Out.Act.(protocol.Say).Text.Plain()
		}
	}
	r.Fatalf("there is no answer to %q", text)
	panic("unreachable")
}

// take takes an ask out of what flies.
func (r *rig) take(room protocol.RoomID, kind string) outbox.Attempt {
	r.Helper()
	for i, a := range r.flying {
		if a.Ask != nil && a.Ask.Room == room && protocol.KindOf(a.Ask.Want) == kind {
			r.flying = slices.Delete(r.flying, i, i+1)
			return a
		}
	}
	r.Fatalf("the bot asks for no %s of %s; it wants %q", kind, room, r.wants(room))
	panic("unreachable")
}

// answer answers an ask: with an error that is final, or that it was done.
func (r *rig) answer(room protocol.RoomID, kind, fault string) {
	r.Helper()
	a := r.take(room, kind)
	in := bot.Answered{Ask: *a.Ask, Attempt: a.Try.N}
	if fault != "" {
		in.Err = &protocol.SendError{Final: true, Err: errors.New(fault)}
	}
	r.step(in)
}

// standing returns how the open invitations stand, by their rooms.
func (r *rig) standing() map[protocol.RoomID]State {
	all := map[protocol.RoomID]State{}
	r.view(func(tx *store.Tx) {
		for i := range r.feature.Open(tx) {
			all[i.Room] = i.State
		}
	})
	return all
}

func (r *rig) stands(room protocol.RoomID, want State) {
	r.Helper()
	if got := r.standing()[room]; got != want {
		r.Fatalf("the invitation to %s stands as %q, where %q was expected", room, got, want)
	}
}

// leftovers names the rows of this package outside of the projection, and its timers.
func (r *rig) leftovers() (all []string) {
	r.view(func(tx *store.Tx) {
		for _, b := range []store.Bucket{pending, rates} {
			for k := range tx.Range(b, "", "") {
				all = append(all, b.Name()+" "+k)
			}
		}
		for _, scope := range []protocol.Scope{protocol.Scope(hall), protocol.Scope(yard), protocol.Scope(ann), protocol.Scope(mal)} {
			for _, name := range []string{timerHeld, timerJoin, timerAlone, timerRates} {
				if !tx.In(scope).Timer(name).IsZero() {
					all = append(all, string(scope)+" "+name)
				}
			}
		}
	})
	return all
}

package challenges

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

const (
	lobby = protocol.Scope("console:lobby")
	hall  = protocol.Scope("console:hall")
	ben   = protocol.UserID("console:ben")
)

// office is a store with challenges in it.
type office struct {
	*Feature
	t     *testing.T
	store *store.Store
	now   time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	bus, err := events.Open(events.Config{Store: s, Kinds: Kinds()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Close(); s.Close() })
	f, err := New(Config{Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	return &office{f, t, s, time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
}

func (o *office) run(scope protocol.Scope, do func(*store.Tx) error) {
	o.t.Helper()
	o.now = o.now.Add(time.Second)
	err := o.store.Commit(o.now, func(c *store.Commit) error {
		c.Deliver(func(tx *store.Tx, what protocol.Internal) error {
			if ok, err := o.Told(tx, what); !ok || err != nil {
				o.t.Errorf("told %s: %v %v", what.Kind, ok, err)
			}
			return nil
		})
		for _, t := range c.Due(10) {
			c.EndTimer(t)
			if err := c.Run(t.Scope, protocol.Ref{Room: protocol.RoomID(t.Scope), Event: "timer"}, func(tx *store.Tx) error {
				_, err := o.Timed(tx, protocol.Timer{Name: t.Name})
				return err
			}); err != nil {
				return err
			}
		}
		return c.Run(scope, protocol.Ref{Room: protocol.RoomID(scope), Event: "$1"}, do)
	})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.bus.Verify(o.t.Context(), ""); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) is(scope protocol.Scope, want bool, says string) {
	o.t.Helper()
	err := o.store.View(func(tx *store.Tx) error {
		why, is := o.Challenged(tx, protocol.RoomID(scope), ben)
		if is != want || !strings.Contains(why.Plain(), says) {
			o.t.Errorf("in %s: %v, %q", scope, is, why.Plain())
		}
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func TestOneRoomAndOneCause(t *testing.T) {
	o := newOffice(t)
	o.run(lobby, func(tx *store.Tx) error { return o.Challenge(tx, o.bus.Number(tx, ben), 3, 0) })
	o.run(lobby, func(tx *store.Tx) error { return o.Challenge(tx, o.bus.Number(tx, ben), 4, time.Hour) }) // stays as it is
	o.is(lobby, true, "by vote 3")
	o.is(hall, false, "")
	o.run(lobby, func(tx *store.Tx) error { return o.Restore(tx, o.bus.Number(tx, ben), 5) })
	o.run(lobby, func(tx *store.Tx) error { return o.Restore(tx, o.bus.Number(tx, ben), 5) }) // changes nothing
	o.is(lobby, false, "")
	var said []string
	o.run(lobby, func(tx *store.Tx) error {
		for f, err := range o.bus.Matching(tx, events.Query{}) {
			if err != nil {
				return err
			}
			said = append(said, f.Kind+" by "+f.Keys[keyBy]+" "+f.Keys[keyVote])
		}
		return nil
	})
	if got := strings.Join(said, ", "); got != "challenge by vote 3, restore by vote 5" {
		t.Errorf("the log says: %s", got)
	}
}

func TestItEndsByItself(t *testing.T) {
	o := newOffice(t)
	o.run(lobby, func(tx *store.Tx) error { return o.Challenge(tx, o.bus.Number(tx, ben), 3, time.Hour) })
	o.is(lobby, true, "That ends by itself on 2026-11-21 09:00 UTC")
	o.now = o.now.Add(59 * time.Minute)
	o.run(lobby, func(*store.Tx) error { return nil })
	o.is(lobby, true, "")
	o.now = o.now.Add(time.Minute)
	o.run(lobby, func(*store.Tx) error { return nil })
	o.is(lobby, false, "")
}

func TestForgottenItEndsToo(t *testing.T) {
	o := newOffice(t)
	o.run(lobby, func(tx *store.Tx) error { return o.Challenge(tx, o.bus.Number(tx, ben), 3, time.Hour) })
	o.run(protocol.Scope(ben), func(tx *store.Tx) error {
		o.bus.Forget(tx, ben, false)
		return nil
	})
	o.is(lobby, true, "")
	o.now = o.now.Add(2 * time.Hour)
	o.run(lobby, func(tx *store.Tx) error { return nil })
	o.is(lobby, false, "")
	o.run(lobby, func(tx *store.Tx) error {
		if n := o.bus.Lookup(tx, ben); n != 0 {
			t.Errorf("still recognised as %d", n)
		}
		return nil
	})
}

func TestItGoesAlongIntoTheSuccessor(t *testing.T) {
	o := newOffice(t)
	o.run(lobby, func(tx *store.Tx) error { return o.Challenge(tx, o.bus.Number(tx, ben), 3, 24*time.Hour) })
	up := protocol.Event{Room: protocol.RoomID(lobby), Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: protocol.RoomID(hall)}}}}
	o.run(lobby, func(tx *store.Tx) error { _, err := o.Handle(tx, up); return err })
	o.is(hall, true, "as in the room that this one follows")
	o.is(hall, true, "2026-11-22 08:00 UTC")
	o.now = o.now.Add(25 * time.Hour)
	o.run(hall, func(*store.Tx) error { return nil })
	o.is(hall, false, "")
}

// TestForgottenInTwoRooms: who was forgotten is recognised until they are restored in every room.
func TestForgottenInTwoRooms(t *testing.T) {
	o := newOffice(t)
	o.run(lobby, func(tx *store.Tx) error { return o.Challenge(tx, o.bus.Number(tx, ben), 3, 0) })
	o.run(hall, func(tx *store.Tx) error { return o.Challenge(tx, o.bus.Number(tx, ben), 1, time.Hour) })
	o.run(protocol.Scope(ben), func(tx *store.Tx) error {
		o.bus.Forget(tx, ben, false)
		return nil
	})
	o.now = o.now.Add(2 * time.Hour)
	o.run(hall, func(*store.Tx) error { return nil }) // where it ends by itself
	o.is(hall, false, "")
	o.is(lobby, true, "by vote 3")
}

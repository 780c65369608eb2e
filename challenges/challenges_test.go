package challenges

import (
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const (
	lobby = protocol.Scope("console:lobby")
	hall  = protocol.Scope("console:hall")
	ben   = protocol.UserID("console:ben")
)

// office is a bot with challenges and nothing else.
type office struct {
	*bottest.Rig
	*Feature
	t *testing.T
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t}
	o.Rig = &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: "console", Kinds: append(Kinds(), rooms.Kind),
		Features: func(r *bottest.Rig) []bot.Feature {
			var err error
			if o.Feature, err = New(Config{Bus: r.Bus}); err != nil {
				t.Fatal(err)
			}
			return []bot.Feature{o.Feature}
		},
	}
	o.Open()
	t.Cleanup(o.Close)
	return o
}

// run does something in a scope, with what it tells others, and lets timers go off that are due.
func (o *office) run(scope protocol.Scope, do func(*store.Tx) error) {
	o.t.Helper()
	o.Now = o.Now.Add(time.Second)
	err := o.Store.Commit(o.Now, func(c *store.Commit) error {
		c.Deliver(func(tx *store.Tx, what protocol.Internal) error {
			if ok, err := o.Told(tx, what); !ok || err != nil {
				o.t.Errorf("told %s: %v %v", what.Kind, ok, err)
			}
			return nil
		})
		return c.Run(scope, protocol.Ref{Room: protocol.RoomID(scope), Event: "$1"}, do)
	})
	if err != nil {
		o.t.Fatal(err)
	}
	o.Step()
	if err := o.bus.Verify(o.t.Context(), ""); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) is(scope protocol.Scope, want bool, says string) {
	o.t.Helper()
	o.View(func(tx *store.Tx) {
		why, is := o.Challenged(tx, protocol.RoomID(scope), ben)
		if is != want || !strings.Contains(why.Plain(), says) {
			o.t.Errorf("in %s: %v, %q", scope, is, why.Plain())
		}
	})
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
	o.Now = o.Now.Add(59 * time.Minute)
	o.run(lobby, func(*store.Tx) error { return nil })
	o.is(lobby, true, "")
	o.Now = o.Now.Add(time.Minute)
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
	o.Now = o.Now.Add(2 * time.Hour)
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
	o.Now = o.Now.Add(25 * time.Hour)
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
	o.Now = o.Now.Add(2 * time.Hour)
	o.run(hall, func(*store.Tx) error { return nil }) // where it ends by itself
	o.is(hall, false, "")
	o.is(lobby, true, "by vote 3")
}

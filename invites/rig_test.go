package invites

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
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

// rig is the bot with the feature and its commands; what it wants of the network gathers in Flying.
type rig struct {
	*bottest.Rig
	config  Config
	feature *Feature
}

func newRig(t *testing.T) *rig {
	r := &rig{config: Config{
		Networks: []protocol.Network{"matrix"}, Operators: []protocol.UserID{boss}, OwnServer: true,
		Servers: []string{"Friend.org"}, People: []protocol.UserID{cem}, PerHour: 2, Greet: true,
	}}
	r.Rig = &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: "matrix", Kinds: []events.Kind{rooms.Kind, Kind()},
		Features: func(b *bottest.Rig) []bot.Feature {
			c := r.config
			c.Bus = b.Bus
			var err error
			if r.feature, err = New(c); err != nil {
				b.Fatal(err)
			}
			tree, err := commands.New(commands.Config{
				Operators: c.Operators, Prefixes: []string{"!moot"}, MaxAge: hour, Burst: 100, Every: time.Second,
			}, r.feature.Commands()...)
			if err != nil {
				b.Fatal(err)
			}
			return []bot.Feature{tree, r.feature}
		},
	}
	r.Open()
	t.Cleanup(r.close)
	return r
}

// close also proves that the projection is what the log gives.
func (r *rig) close() {
	if err := r.Bus.Verify(context.Background(), r.Dir); err != nil {
		r.Errorf("verify: %v", err)
	}
	r.Close()
}

// restart stops the bot and starts it anew, with another configuration if change makes one.
func (r *rig) restart(change func(*Config)) {
	r.Helper()
	r.close()
	if change != nil {
		change(&r.config)
	}
	r.Open()
}

// Later is a little more than d: what is recorded lies some steps behind the moment at which a test lets it happen.
func (r *rig) Later(d time.Duration) {
	r.Helper()
	r.Rig.Later(d + time.Millisecond)
}

// happens admits an event and returns what became of it.
func (r *rig) happens(room protocol.RoomID, by protocol.UserID, body protocol.Body) (s store.Seen) {
	r.Helper()
	return r.Admit(r.Event(room, by, body))
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
	r.Step(bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: list})
}

// wants names what the bot wants of the network in a room and has not got: asks by their kind, messages by their text.
func (r *rig) wants(room protocol.RoomID) (all []string) {
	for _, a := range r.Flying {
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
	ev := r.Event(room, by, protocol.Message{Text: text})
	ev.Private = true
	r.Admit(ev)
	for i, a := range r.Flying {
		if a.Out != nil && a.Out.Room == room {
			r.Flying = slices.Delete(r.Flying, i, i+1)
			r.Step(bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: room, Event: protocol.EventID("$sent-" + a.Key)}})
			return a.Out.Act.(protocol.Say).Text.Plain()
		}
	}
	r.Fatalf("there is no answer to %q", text)
	panic("unreachable")
}

// take takes an ask out of what flies.
func (r *rig) take(room protocol.RoomID, kind string) outbox.Attempt {
	r.Helper()
	for i, a := range r.Flying {
		if a.Ask != nil && a.Ask.Room == room && protocol.KindOf(a.Ask.Want) == kind {
			r.Flying = slices.Delete(r.Flying, i, i+1)
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
	r.Step(in)
}

// standing returns how the open invitations stand, by their rooms.
func (r *rig) standing() map[protocol.RoomID]State {
	all := map[protocol.RoomID]State{}
	r.View(func(tx *store.Tx) {
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
	r.View(func(tx *store.Tx) {
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

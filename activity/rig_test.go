package activity

import (
	"fmt"
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
	lobby  protocol.RoomID = "console:lobby"
	garden protocol.RoomID = "console:garden"
	self   protocol.UserID = "console:moot"
	ann    protocol.UserID = "console:ann"
	bob    protocol.UserID = "console:bob"
	cem    protocol.UserID = "console:cem"
	dee    protocol.UserID = "console:dee"
	robot  protocol.UserID = "console:robot" // the list of members says that it is a bot
)

var everybody = []protocol.UserID{ann, bob, cem, dee}

// rig is the bot with the feature alone.
type rig struct {
	*bottest.Rig
	config  Config
	feature *Feature
}

func newRig(t testing.TB, rooms ...protocol.RoomID) *rig {
	r := rigIn(t, t.TempDir(), Config{Quiet: secretPress})
	t.Cleanup(r.Close)
	for _, room := range append(rooms, lobby) {
		r.join(room)
	}
	return r
}

func rigIn(t bottest.TB, dir string, c Config) *rig {
	r := &rig{config: c}
	r.Rig = &bottest.Rig{
		TB: t, Dir: dir, Network: protocol.Console, Kinds: []events.Kind{rooms.Kind, Kind()},
		Features: func(b *bottest.Rig) []bot.Feature {
			c := r.config
			c.Bus = b.Bus
			var err error
			if r.feature, err = New(c); err != nil {
				b.Fatal(err)
			}
			return []bot.Feature{r.feature}
		},
	}
	r.Open()
	return r
}

// join makes the bot a member of a room in which everybody is.
func (r *rig) join(room protocol.RoomID) {
	r.Helper()
	r.Flying = nil
	r.Admit(r.Event(room, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined}))
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true}, {User: robot, Bot: true}}}
	for _, user := range everybody {
		list.Members = append(list.Members, protocol.Member{User: user, Name: user.Local()})
	}
	for _, a := range r.Flying {
		if a.Ask != nil && a.Ask.Room == room {
			r.Step(bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: list})
		}
	}
}

// does lets something happen live.
func (r *rig) does(room protocol.RoomID, by protocol.UserID, body protocol.Body) store.Seen {
	r.Helper()
	return r.Admit(r.Event(room, by, body))
}

func (r *rig) says(by protocol.UserID) store.Seen {
	r.Helper()
	return r.does(lobby, by, protocol.Message{Text: "hello"})
}

// caught makes an event that is caught up, of the given time.
func (r *rig) caught(by protocol.UserID, at time.Time, body protocol.Body) protocol.Event {
	ev := r.Event(lobby, by, body)
	ev.Backlog, ev.Time = true, at
	return ev
}

// call puts people into a call of the lobby; an empty one is that they leave.
func (r *rig) call(call protocol.PlaceID, users ...protocol.UserID) {
	r.Helper()
	for _, user := range users {
		r.does(lobby, user, protocol.VoicePresence{Call: call})
	}
}

// run runs f under a scope, with what it tells.
func (r *rig) run(scope protocol.Scope, f func(*store.Tx)) {
	r.Helper()
	err := r.Store.Commit(r.Now, func(c *store.Commit) error {
		c.Deliver(func(tx *store.Tx, what protocol.Internal) error {
			ok, err := r.feature.Told(tx, what)
			if !ok {
				return fmt.Errorf("nobody knows %s", what.Kind)
			}
			return err
		})
		return c.Run(scope, protocol.Ref{}, func(tx *store.Tx) error { f(tx); return nil })
	})
	if err != nil {
		r.Fatal(err)
	}
	r.Step()
}

// fact is a fact as tests compare it.
type fact struct {
	room protocol.RoomID
	user protocol.UserID
	at   time.Time
	by   string
}

func (f fact) String() string {
	return fmt.Sprintf("%s in %s, %s at %s", f.user.Local(), f.room.Local(), f.by, f.at.Format("02 15:04:05.999999999"))
}

// facts returns all facts of the kind that the log holds.
func (r *rig) facts() (out []fact) {
	r.Helper()
	r.View(func(tx *store.Tx) {
		for f, err := range r.Bus.Matching(tx, events.Query{Kind: KindName}) {
			if err != nil {
				r.Fatal(err)
			}
			at, by, err := decode(f)
			if err != nil {
				r.Fatal(err)
			}
			who, _ := r.Bus.Who(tx, f.People[RoleWho])
			out = append(out, fact{protocol.RoomID(f.Scope), who, at, by})
		}
	})
	return out
}

// count returns how many facts there are about a person.
func (r *rig) count(user protocol.UserID) (n int) {
	r.Helper()
	for _, f := range r.facts() {
		if f.user == user {
			n++
		}
	}
	return n
}

// expect checks how many facts there are about each of the people.
func (r *rig) expect(n int, users ...protocol.UserID) {
	r.Helper()
	for _, user := range users {
		if got := r.count(user); got != n {
			r.Errorf("%d facts about %s, want %d: %v", got, user.Local(), n, r.facts())
		}
	}
}

func (r *rig) days(room protocol.RoomID, user protocol.UserID) (n int) {
	r.Helper()
	r.View(func(tx *store.Tx) { n = r.feature.Days(tx, room, user, 0) })
	return n
}

func (r *rig) last(room protocol.RoomID, user protocol.UserID) (at time.Time) {
	r.Helper()
	r.View(func(tx *store.Tx) { at = r.feature.Last(tx, room, user) })
	return at
}

// rows counts what stands in buckets.
func (r *rig) rows(buckets ...store.Bucket) (n int) {
	r.Helper()
	r.View(func(tx *store.Tx) {
		for _, b := range buckets {
			for range tx.Range(b, "", "") {
				n++
			}
		}
	})
	return n
}

// archive lets old facts go.
func (r *rig) archive() {
	r.Helper()
	for more := true; more; {
		var err error
		if _, more, err = r.Bus.ArchiveStep(r.Now, 0); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rig) info(room protocol.RoomID) (info rooms.Info) {
	r.View(func(tx *store.Tx) { info, _ = rooms.Get(tx, room) })
	return info
}

// secretPress is what the rig takes for a press on a secret vote.
func secretPress(_ *store.Tx, ev protocol.Event) bool {
	press, ok := ev.Body.(protocol.Invocation)
	return ok && len(press.Path) == 2 && press.Path[1] == "cast"
}

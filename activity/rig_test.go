package activity

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/outbox"
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

// tester is what testing.TB and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// rig is the real loop over a real store, stepped by hand.
type rig struct {
	tester
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

func newRig(t testing.TB, rooms ...protocol.RoomID) *rig {
	r := rigIn(t, t.TempDir(), Config{})
	t.Cleanup(r.close)
	for _, room := range append(rooms, lobby) {
		r.join(room)
	}
	return r
}

func rigIn(t tester, dir string, c Config) *rig {
	r := &rig{tester: t, dir: dir, config: c, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	r.open()
	return r
}

func (r *rig) open() {
	r.Helper()
	var err error
	if r.store, err = store.Open(store.Config{Path: filepath.Join(r.dir, "moot.db")}); err != nil {
		r.Fatal(err)
	}
	r.bus, err = events.Open(events.Config{Store: r.store, Kinds: []events.Kind{bot.RoomKind, Kind()}})
	if err != nil {
		r.Fatal(err)
	}
	c := r.config
	c.Bus = r.bus
	if r.feature, err = New(c); err != nil {
		r.Fatal(err)
	}
	r.machine, err = bot.NewMachine(bot.MachineConfig{Store: r.store, Bus: r.bus, Features: []bot.Feature{bot.FeatureOf(r.feature)}})
	if err != nil {
		r.Fatal(err)
	}
	r.step(bot.Online{Network: protocol.Console, Up: true})
}

func (r *rig) close() {
	if err := r.bus.Close(); err != nil {
		r.Errorf("close the bus: %v", err)
	}
	if err := r.store.Close(); err != nil {
		r.Errorf("close the store: %v", err)
	}
}

// down stops the bot for a while. It sees nothing of what then happens.
func (r *rig) down(d time.Duration) {
	r.Helper()
	r.close()
	r.flying = nil
	r.now = r.now.Add(d)
	r.open()
}

// step makes steps until there is nothing more to do now.
func (r *rig) step(in ...bot.Input) {
	r.Helper()
	for n := 0; ; n++ {
		fx, err := r.machine.Step(r.now, in)
		if err != nil {
			r.Fatal(err)
		}
		r.flying = append(r.flying, fx.Attempts...)
		if r.wake, in = fx.Wake, nil; !fx.More {
			return
		}
		if n > 1000 {
			r.Fatal("the machine never comes to rest")
		}
	}
}

// later lets time pass, with a step whenever something is due.
func (r *rig) later(d time.Duration) {
	r.Helper()
	for end := r.now.Add(d); ; {
		if r.wake.IsZero() || r.wake.After(end) {
			r.now = end
			r.step()
			return
		}
		r.now = later(r.now, r.wake)
		r.step()
	}
}

// join makes the bot a member of a room in which everybody is.
func (r *rig) join(room protocol.RoomID) {
	r.Helper()
	r.flying = nil
	r.admit(r.event(room, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined}))
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true}, {User: robot, Bot: true}}}
	for _, user := range everybody {
		list.Members = append(list.Members, protocol.Member{User: user, Name: user.Local()})
	}
	for _, a := range r.flying {
		if a.Ask != nil && a.Ask.Room == room {
			r.step(bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: list})
		}
	}
}

func (r *rig) event(room protocol.RoomID, by protocol.UserID, body protocol.Body) protocol.Event {
	r.next++
	return protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("$%d", r.next)), Sender: by, Time: r.now, Body: body}
}

// admit admits events and returns what became of the last one.
func (r *rig) admit(evs ...protocol.Event) (s store.Seen) {
	r.Helper()
	last := evs[len(evs)-1].Ref()
	r.step(bot.Admitted{Batch: &bot.Batch{Network: protocol.Console, Events: evs}})
	r.view(func(tx *store.Tx) {
		s = tx.Seen(last.Room, last.Event)
		for l := range tx.Letters(0) {
			r.Fatalf("dead letter: %s: %s", l.Error, l.Stack)
		}
	})
	return s
}

// does lets something happen live.
func (r *rig) does(room protocol.RoomID, by protocol.UserID, body protocol.Body) store.Seen {
	r.Helper()
	return r.admit(r.event(room, by, body))
}

func (r *rig) says(by protocol.UserID) store.Seen {
	r.Helper()
	return r.does(lobby, by, protocol.Message{Text: "hello"})
}

// caught makes an event that is caught up, of the given time.
func (r *rig) caught(by protocol.UserID, at time.Time, body protocol.Body) protocol.Event {
	ev := r.event(lobby, by, body)
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

func (r *rig) view(f func(*store.Tx)) {
	r.Helper()
	if err := r.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		r.Fatal(err)
	}
}

// run runs f under a scope, with what it tells.
func (r *rig) run(scope protocol.Scope, f func(*store.Tx)) {
	r.Helper()
	err := r.store.Commit(r.now, func(c *store.Commit) error {
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
	r.step()
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
	r.view(func(tx *store.Tx) {
		for f, err := range r.bus.Matching(tx, events.Query{Kind: KindName}) {
			if err != nil {
				r.Fatal(err)
			}
			at, by, err := decode(f)
			if err != nil {
				r.Fatal(err)
			}
			who, _ := r.bus.Who(tx, f.People[RoleWho])
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
	r.view(func(tx *store.Tx) { n = r.feature.Days(tx, room, user, 0) })
	return n
}

func (r *rig) last(room protocol.RoomID, user protocol.UserID) (at time.Time) {
	r.Helper()
	r.view(func(tx *store.Tx) { at = r.feature.Last(tx, room, user) })
	return at
}

// rows counts what stands in buckets.
func (r *rig) rows(buckets ...store.Bucket) (n int) {
	r.Helper()
	r.view(func(tx *store.Tx) {
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
		if _, more, err = r.bus.ArchiveStep(r.now, 0); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rig) info(room protocol.RoomID) (info rooms.Info) {
	r.view(func(tx *store.Tx) { info, _ = rooms.Get(tx, room) })
	return info
}

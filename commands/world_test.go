package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/commands/standard"
	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const self protocol.UserID = "console:moot"

// lateKind is a kind of facts whose closing everybody may see.
var lateKind = events.Kind{Name: "vote", Version: 1}

// world is a bot without its networks: the store, the rooms and the commands, and the loop around them in a few lines.
type world struct {
	t        tester
	store    *store.Store
	bus      *events.Bus
	commands *commands.Commands
	now      time.Time
	asked    int              // events so far
	stages   int              // of what nobody says
	pending  []protocol.Event // what nobody says, until somebody looks
	sent     int
	// challenged are refused in the lobby, with these words.
	challenged map[protocol.UserID]string
	// between is called between the handling of an event and what it tells other scopes, if it is set.
	between func(*store.Tx)
}

// tester is what testing.TB and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Cleanup(func())
}

func newWorld(t tester, more ...*commands.Command) *world {
	t.Helper()
	return newWorldWith(t, commands.Config{}, more...)
}

func newWorldWith(t tester, conf commands.Config, more ...*commands.Command) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "moot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), challenged: map[protocol.UserID]string{}}
	if w.store, err = store.Open(store.Config{Path: filepath.Join(dir, "moot.db")}); err != nil {
		t.Fatal(err)
	}
	if w.bus, err = events.Open(events.Config{Store: w.store, Kinds: []events.Kind{lateKind}, Secret: []byte("sixteen bytes and more")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.bus.Close(); w.store.Close() })
	if conf.Prefixes == nil {
		conf.Prefixes = []string{"!moot", "!m"}
	}
	conf.Operators = []protocol.UserID{"console:olga"}
	conf.Challenged = func(_ *store.Tx, room protocol.RoomID, user protocol.UserID) (protocol.Text, bool) {
		why, is := w.challenged[user]
		return protocol.Plain(why), is && room == "console:lobby"
	}
	tree := append(standard.Commands(standard.Config{
		Bus:      w.bus,
		Version:  "moot 0.1.0-test",
		Outcomes: []events.Query{{Kind: "vote", Filters: map[string]string{"state": "closed"}}},
	}), more...)
	if w.commands, err = commands.New(conf, tree...); err != nil {
		t.Fatal(err)
	}
	return w
}

// answer is what became of an event.
type answer struct {
	outcome store.Outcome
	err     error
	out     []protocol.Outgoing
}

// text returns what was answered, without markup.
func (a answer) text() string {
	var all []string
	for _, o := range a.out { // one at most, but for commands that answer several times
		all = append(all, textOf(o).Plain())
	}
	return strings.Join(all, "\n---\n")
}

func textOf(o protocol.Outgoing) protocol.Text {
	switch act := o.Act.(type) {
	case protocol.Say:
		return act.Text
	case protocol.Whisper:
		return act.Text
	}
	return nil
}

func private(room protocol.RoomID) bool { return strings.Contains(string(room), "dm-") }

// dm is the private conversation of a person with the bot.
func dm(person protocol.UserID) protocol.RoomID {
	return protocol.RoomID(string(person.Network()) + ":dm-" + person.Local())
}

// say lets somebody say something.
func (w *world) say(who protocol.UserID, room protocol.RoomID, text string) answer {
	w.t.Helper()
	return w.event(protocol.Event{Room: room, Sender: who, Body: protocol.Message{Text: text}})
}

// event lets an event happen, in a commit of its own.
func (w *world) event(ev protocol.Event) answer {
	w.t.Helper()
	return w.together([]protocol.Event{ev})[0]
}

// together lets events happen in one commit. Those without an id get one, and those without a time happen now.
func (w *world) together(evs []protocol.Event) []answer {
	w.t.Helper()
	before := len(w.pending)
	evs = append(w.pending, evs...)
	w.pending = nil
	answers := make([]answer, len(evs))
	w.now = w.now.Add(time.Second)
	err := w.store.Commit(w.now, func(c *store.Commit) error {
		for i, ev := range evs {
			if ev.ID == "" {
				w.asked++
				ev.ID = protocol.EventID(fmt.Sprintf("e%d", w.asked))
			}
			if ev.Time.IsZero() {
				ev.Time = w.now
			}
			ev.Private = ev.Private || private(ev.Room)
			answers[i] = w.handle(c, ev)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return answers[before:]
}

// settle lets happen what is pending.
func (w *world) settle() {
	w.t.Helper()
	if len(w.pending) > 0 {
		w.together(nil)
	}
}

// handle is what the loop does with one event.
func (w *world) handle(c *store.Commit, ev protocol.Event) (a answer) {
	err := c.Run(protocol.Scope(ev.Room), ev.Ref(), func(tx *store.Tx) error {
		if _, err := rooms.Apply(tx, ev); err != nil {
			return err
		}
		return w.deliver(tx)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	a.err = c.Run(ev.Scope(), ev.Ref(), func(tx *store.Tx) (err error) {
		if a.outcome, err = w.commands.Handle(tx, ev); err != nil {
			return err
		}
		if w.between != nil {
			w.between(tx)
		}
		return w.deliver(tx)
	})
	if a.err != nil {
		l, _ := c.Bury(store.Letter{Scope: ev.Scope(), Event: ev, Error: a.err.Error(), Tries: 1})
		a.outcome = store.Outcome{Disposition: store.Failed, Reason: fmt.Sprintf("dead letter %d: %v", l.ID, a.err)}
	}
	if a.outcome.Disposition != store.Unseen {
		c.Record(ev.Room, ev.ID, a.outcome.Disposition, a.outcome.Reason)
	}
	for _, q := range c.TakeQueued() {
		var payload struct{ Out *protocol.Outgoing }
		if err := json.Unmarshal(q.Payload, &payload); err != nil {
			w.t.Fatal(err)
		}
		if payload.Out == nil {
			continue // an ask, for members
		}
		w.sent++
		c.Finish(q, store.StateSent, protocol.Ref{Room: payload.Out.Room, Event: protocol.EventID(fmt.Sprintf("m%d", w.sent))}, "")
		a.out = append(a.out, *payload.Out)
	}
	return a
}

// keeper keeps the rooms as the loop has it.
var keeper rooms.Feature

func (w *world) deliver(tx *store.Tx) error {
	for range 16 {
		told := tx.TakeTold()
		if len(told) == 0 {
			return nil
		}
		for _, t := range told {
			if ok, err := keeper.Told(tx.In(t.To), t.What); ok || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			if ok, err := w.commands.Told(tx.In(t.To), t.What); err != nil || !ok {
				return errors.Join(err, fmt.Errorf("told %s: %t", t.What.Kind, ok))
			}
		}
	}
	return errors.New("told without end")
}

// pass lets time pass, and the timers go off whose time has come.
func (w *world) pass(d time.Duration) (fired int) {
	w.t.Helper()
	w.settle()
	w.now = w.now.Add(d)
	for again := true; again; {
		again = false
		err := w.store.Commit(w.now, func(c *store.Commit) error {
			for _, t := range c.Due(100) {
				again = true
				c.EndTimer(t)
				err := c.Run(t.Scope, protocol.Ref{}, func(tx *store.Tx) error {
					timer := protocol.Timer{Name: t.Name, Data: t.Data}
					if ok, err := keeper.Timed(tx, timer); ok || err != nil {
						return errors.Join(err, w.deliver(tx))
					}
					if ok, err := w.commands.Timed(tx, timer); err != nil || !ok {
						return errors.Join(err, fmt.Errorf("timer %s: %t", t.Name, ok))
					}
					fired++
					return nil
				})
				if err != nil {
					return err
				}
			}
			c.TakeQueued()
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
	return fired
}

// room makes a room of that name in which the bot and the people are. A * before an id makes a moderator.
func (w *world) room(id protocol.RoomID, name string, people ...string) {
	w.t.Helper()
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true, Name: "moot", Bot: true}}}
	for _, p := range people {
		m := protocol.Member{User: protocol.UserID("console:" + strings.TrimPrefix(p, "*")), Power: protocol.PowerMember}
		m.Name = m.User.Local()
		if strings.HasPrefix(p, "*") {
			m.Power = protocol.PowerModerator
		}
		list.Members = append(list.Members, m)
	}
	join := protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined, Name: "moot"}
	bodies := []protocol.Body{join, list}
	if name != "" {
		bodies = append(bodies, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: name}}})
	}
	w.bodies(id, bodies...)
}

// bodies lets things happen in a room that nobody says. They do not count as events.
func (w *world) bodies(room protocol.RoomID, bodies ...protocol.Body) {
	w.t.Helper()
	for _, b := range bodies {
		w.stages++
		w.pending = append(w.pending, protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("s%d", w.stages)), Body: b})
	}
}

// meet makes the private conversation of somebody with the bot.
func (w *world) meet(people ...protocol.UserID) {
	for _, p := range people {
		w.room(dm(p), "", p.Local())
	}
}

func (w *world) leave(room protocol.RoomID, who protocol.UserID, how protocol.Membership) {
	w.bodies(room, protocol.MemberChange{User: who, Self: who == self, Membership: how})
}

func (w *world) join(room protocol.RoomID, who protocol.UserID, name string) {
	w.bodies(room, protocol.MemberChange{User: who, Membership: protocol.Joined, Name: name})
}

// fact publishes a fact about a vote in a room.
func (w *world) fact(room protocol.RoomID, keys map[string]string, people map[string]protocol.UserID, text string) {
	w.t.Helper()
	w.change(protocol.Scope(room), func(tx *store.Tx) error {
		payload := map[string]string{}
		if text != "" {
			payload["reason"] = string(w.bus.KeepText(tx, people["opener"], text))
		}
		return w.bus.Publish(tx, events.Draft{Kind: "vote", Keys: keys, People: people, Payload: payload})
	})
}

func (w *world) change(scope protocol.Scope, f func(*store.Tx) error) {
	w.t.Helper()
	w.settle()
	w.now = w.now.Add(time.Second)
	err := w.store.Commit(w.now, func(c *store.Commit) error {
		return c.Run(scope, protocol.Ref{Room: protocol.RoomID(scope), Event: protocol.EventID(fmt.Sprint("cause", w.now.Unix()))}, f)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) view(f func(*store.Tx)) {
	w.t.Helper()
	w.settle()
	if err := w.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) complete(who protocol.UserID, room protocol.RoomID, line string) (words []string) {
	w.view(func(tx *store.Tx) {
		words = w.commands.Complete(tx, commands.CompletionContext{Person: who, Room: room, Private: private(room)}, line)
	})
	return words
}

// holds tells whether any value or key of the store holds the text, outside of the given buckets.
func (w *world) holds(text string, buckets ...string) (where []string) {
	w.view(func(tx *store.Tx) {
		for _, name := range buckets {
			for k, v := range tx.Range(store.SharedBucket(name), "", "") {
				if strings.Contains(k, text) || strings.Contains(string(v), text) {
					where = append(where, name)
				}
			}
		}
	})
	slices.Sort(where)
	return slices.Compact(where)
}

var _ tester = (*testing.T)(nil)

package inspect

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

const lobby protocol.RoomID = "console:lobby"

var saidKind = events.Kind{Name: "said", Version: 1}

// world is a bot whose network answers when it is told to.
type world struct {
	t       *testing.T
	now     time.Time
	store   *store.Store
	bus     *events.Bus
	machine *bot.Machine
	desk    *Desk
	trying  []outbox.Attempt // that have no answer yet
	members map[protocol.RoomID]protocol.MemberList
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), members: map[protocol.RoomID]protocol.MemberList{}}
	var err error
	if w.store, err = store.Open(store.Config{Path: filepath.Join(t.TempDir(), "moot.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if w.bus, err = events.Open(events.Config{Store: w.store, Kinds: []events.Kind{bot.RoomKind, saidKind}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.bus.Close() })
	w.machine, err = bot.NewMachine(bot.MachineConfig{Store: w.store, Bus: w.bus, Features: []bot.Feature{talker{w.bus}}})
	if err != nil {
		t.Fatal(err)
	}
	w.desk = &Desk{Store: w.store, Bus: w.bus}
	w.step(bot.Online{Network: protocol.Console, Up: true})
	return w
}

// step takes inputs until there is nothing more to do.
func (w *world) step(inputs ...bot.Input) {
	w.t.Helper()
	for {
		fx, err := w.machine.Step(w.now, inputs)
		if err != nil {
			w.t.Fatal(err)
		}
		w.trying = append(w.trying, fx.Attempts...)
		if w.now = w.now.Add(time.Second); !fx.More {
			return
		}
		inputs = nil
	}
}

func (w *world) admit(evs ...protocol.Event) {
	w.t.Helper()
	w.step(bot.Admitted{Batch: &bot.Batch{Network: protocol.Console, Events: evs}})
}

// join lets the bot into a room with the given people.
func (w *world) join(room protocol.RoomID, name string, people ...protocol.UserID) {
	w.t.Helper()
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true}}}
	for _, p := range people {
		list.Members = append(list.Members, protocol.Member{User: p})
	}
	w.members[room] = list
	w.admit(
		protocol.Event{Room: room, ID: "join", Body: protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined}},
		protocol.Event{Room: room, ID: "name", Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: name}}}},
		protocol.Event{Room: room, ID: "list", Body: list},
	)
}

func (w *world) say(room protocol.RoomID, id protocol.EventID, by protocol.UserID, text string) {
	w.t.Helper()
	w.admit(protocol.Event{Room: room, ID: id, Sender: by, Time: w.now, Body: protocol.Message{Text: text}})
}

// answer ends all attempts that are under way.
func (w *world) answer(err error) {
	w.t.Helper()
	var inputs []bot.Input
	for i, a := range w.trying {
		if a.Ask != nil {
			inputs = append(inputs, bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: w.members[a.Ask.Room], Err: err})
			continue
		}
		ref := protocol.Ref{Room: a.Out.Room, Event: protocol.EventID(fmt.Sprintf("own%d", i))}
		inputs = append(inputs, bot.Sent{Key: a.Key, Ref: ref, Err: err})
	}
	w.trying = nil
	w.step(inputs...)
}

// talker repeats what it is told, notes that as a fact, and can fail.
type talker struct{ bus *events.Bus }

func (f talker) Handle(tx *store.Tx, ev protocol.Event) (bot.Outcome, error) {
	m, ok := ev.Body.(protocol.Message)
	switch {
	case !ok:
		return bot.Outcome{}, nil
	case strings.HasPrefix(m.Text, "fail"):
		return bot.Outcome{}, errors.New("it was to fail")
	case strings.HasPrefix(m.Text, "panic"):
		panic("it was to panic")
	case strings.HasPrefix(m.Text, "hush"):
		return bot.Outcome{Disposition: store.Ignored, Reason: "hushed"}, nil
	}
	d := events.Draft{
		Kind: saidKind.Name, People: map[string]protocol.UserID{"by": ev.Sender},
		Keys: map[string]string{"length": fmt.Sprint(len(m.Text))}, Payload: map[string]int{"length": len(m.Text)},
	}
	if err := f.bus.Publish(tx, d); err != nil {
		return bot.Outcome{}, err
	}
	for range 2 {
		if _, err := outbox.Send(tx, protocol.Outgoing{Room: ev.Room, Act: protocol.Say{Text: protocol.Plain(m.Text)}}); err != nil {
			return bot.Outcome{}, err
		}
	}
	return bot.Outcome{Disposition: store.Handled, Reason: "repeated"}, nil
}

func (talker) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }
func (talker) Timed(*store.Tx, protocol.Timer) (bool, error)   { return false, nil }

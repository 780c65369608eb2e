package inspect

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const lobby protocol.RoomID = "console:lobby"

var saidKind = events.Kind{Name: "said", Version: 1}

// world is a bot whose network answers when it is told to.
type world struct {
	*bottest.Rig
	inspector *Inspector
	members   map[protocol.RoomID]protocol.MemberList
}

func newWorld(t *testing.T) *world {
	w := &world{members: map[protocol.RoomID]protocol.MemberList{}, Rig: &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: protocol.Console, Kinds: []events.Kind{rooms.Kind, saidKind}, Buried: true,
		Features: func(r *bottest.Rig) []bot.Feature { return []bot.Feature{talker{r.Bus}} },
	}}
	w.Open()
	t.Cleanup(w.Close)
	w.inspector = &Inspector{Store: w.Store, Bus: w.Bus}
	return w
}

// step takes inputs until there is nothing more to do, which takes a second.
func (w *world) step(inputs ...bot.Input) {
	w.Helper()
	w.Step(inputs...)
	w.Now = w.Now.Add(time.Second)
}

func (w *world) admit(evs ...protocol.Event) {
	w.Helper()
	w.step(bot.Admitted{Batch: &bot.Batch{Network: protocol.Console, Events: evs}})
}

// join lets the bot into a room with the given people.
func (w *world) join(room protocol.RoomID, name string, people ...protocol.UserID) {
	w.Helper()
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
	w.Helper()
	w.admit(protocol.Event{Room: room, ID: id, Sender: by, Time: w.Now, Body: protocol.Message{Text: text}})
}

// answer ends all attempts that are under way.
func (w *world) answer(err error) {
	w.Helper()
	var inputs []bot.Input
	for i, a := range w.Flying {
		if a.Ask != nil {
			inputs = append(inputs, bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: w.members[a.Ask.Room], Err: err})
			continue
		}
		ref := protocol.Ref{Room: a.Out.Room, Event: protocol.EventID(fmt.Sprintf("own%d", i))}
		inputs = append(inputs, bot.Sent{Key: a.Key, Ref: ref, Err: err})
	}
	w.Flying = nil
	w.step(inputs...)
}

// talker repeats what it is told, notes that as a fact, and can fail.
type talker struct{ bus *events.Bus }

func (f talker) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	m, ok := ev.Body.(protocol.Message)
	switch {
	case !ok:
		return store.Outcome{}, nil
	case strings.HasPrefix(m.Text, "fail"):
		return store.Outcome{}, errors.New("it was to fail")
	case strings.HasPrefix(m.Text, "panic"):
		panic("it was to panic")
	case strings.HasPrefix(m.Text, "hush"):
		return store.Outcome{Disposition: store.Ignored, Reason: "hushed"}, nil
	}
	d := events.Draft{
		Kind: saidKind.Name, People: map[string]protocol.UserID{"by": ev.Sender},
		Keys: map[string]string{"length": fmt.Sprint(len(m.Text))}, Payload: map[string]int{"length": len(m.Text)},
	}
	if err := f.bus.Publish(tx, d); err != nil {
		return store.Outcome{}, err
	}
	for range 2 {
		if _, err := outbox.Send(tx, protocol.Outgoing{Room: ev.Room, Act: protocol.Say{Text: protocol.Plain(m.Text)}}); err != nil {
			return store.Outcome{}, err
		}
	}
	return store.WasHandled("repeated"), nil
}

func (talker) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }
func (talker) Timed(*store.Tx, protocol.Timer) (bool, error)   { return false, nil }

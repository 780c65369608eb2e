package bot

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/events"
	"moot/internal/effort"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// echo is a feature that answers each message once, counts it under its room, and fails when it is told to.
type echo struct{}

var echoed = store.ScopedBucket("echoed")

func (echo) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	m, ok := ev.Body.(protocol.Message)
	if !ok {
		return store.Outcome{}, nil
	}
	key := store.Key(tx.Scope(), string(ev.ID))
	n, _ := strconv.Atoi(string(tx.Get(echoed, key)))
	tx.Put(echoed, key, []byte(strconv.Itoa(n+1)))
	if _, err := outbox.Send(tx, protocol.Outgoing{Room: ev.Room, Act: protocol.Say{Text: protocol.Plain(m.Text)}, Expires: outbox.Never}); err != nil {
		return store.Outcome{}, err
	}
	switch m.Text {
	case "panic":
		panic("as told")
	case "fail":
		return store.Outcome{}, fmt.Errorf("as told")
	}
	return store.WasHandled("echoed"), nil
}

func (echo) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }
func (echo) Timed(*store.Tx, protocol.Timer) (bool, error)   { return false, nil }

// modelRoom is a room as the network knows it.
type modelRoom struct {
	id       protocol.RoomID
	timeline []protocol.Event
	members  map[protocol.UserID]bool
	botIn    bool
	live     map[protocol.EventID]bool // messages that the bot was there for: each is to be handled once
	dead     map[protocol.EventID]bool // those among them that fail
	out      map[protocol.EventID]bool // messages that it was not there for: none is to be handled
	shown    map[protocol.Key]int
}

// model is a network with rooms, raced against a machine that is stepped by hand.
type model struct {
	path     string
	store    *store.Store
	bus      *events.Bus
	machine  *Machine
	now      time.Time
	next     int
	rooms    []*modelRoom
	waiting  []Input // what the network will say next
	attempts []outbox.Attempt
	lists    map[string]protocol.MemberList // what the network had when an attempt to ask began
	handed   []protocol.Ref                 // everything that was ever delivered and acknowledged
}

var modelUsers = []protocol.UserID{"console:ann", "console:ben", "console:cleo", "console:dan"}

func newModel(t *rapid.T, dir string) *model {
	m := &model{path: filepath.Join(dir, "moot.db"), lists: map[string]protocol.MemberList{}, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	for _, id := range []protocol.RoomID{"console:a", "console:b"} {
		m.rooms = append(m.rooms, &modelRoom{
			id: id, members: map[protocol.UserID]bool{}, live: map[protocol.EventID]bool{}, dead: map[protocol.EventID]bool{},
			out: map[protocol.EventID]bool{}, shown: map[protocol.Key]int{},
		})
	}
	m.open(t)
	return m
}

func (m *model) open(t *rapid.T) {
	var err error
	if m.store, err = store.Open(store.Config{Path: m.path}); err != nil {
		t.Fatal(err)
	}
	if m.bus, err = events.Open(events.Config{Store: m.store, Kinds: []events.Kind{rooms.Kind}}); err != nil {
		t.Fatal(err)
	}
	if m.machine, err = NewMachine(MachineConfig{Store: m.store, Bus: m.bus, Features: []Feature{echo{}}}); err != nil {
		t.Fatal(err)
	}
	m.waiting = append(m.waiting, Online{protocol.Console, true})
}

func (m *model) close(t *rapid.T) {
	if err := m.bus.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// restart loses all that is in memory: what was under way in the network may or may not have happened.
func (m *model) restart(t *rapid.T) {
	for _, a := range m.attempts {
		if a.Out != nil && rapid.Bool().Draw(t, "sent before the crash") {
			m.show(a)
		}
	}
	m.attempts = nil
	m.waiting = nil
	m.close(t)
	m.open(t)
}

// show is what the network does with a message: it stands once for each key.
func (m *model) show(a outbox.Attempt) protocol.Ref {
	r := m.room(a.Out.Room)
	r.shown[a.Key]++
	return protocol.Ref{Room: r.id, Event: protocol.EventID("sent-" + string(a.Key))}
}

func (m *model) room(id protocol.RoomID) *modelRoom {
	return m.rooms[slices.IndexFunc(m.rooms, func(r *modelRoom) bool { return r.id == id })]
}

// say adds an event to the timeline of a room and returns it.
func (m *model) say(r *modelRoom, sender protocol.UserID, body protocol.Body) protocol.Event {
	m.next++
	ev := protocol.Event{Room: r.id, ID: protocol.EventID(fmt.Sprintf("$%d", m.next)), Sender: sender, Time: m.now, Body: body}
	r.timeline = append(r.timeline, ev)
	return ev
}

// deliver admits events and steps until they are handled.
func (m *model) deliver(t *rapid.T, evs ...protocol.Event) {
	b := &Batch{Network: protocol.Console, Events: slices.Clone(evs), Cursor: protocol.Cursor{Name: "console", Value: strconv.Itoa(m.next)}}
	m.waiting = append(m.waiting, Admitted{b})
	for _, ev := range evs {
		m.handed = append(m.handed, ev.Ref())
	}
	m.step(t)
}

// step steps until the machine has nothing more to do at this time; attempts stay open.
func (m *model) step(t *rapid.T) {
	for range 10_000 {
		m.now = m.now.Add(time.Millisecond)
		in := m.waiting
		m.waiting = nil
		fx, err := m.machine.Step(m.now, in)
		if err != nil {
			t.Fatal(err)
		}
		m.attempts = append(m.attempts, fx.Attempts...)
		for _, a := range fx.Attempts {
			if a.Ask != nil {
				m.lists[attemptID(a)] = m.list(m.room(a.Ask.Room))
			}
		}
		if !fx.More {
			return
		}
	}
	t.Fatal("the machine never comes to rest")
}

// network lets one of the open attempts end.
func (m *model) network(t *rapid.T, fail bool) {
	if len(m.attempts) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.attempts)-1).Draw(t, "attempt")
	a := m.attempts[i]
	m.attempts = slices.Delete(m.attempts, i, i+1)
	if a.Ask != nil {
		in := Answered{Ask: *a.Ask, Attempt: a.Try.N}
		r := m.room(a.Ask.Room)
		switch {
		case !r.botIn:
			in.Err = &protocol.SendError{Final: true, Err: protocol.ErrGone}
		case fail:
			in.Err = fmt.Errorf("the network does not feel like it")
		case rapid.Bool().Draw(t, "as of when it was asked"):
			in.Result = m.lists[attemptID(a)]
		default:
			in.Result = m.list(r)
		}
		m.waiting = append(m.waiting, in)
		m.step(t)
		return
	}
	in := Sent{Key: a.Key}
	switch {
	case !m.room(a.Out.Room).botIn:
		in.Err = &protocol.SendError{Final: true, Err: protocol.ErrGone}
	case fail && rapid.Bool().Draw(t, "arrived all the same"):
		m.show(a)
		in.Err = fmt.Errorf("the answer was lost")
	case fail:
		in.Err = fmt.Errorf("the network does not feel like it")
	default:
		in.Ref = m.show(a)
	}
	m.waiting = append(m.waiting, in)
	m.step(t)
}

func attemptID(a outbox.Attempt) string { return fmt.Sprint(a.Key, a.Try.N) }

func (m *model) list(r *modelRoom) protocol.MemberList {
	l := protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true, Bot: true}}}
	for u := range r.members {
		l.Members = append(l.Members, protocol.Member{User: u, Name: u.Local()})
	}
	return l
}

// settle lets time pass and the network answer until nothing is open.
func (m *model) settle(t *rapid.T) {
	for range 1000 {
		m.step(t)
		if len(m.attempts) == 0 {
			m.now = m.now.Add(2 * time.Hour)
			m.step(t)
			if len(m.attempts) == 0 {
				if n := m.machine.outbox.Waiting(); n != 0 || m.machine.outbox.Busy(m.now) {
					t.Fatalf("the network is at rest, but %d lanes are not", n)
				}
				return
			}
		}
		m.network(t, false)
	}
	t.Fatal("the network never comes to rest")
}

// check holds the store against the model. It is exact about what was handled; about members only when they are said
// to be known and nothing is on its way.
func (m *model) check(t *rapid.T) {
	err := m.store.View(func(tx *store.Tx) error {
		for _, ref := range m.handed {
			if d := tx.Seen(ref.Room, ref.Event).Disposition; d == store.Unseen {
				t.Fatalf("%v was delivered and has no disposition", ref)
			}
		}
		for _, r := range m.rooms {
			for id := range r.live {
				want := "1"
				if r.dead[id] {
					want = ""
				}
				if got := string(tx.Get(echoed, store.Key(r.id, string(id)))); got != want {
					t.Fatalf("%s in %s was echoed %q times, want %q", id, r.id, got, want)
				}
			}
			for id := range r.out {
				if tx.Has(echoed, store.Key(r.id, string(id))) {
					t.Fatalf("%s in %s was acted on although the bot was not there", id, r.id)
				}
			}
			m.checkMembers(t, tx, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) checkMembers(t *rapid.T, tx *store.Tx, r *modelRoom) {
	info, _ := rooms.Get(tx, r.id)
	if info.Joined() != r.botIn {
		t.Fatalf("%s: the bot thinks %q of itself", r.id, info.Own)
	}
	got := map[protocol.UserID]bool{}
	for mem := range rooms.Members(tx, r.id) {
		if !mem.Self {
			got[mem.User] = true
		}
	}
	if !r.botIn && len(got) > 0 {
		t.Fatalf("%s: members %v although the bot is not there", r.id, got)
	}
	if r.botIn && info.Members == rooms.Known {
		if !maps.Equal(got, r.members) {
			t.Fatalf("%s: members %v, want %v", r.id, got, r.members)
		}
		if info.Count != len(r.members)+1 {
			t.Fatalf("%s: counts %d members of %d", r.id, info.Count, len(r.members)+1)
		}
	}
	for _, u := range modelUsers {
		in := false
		for i := range rooms.Of(tx, u) {
			in = in || i.ID == r.id
		}
		if in != got[u] {
			t.Fatalf("%s: %s is a member: %v; by user-rooms: %v", r.id, u, got[u], in)
		}
	}
}

// checkShown holds what the network saw against the model, when nothing is open.
func (m *model) checkShown(t *rapid.T) {
	err := m.store.View(func(tx *store.Tx) error {
		for _, r := range m.rooms {
			answered := 0
			for id := range r.live {
				key := store.CauseKey(protocol.Ref{Room: r.id, Event: id}, 1)
				switch s := tx.Delivery(key); {
				case r.dead[id] && s.State != "":
					t.Fatalf("%s failed and yet sent something: %+v", id, s)
				case r.dead[id]:
				case s.State == store.StateSent:
					answered++
				case s.State != store.StateEnded && s.State != store.StateFailed: // those are of a room that was left
					t.Fatalf("the answer to %s ended so: %+v", id, s)
				}
			}
			if len(r.shown) < answered {
				t.Fatalf("%s: %d answers are said to be sent, the network has %d", r.id, answered, len(r.shown))
			}
			for key := range r.shown {
				if tx.Delivery(key).State == "" {
					t.Fatalf("%s: the network has %s, of which the outbox knows nothing", r.id, key)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestModel races random histories against a plain model: joins, leaves, kicks, rejoins with a replayed timeline,
// messages, failing handlers, duplicates, lost answers, crashes.
func TestModel(t *testing.T) {
	effort.Checks(20, 100)
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, tempDir(t))
		defer func() { m.close(t) }()
		pick := func(t *rapid.T) *modelRoom { return rapid.SampledFrom(m.rooms).Draw(t, "room") }
		user := func(t *rapid.T) protocol.UserID { return rapid.SampledFrom(modelUsers).Draw(t, "user") }
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { m.check(t) },
			"join": func(t *rapid.T) {
				r, u := pick(t), user(t)
				r.members[u] = true
				if ev := m.say(r, u, protocol.MemberChange{User: u, Membership: protocol.Joined, Name: u.Local()}); r.botIn {
					m.deliver(t, ev)
				}
			},
			"leave": func(t *rapid.T) {
				r, u := pick(t), user(t)
				delete(r.members, u)
				how := rapid.SampledFrom([]protocol.Membership{protocol.Left, protocol.Kicked, protocol.Banned}).Draw(t, "how")
				if ev := m.say(r, u, protocol.MemberChange{User: u, Membership: how}); r.botIn {
					m.deliver(t, ev)
				}
			},
			"messages": func(t *rapid.T) {
				r := pick(t)
				var batch []protocol.Event
				for range rapid.IntRange(1, 5).Draw(t, "messages") {
					text := rapid.SampledFrom([]string{"hi", "hi", "hi", "fail", "panic"}).Draw(t, "text")
					ev := m.say(r, user(t), protocol.Message{Text: text})
					switch {
					case !r.botIn:
						r.out[ev.ID] = true
					default:
						r.live[ev.ID] = true
						r.dead[ev.ID] = text != "hi"
					}
					batch = append(batch, ev)
				}
				if r.botIn {
					m.deliver(t, batch...)
				}
			},
			"botJoins": func(t *rapid.T) {
				r := pick(t)
				if r.botIn {
					return
				}
				// The server replays the timeline, with what the bot has handled and what it was not there for.
				m.say(r, "console:moot", protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined})
				r.botIn = true
				from := max(0, len(r.timeline)-rapid.IntRange(1, 30).Draw(t, "replayed"))
				m.deliver(t, r.timeline[from:]...)
			},
			"botIsThrownOutAndBackBeforeItKnows": func(t *rapid.T) {
				r := pick(t)
				if !r.botIn {
					return
				}
				m.say(r, "console:ann", protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Kicked})
				u := user(t)
				delete(r.members, u)
				m.say(r, u, protocol.MemberChange{User: u, Membership: protocol.Left})
				r.out[m.say(r, u, protocol.Message{Text: "hi"}).ID] = true
				m.say(r, "console:moot", protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined})
				from := max(0, len(r.timeline)-rapid.IntRange(1, 30).Draw(t, "replayed"))
				m.deliver(t, r.timeline[from:]...)
			},
			"botIsThrownOut": func(t *rapid.T) {
				r := pick(t)
				if !r.botIn {
					return
				}
				r.botIn = false
				how := rapid.SampledFrom([]protocol.Membership{protocol.Left, protocol.Kicked, protocol.Banned}).Draw(t, "how")
				m.deliver(t, m.say(r, "console:ann", protocol.MemberChange{User: "console:moot", Self: true, Membership: how}))
			},
			"duplicate": func(t *rapid.T) {
				r := pick(t)
				if len(r.timeline) == 0 || !r.botIn {
					return
				}
				ev := rapid.SampledFrom(r.timeline).Draw(t, "event")
				err := m.store.View(func(tx *store.Tx) error {
					if tx.Seen(ev.Room, ev.ID).Disposition == store.Unseen {
						ev.History = true // the network says so of what it brings from before
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				m.deliver(t, ev)
			},
			"networkAnswers": func(t *rapid.T) { m.network(t, false) },
			"networkFails":   func(t *rapid.T) { m.network(t, true) },
			"timePasses": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 3600).Draw(t, "seconds")) * time.Second)
				m.step(t)
			},
			"restart": func(t *rapid.T) { m.restart(t); m.step(t) },
		})
		m.settle(t)
		m.check(t)
		m.checkShown(t)
		m.restart(t)
		m.settle(t)
		m.check(t)
		m.checkShown(t)
	})
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/protocol"
	"moot/store"
)

// The whole way: from the adapter through lanes, transaction and features into the outbox, with all features of the bot.
// What is in the outbox is sent when the clock does not run: in order within a room, one message in each commit, which no
// network would be fast enough for. bench runs these and puts them into its table.

const (
	wayPairs = 10_000 // of a room and a person in it, spread over the rooms
	wayBatch = 500    // events that the adapter admits at a time
)

// wayRooms are the numbers of rooms over which the cost is to stay the same.
var wayRooms = []int{1, 10, 100, 1000, 10_000}

// way is a bot with an adapter that a benchmark plays.
type way struct {
	b      *testing.B
	rooms  int
	runner *bot.Runner
	to     protocol.Admitter
	next   int

	mu   sync.Mutex
	now  time.Time // guarded by mu
	sent int       // guarded by mu
}

func (w *way) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *way) Jumped() <-chan struct{} { return nil }

func (w *way) Network() protocol.Network { return protocol.Console }

func (w *way) room(i int) protocol.RoomID { return protocol.RoomID(fmt.Sprintf("console:room%d", i)) }

func (w *way) user(i int) protocol.UserID {
	return protocol.UserID(fmt.Sprintf("console:person%d", i))
}

// wayAdapter is what the runner sees of it.
type wayAdapter struct {
	*way
	running chan protocol.Admitter
}

func (a wayAdapter) Run(ctx context.Context, to protocol.Admitter) error {
	a.running <- to
	<-ctx.Done()
	return nil
}

func (a wayAdapter) Send(_ context.Context, out protocol.Outgoing, _ protocol.Attempt) (protocol.Ref, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent++
	return protocol.Ref{Room: out.Room, Event: protocol.EventID(out.Key)}, nil
}

// Ask answers with the members of a room: every person whose number it is by turns.
func (a wayAdapter) Ask(_ context.Context, ask protocol.Ask, _ protocol.Attempt) (protocol.Body, error) {
	_, ok := ask.Want.(protocol.AskMembers)
	if !ok {
		return nil, &protocol.SendError{Final: true, Err: fmt.Errorf("nobody answers %T", ask.Want)}
	}
	var n int
	if _, err := fmt.Sscanf(string(ask.Room), "console:room%d", &n); err != nil {
		return nil, err
	}
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true, Bot: true}}}
	for i := n; i < wayPairs; i += a.rooms {
		list.Members = append(list.Members, protocol.Member{User: a.user(i)})
	}
	return list, nil
}

func (w *way) admit(events []protocol.Event) {
	if err := w.to.Admit(w.b.Context(), events, protocol.Cursor{Name: "way", Value: fmt.Sprint(w.next)}); err != nil {
		w.b.Fatal(err)
	}
}

func (w *way) settle() {
	if err := w.runner.Settle(w.b.Context()); err != nil {
		w.b.Fatal(err)
	}
}

// say makes a batch in which the next persons say something, each in the room of theirs.
func (w *way) say(text string) []protocol.Event {
	evs := make([]protocol.Event, wayBatch)
	for i := range evs {
		n := w.next % wayPairs
		w.next++
		evs[i] = protocol.Event{
			Room: w.room(n % w.rooms), Sender: w.user(n), Time: w.Now(), Body: protocol.Message{Text: text},
			ID: protocol.EventID("$" + string(protocol.DeriveKey(fmt.Sprint(w.next))) + "aaaaaaaaaaaaaaaaaaa"), // as long as one of Matrix
		}
	}
	return evs
}

func newWay(b *testing.B, rooms int) *way {
	w := &way{b: b, rooms: rooms, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	cfg := config.Default()
	cfg.Commands.RateBurst, cfg.Commands.RateEvery = 1000, time.Millisecond
	st, err := store.Open(store.Config{Path: filepath.Join(b.TempDir(), "moot.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	fillWay(b, st, w.now)
	bus, err := events.Open(events.Config{Store: st, Kinds: kinds()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bus.Close() })
	f, err := newFeatures(cfg, bus)
	if err != nil {
		b.Fatal(err)
	}
	m, err := bot.NewMachine(bot.MachineConfig{Store: st, Bus: bus, Features: f.list()})
	if err != nil {
		b.Fatal(err)
	}
	a := wayAdapter{w, make(chan protocol.Admitter, 1)}
	if w.runner, err = bot.NewRunner(bot.RunnerConfig{Machine: m, Adapters: []protocol.Adapter{a}, Clock: w}); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.runner.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	w.to = <-a.running
	for i := 0; i < rooms; i += wayBatch {
		var joins []protocol.Event
		for r := i; r < min(i+wayBatch, rooms); r++ {
			joins = append(joins, protocol.Event{
				Room: w.room(r), ID: "$join", Sender: "console:moot", Time: w.now,
				Body: protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined},
			})
		}
		w.admit(joins)
		w.settle()
	}
	return w
}

// fillWay records as many events as MOOT_WAY_STORED says, as of the days before: a bot that has been there for a while.
func fillWay(b *testing.B, st *store.Store, now time.Time) {
	n, _ := strconv.Atoi(os.Getenv("MOOT_WAY_STORED"))
	for i := 0; i < n; {
		at := now.Add(-time.Duration(n-i) * 50 * 24 * time.Hour / time.Duration(n))
		err := st.Commit(at, func(c *store.Commit) error {
			for range 5000 {
				i++
				id := protocol.EventID("$" + string(protocol.DeriveKey("old", fmt.Sprint(i))) + "aaaaaaaaaaaaaaaaaaa")
				c.Record(protocol.RoomID(fmt.Sprintf("console:room%d", i%100)), id, store.Ignored, "nothing to do with it")
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// pass has everybody say something once. The answers wait in the outbox.
func (w *way) pass(text string) {
	for range wayPairs / wayBatch {
		w.admit(w.say(text))
	}
}

// connected says whether the adapter reaches its network, which it does at first.
func (w *way) connected(up bool) { w.to.(protocol.Connectivity).Connected(up) }

// BenchmarkWholeWay: messages that nobody has to act on, by persons who were active a moment ago, and commands, each by
// somebody whose activity is a new fact, with its answer.
func BenchmarkWholeWay(b *testing.B) {
	for _, rooms := range wayRooms {
		b.Run(fmt.Sprintf("unaddressed/rooms=%d", rooms), func(b *testing.B) {
			w := newWay(b, rooms)
			w.pass("hello")
			w.settle()
			b.ResetTimer()
			for b.Loop() {
				w.pass("just talking about this and that")
			}
			b.ReportMetric(float64(wayPairs*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
	for _, rooms := range wayRooms {
		b.Run(fmt.Sprintf("commands/rooms=%d", rooms), func(b *testing.B) {
			w := newWay(b, rooms)
			b.ResetTimer()
			for b.Loop() {
				b.StopTimer()
				w.connected(true)
				w.settle()
				w.connected(false)
				w.mu.Lock()
				w.now = w.now.Add(11 * time.Minute) // everybody's activity is worth a fact again
				w.mu.Unlock()
				b.StartTimer()
				w.pass("!moot ping")
			}
			b.ReportMetric(float64(wayPairs*b.N)/b.Elapsed().Seconds(), "events/s")
			w.connected(true)
			w.settle()
			if w.sent != wayPairs*b.N {
				b.Errorf("%d answers to %d commands", w.sent, wayPairs*b.N)
			}
		})
	}
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/effort"
	"moot/protocol"
	"moot/store"
)

// floodNet is a network that hands over what a test says, and takes everything at once.
type floodNet struct {
	to   chan protocol.Admitter
	sent chan protocol.Ref // the causes of what was sent by others than those who flood
}

// Network implements protocol.Adapter.
func (*floodNet) Network() protocol.Network { return protocol.Console }

// Run implements protocol.Adapter.
func (n *floodNet) Run(ctx context.Context, to protocol.Admitter) error {
	n.to <- to
	<-ctx.Done()
	return nil
}

// Send implements protocol.Adapter.
func (n *floodNet) Send(_ context.Context, o protocol.Outgoing, _ protocol.Attempt) (protocol.Ref, error) {
	if o.Cause.Event[0] == 'q' {
		n.sent <- o.Cause
	}
	return protocol.Ref{Room: o.Room, Event: protocol.EventID(o.Key)}, nil
}

// Ask implements protocol.Adapter.
func (n *floodNet) Ask(_ context.Context, a protocol.Ask, _ protocol.Attempt) (protocol.Body, error) {
	if _, ok := a.Want.(protocol.AskMembers); !ok {
		return nil, &protocol.SendError{Final: true, Err: protocol.ErrGone}
	}
	l := protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true, Bot: true}}}
	for i := range 200 {
		l.Members = append(l.Members, protocol.Member{User: protocol.UserID(fmt.Sprintf("console:p%d", i))})
	}
	return l, nil
}

const floodAsks = 40 // how many answers are timed in each turn

// TestAFloodDelaysNobodyElse: while one person, or one room, hands over as much as the bot takes, others get their answers
// in at most two and a half times their usual time (on a quiet machine it is about twice). Both are measured in turns, since the machine has other things to do as well.
func TestAFloodDelaysNobodyElse(t *testing.T) {
	effort.Proof(t)
	cfg := config.Default()
	cfg.Data = t.TempDir()
	cfg.Commands.RateBurst, cfg.Commands.RateEvery = 8, 3*time.Second
	st, err := store.Open(store.Config{Path: filepath.Join(cfg.Data, "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	bus, err := events.Open(events.Config{Store: st, Kinds: kinds()})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	features, err := newFeatures(cfg, bus)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bot.NewMachine(bot.MachineConfig{Store: st, Bus: bus, Features: features.list()})
	if err != nil {
		t.Fatal(err)
	}
	net := &floodNet{make(chan protocol.Admitter, 1), make(chan protocol.Ref, 100)}
	runner, err := bot.NewRunner(bot.RunnerConfig{Machine: m, Adapters: []protocol.Adapter{net}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	f := &flooded{t: t, to: <-net.to, net: net}
	for i := range 11 {
		f.admit(protocol.Event{Room: floodRoom(i), ID: protocol.EventID(fmt.Sprint("join", i)), Sender: "console:moot", Body: protocol.MemberChange{
			User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined,
		}})
	}
	if err := runner.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.turn() // until everything is warm
	tell(os.Stdout, "\n%-40s %10s %10s %6s", "a flood of", "usual", "beside it", "ratio")
	for _, c := range []struct {
		name  string
		event func(n int) protocol.Event
	}{
		{"commands of one person in a room", func(int) protocol.Event {
			return protocol.Event{Room: floodRoom(0), Sender: "console:p0", Body: protocol.Message{Text: "!moot ping"}}
		}},
		{"commands of one person in private", func(int) protocol.Event {
			return protocol.Event{Room: "console:dm-p0", Sender: "console:p0", Private: true, Body: protocol.Message{Text: "rooms"}}
		}},
		{"messages of 200 people in a room", func(n int) protocol.Event {
			return protocol.Event{Room: floodRoom(0), Sender: protocol.UserID(fmt.Sprintf("console:p%d", n%200)), Body: protocol.Message{Text: "so much to say"}}
		}},
		{"reactions and edits of one person", func(n int) protocol.Event {
			ev := protocol.Event{Room: floodRoom(0), Sender: "console:p0", Body: protocol.ReactionAdded{Target: "e", Reaction: "👍"}}
			if n%2 == 0 {
				ev.Body = protocol.Edit{Target: "e", Text: "another text"}
			}
			return ev
		}},
	} {
		type turns struct {
			usual, beside time.Duration
			ratio         float64
		}
		var all []turns
		for range 5 {
			usual := f.turn()
			end := f.flood(c.event)
			beside := f.turn()
			end()
			all = append(all, turns{usual, beside, float64(beside) / float64(usual)})
		}
		slices.SortFunc(all, func(a, b turns) int { return cmp.Compare(a.ratio, b.ratio) })
		mid := all[len(all)/2]
		tell(os.Stdout, "%-40s %10s %10s %6.1f  (%.1f to %.1f)", c.name, mid.usual.Round(10*time.Microsecond), mid.beside.Round(10*time.Microsecond),
			mid.ratio, all[0].ratio, all[len(all)-1].ratio)
		if all[0].ratio > 2.5 { // in every turn: what else the machine does is in none of them, or in one of them only
			t.Errorf("beside a flood of %s others wait %.1f times as long as usual", c.name, all[0].ratio)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// flooded is a bot that is asked something while others flood it.
type flooded struct {
	t   *testing.T
	to  protocol.Admitter
	net *floodNet
	n   int
}

func floodRoom(i int) protocol.RoomID { return protocol.RoomID(fmt.Sprintf("console:room%d", i)) }

func (f *flooded) admit(evs ...protocol.Event) {
	f.t.Helper()
	if err := f.to.Admit(f.t.Context(), evs, protocol.Cursor{}); err != nil {
		f.t.Fatal(err)
	}
}

// turn asks in the other rooms, one question after another, and returns the median of the times until the answer was sent.
func (f *flooded) turn() time.Duration {
	f.t.Helper()
	var all []time.Duration
	for range floodAsks {
		f.n++
		ev := protocol.Event{
			Room: floodRoom(1 + f.n%10), ID: protocol.EventID(fmt.Sprint("q", f.n)), Sender: protocol.UserID(fmt.Sprintf("console:p%d", 1+f.n%199)),
			Body: protocol.Message{Text: "!moot ping"},
		}
		began := time.Now()
		f.admit(ev)
		if got := <-f.net.sent; got != ev.Ref() {
			f.t.Fatalf("the answer to %v, where one to %v is awaited", got, ev.Ref())
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// flood hands over as many events as the bot takes, until the function that it returns is called.
func (f *flooded) flood(event func(n int) protocol.Event) (end func()) {
	ctx, stop := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	first := make(chan struct{})
	base := f.n
	go func() {
		defer close(done)
		for n := 0; ctx.Err() == nil; {
			var evs []protocol.Event
			for range 200 {
				n++
				ev := event(n)
				ev.ID = protocol.EventID(fmt.Sprintf("f%d-%d", base, n))
				evs = append(evs, ev)
			}
			if f.to.Admit(ctx, evs, protocol.Cursor{}) == nil && n == 200 {
				close(first)
			}
		}
	}()
	<-first
	return func() { stop(); <-done }
}

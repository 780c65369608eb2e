package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/protocol"
	servicenet "moot/protocol/service"
	"moot/store"
)

// talk is a chat network of which a test knows when something was said.
type talk struct {
	to   chan protocol.Admitter
	said chan protocol.Outgoing
}

func (*talk) Network() protocol.Network { return protocol.Console }

func (n *talk) Run(ctx context.Context, to protocol.Admitter) error {
	n.to <- to
	<-ctx.Done()
	return nil
}

func (n *talk) Send(_ context.Context, out protocol.Outgoing, _ protocol.Attempt) (protocol.Ref, error) {
	n.said <- out
	return protocol.Ref{Room: out.Room, Event: protocol.EventID("sent-" + out.Key)}, nil
}

func (*talk) Ask(context.Context, protocol.Ask, protocol.Attempt) (protocol.Body, error) {
	return protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true}, {User: "console:ann"}}}, nil
}

// nothing is a task that does nothing.
type nothing struct{}

func (nothing) Do(context.Context, []byte, ...string) (json.RawMessage, error) {
	return json.RawMessage(`{"answer":"done"}`), nil
}
func (nothing) Warm()  {}
func (nothing) Close() {}

// speedBot runs a bot with one service, whose tasks are those given, in so many rooms.
func speedBot(t *testing.T, s config.Service, tasks []servicenet.Task, rooms int) (*talk, protocol.Admitter) {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Services, cfg.Commands.RateBurst = t.TempDir(), []config.Service{s}, 1<<30
	st, err := store.Open(store.Config{Path: storeFile(cfg)})
	if err != nil {
		t.Fatal(err)
	}
	bus, err := events.Open(events.Config{Store: st, Kinds: kinds()})
	if err != nil {
		t.Fatal(err)
	}
	features, err := newFeatures(cfg, bus)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := bot.NewMachine(bot.MachineConfig{Store: st, Bus: bus, Features: features.list()})
	if err != nil {
		t.Fatal(err)
	}
	net, service := &talk{make(chan protocol.Admitter, 1), make(chan protocol.Outgoing, 1<<20)}, servicenet.New(servicenet.Config{Name: s.Name, Tasks: tasks})
	runner, err := bot.NewRunner(bot.RunnerConfig{Machine: machine, Adapters: []protocol.Adapter{net, service}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		service.Close()
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	to := <-net.to
	for n := range rooms {
		room := protocol.RoomID(fmt.Sprintf("console:room%d", n))
		joined := protocol.Event{Room: room, ID: "join", Sender: "console:moot", Body: protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined}}
		if err := to.Admit(t.Context(), []protocol.Event{joined}, protocol.Cursor{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := runner.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(net.said) > 0 {
		<-net.said
	}
	return net, to
}

func speedService() config.Service {
	return config.Service{
		Name: "work", Who: "everybody", Missed: "skip", Queue: 100_000, Keep: time.Hour,
		Commands: []config.ServiceCommand{{Name: "work", Summary: "work"}}, Tasks: []config.ServiceTask{{Name: "work", Retry: "safe"}},
	}
}

// How many jobs a second begin, are done by a task that does nothing, and are answered, each step of it durable; and what ten
// thousand that wait take in memory.
func TestSpeedOfServices(t *testing.T) {
	inProof(t)
	const rooms, each = 100, 100
	net, to := speedBot(t, speedService(), []servicenet.Task{{Name: "work", Run: nothing{}, Tries: 1}}, rooms)
	var batches [rooms][]protocol.Event
	for r := range rooms {
		for n := range each {
			batches[r] = append(batches[r], protocol.Event{
				Room: protocol.RoomID(fmt.Sprintf("console:room%d", r)), ID: protocol.EventID(fmt.Sprint("$", n)), Sender: "console:ann",
				Body: protocol.Message{Text: "!moot work"},
			})
		}
	}
	before := heap()
	began := time.Now()
	for _, b := range batches {
		go func() {
			if err := to.Admit(t.Context(), b, protocol.Cursor{}); err != nil {
				t.Error(err)
			}
		}()
	}
	for range rooms * each {
		<-net.said
	}
	took := time.Since(began)
	t.Logf("%d jobs in %s: %.0f a second; %.1f MiB more in the heap", rooms*each, took.Round(time.Millisecond), rooms*each/took.Seconds(), heap()-before)
}

// heap returns how many MiB are in use.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// How long it takes from a command to its answer, by a warm process.
func TestLatencyOfServices(t *testing.T) {
	inProof(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "work")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nwhile read -r line; do echo '{\"answer\": \"done\"}'; done\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := speedService()
	s.Tasks = []config.ServiceTask{{Name: "work", Run: []string{path}, Folder: dir, Output: "json", Retry: "safe", Tries: 1, Timeout: time.Minute, Warm: true, Min: 1, Max: 1}}
	tasks, err := openTasks(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	net, to := speedBot(t, s, tasks, 1)
	var all []time.Duration
	for n := range 500 {
		began := time.Now()
		ev := protocol.Event{Room: "console:room0", ID: protocol.EventID(fmt.Sprint("$", n)), Sender: "console:ann", Body: protocol.Message{Text: "!moot work"}}
		if err := to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
			t.Fatal(err)
		}
		<-net.said
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	t.Logf("from a command to its answer: half within %s, 99 of 100 within %s", all[len(all)/2], all[len(all)*99/100])
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/effort"
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
	return meteredBot(t, s, tasks, rooms, nil)
}

func meteredBot(t *testing.T, s config.Service, tasks []servicenet.Task, rooms int, meter bot.Meter) (*talk, protocol.Admitter) {
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
	net := &talk{make(chan protocol.Admitter, 1), make(chan protocol.Outgoing, 1<<15)}
	service := servicenet.New(servicenet.Config{Name: s.Name, Tasks: tasks})
	runner, err := bot.NewRunner(bot.RunnerConfig{Machine: machine, Adapters: []protocol.Adapter{net, service}, Meter: meter})
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

// leastSpeed is how many jobs a second there are at least on the machine on which the benchmarks are made.
const leastSpeed = 3000

// How many jobs a second begin, are done by a task that does nothing, and are answered, each step of it durable. Where it is not known
// what else the machine does, MOOT_QUIET says that nothing does, and that the number is to be held to.
func TestSpeedOfServices(t *testing.T) {
	effort.Proof(t)
	const rooms, each = 100, 100
	net, to := speedBot(t, speedService(), []servicenet.Task{{Name: "work", Run: nothing{}, Tries: 1, Max: 100}}, rooms)
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
	if os.Getenv("MOOT_QUIET") != "" && rooms*each/took.Seconds() < leastSpeed {
		t.Errorf("there are to be %d a second", leastSpeed)
	}
}

// stuck is a task that waits until it may go on.
type stuck struct {
	nothing
	on chan struct{}
}

func (s stuck) Do(ctx context.Context, line []byte, env ...string) (json.RawMessage, error) {
	select {
	case <-s.on:
		return s.nothing.Do(ctx, line, env...)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Ten thousand jobs that wait are in the store, and not in memory: what ten thousand more take is what the store holds of its last
// commits, which has a limit.
func TestMemoryOfWaitingJobs(t *testing.T) {
	effort.Proof(t)
	const rooms, each = 20, 1000
	on := make(chan struct{})
	net, to := speedBot(t, speedService(), []servicenet.Task{{Name: "work", Run: stuck{on: on}, Tries: 1}}, rooms)
	var after [2]float64
	for half := range after {
		for r := range rooms {
			var batch []protocol.Event
			for n := range each / 2 {
				batch = append(batch, protocol.Event{
					Room: protocol.RoomID(fmt.Sprintf("console:room%d", r)), ID: protocol.EventID(fmt.Sprint("$", half, "-", n)), Sender: "console:ann",
					Body: protocol.Message{Text: "!moot work"},
				})
			}
			if err := to.Admit(t.Context(), batch, protocol.Cursor{}); err != nil {
				t.Fatal(err)
			}
		}
		after[half] = heap()
	}
	t.Logf("with %d that wait %.1f MiB, with %d %.1f MiB", rooms*each/2, after[0], rooms*each, after[1])
	if after[1] > after[0]+24 {
		t.Errorf("%d more take %.1f MiB", rooms*each/2, after[1]-after[0])
	}
	close(on)
	for range rooms * each {
		<-net.said
	}
}

// steps counts the steps of a bot.
type steps struct{ n atomic.Int64 }

func (s *steps) Stepped(time.Duration, bot.Counts) { s.n.Add(1) }

// A service that has nothing to do makes no step, and so no commit, and starts no process.
func TestAnIdleServiceCostsNothing(t *testing.T) {
	s := speedService()
	dir := t.TempDir()
	s.Schedule = "0 0 1 1 *"
	s.To = []protocol.RoomID{"console:room0"}
	s.Tasks = []config.ServiceTask{{
		Name: "work", Run: []string{"sh", "-c", "touch started"}, Folder: dir, Output: "json", Retry: "safe", Tries: 1, Timeout: time.Minute, Warm: true, Max: 4,
	}}
	tasks, err := openTasks(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var count steps
	meteredBot(t, s, tasks, 1, &count)
	time.Sleep(200 * time.Millisecond) // what the start leaves to be done
	before, goroutines := count.n.Load(), runtime.NumGoroutine()
	time.Sleep(time.Second)
	if n := count.n.Load() - before; n > 0 {
		t.Errorf("it makes %d steps a second", n)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("it has %d goroutines, and had %d", n, goroutines)
	}
	if _, err := os.Stat(filepath.Join(dir, "started")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process was started: %v", err)
	}
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
	effort.Proof(t)
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
	best := time.Hour // the median of a hundred that lie together: something else may use the machine for a while
	for n := range 500 {
		began := time.Now()
		ev := protocol.Event{Room: "console:room0", ID: protocol.EventID(fmt.Sprint("$", n)), Sender: "console:ann", Body: protocol.Message{Text: "!moot work"}}
		if err := to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
			t.Fatal(err)
		}
		<-net.said
		all = append(all, time.Since(began))
		if n%100 == 99 {
			last := slices.Sorted(slices.Values(all[n-99:]))
			best = min(best, last[50])
		}
	}
	slices.Sort(all)
	t.Logf("from a command to its answer: half within %s, 99 of 100 within %s", all[len(all)/2], all[len(all)*99/100])
	if best > 10*time.Millisecond {
		t.Errorf("half of them take longer than %s, and are not to take longer than 10ms", best)
	}
}

// Package service is the adapter of a service: a network whose rooms are the conversations that the service works for. What it
// brings are the orders of its operators and what its collectors take in, what it is asked are tasks, and what it answers are
// their results. It knows no chat; package services makes tasks of what happens there.
//
// # Promises
//
//   - A task that may be tried again is, with the pauses of the outbox between, until it has failed as often as its configuration
//     says. Then it has failed for good.
//   - One that may run only once is started by a first attempt alone. A second one, after a crash, ends as ambiguous, and so
//     does a first one of which nobody can tell how far it came.
//   - A task is told its key: MOOT_KEY in its environment where the process is its own, and "key" in its input in any case. The key
//     is the same at every attempt.
//   - What Redact names of the input of a task stands in none of its errors.
//   - While the service is paused no task begins, and those under way go on. That is durable. Collectors bring nothing then, and
//     go on afterwards where they were.
//   - A collector that ends with an error is in the log, and begins again after pauses that grow to five minutes. The others, and the
//     tasks, go on.
//   - What a collector brings and the cursor behind it are durable together, so that each is one event, however often the bot is
//     killed. A collector waits while as many jobs of it wait as may.
package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"moot/internal/hide"
	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/service/result"
)

// Runner does a task.
type Runner interface {
	// Do hands over the input, a line with a JSON object, and returns a JSON object. The variables are for whoever has an
	// environment for this job. It may be called concurrently, and returns soon after the context has ended.
	Do(ctx context.Context, line []byte, env ...string) (json.RawMessage, error)
	// Warm prepares it for jobs to come.
	Warm()
	// Close lets go of everything. It is called last.
	Close()
}

// Task is one of the tasks of a service.
type Task struct {
	Name string
	Run  Runner
	// Tries is how often it is tried at most.
	Tries int
	// Max is how many jobs it works on at once; zero means a few. Once is whether it may run only once for each.
	Max  int
	Once bool
}

// Config says what a service is.
type Config struct {
	Name       string
	Tasks      []Task
	Collectors []Collector
	// Redact names the keys of inputs whose values stand in no error.
	Redact []string
	// Free returns how many jobs of a collector, by its room, may be begun now. Nil means any number.
	Free func(room protocol.RoomID) (int, error)
	// Paused is whether it begins paused, and Cursor the name of the cursor that says so, which is PausedYes then.
	Paused    bool
	Cursor    string
	PausedYes string
	Log       *slog.Logger // nil means none
}

// Adapter is a service.
type Adapter struct {
	cfg Config

	mu     sync.Mutex
	to     protocol.Admitter // while it runs; guarded by mu
	paused bool              // guarded by mu
	turned chan struct{}     // closed, and made anew, when paused changes; guarded by mu
}

// ErrNotRunning is the error of an order to a service that does not run.
var ErrNotRunning = errors.New("the service does not run")

// New returns a service.
func New(c Config) *Adapter {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Adapter{cfg: c, paused: c.Paused, turned: make(chan struct{})}
}

// Network implements protocol.Adapter.
func (a *Adapter) Network() protocol.Network { return protocol.ServiceNetwork(a.cfg.Name) }

// Paused implements protocol.Auxiliary.
func (a *Adapter) Paused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.paused
}

const (
	// leastAtOnce and mostAtOnce are how many tasks are begun at the same time, at least and at most, where that does no harm.
	leastAtOnce = 32
	mostAtOnce  = 256
	// fewAtOnce is what a task works on at once that does not say.
	fewAtOnce = 8
)

// AtOnce implements protocol.Auxiliary. A commit begins many tasks as cheaply as one, so more of them than work at once are begun,
// and the next ones wait for no commit. Not so where one may run only once: of each that was begun nobody knows, after a crash,
// whether it still waited.
func (a *Adapter) AtOnce() int {
	n, once := 0, false
	for _, t := range a.cfg.Tasks {
		if t.Max == 0 {
			t.Max = fewAtOnce
		}
		n, once = n+t.Max, once || t.Once
	}
	if once {
		return min(n, mostAtOnce)
	}
	return max(leastAtOnce, min(4*n, mostAtOnce))
}

// Run implements protocol.Adapter.
func (a *Adapter) Run(ctx context.Context, to protocol.Admitter) error {
	a.set(to)
	defer a.set(nil)
	for _, t := range a.cfg.Tasks {
		t.Run.Warm()
	}
	var collecting sync.WaitGroup
	for _, c := range a.cfg.Collectors {
		collecting.Go(func() { a.collect(ctx, c, to) })
	}
	collecting.Wait()
	<-ctx.Done()
	return nil
}

// again are the pauses after which a collector begins again that has ended.
var again = pause.Backoff{First: time.Second, Most: 5 * time.Minute}

// steady is how long a collector has to run to count as one that works.
const steady = 10 * time.Minute

// collect has a collector bring what there is until the context ends.
func (a *Adapter) collect(ctx context.Context, c Collector, to protocol.Admitter) {
	for failures := 0; ; failures++ {
		began := time.Now()
		err := c.Run(ctx, &sink{a, to, a.Room(c.Name()), protocol.OneLine(c.Source())})
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > steady {
			failures = 0
		}
		wait := again.After(failures)
		a.cfg.Log.Warn("a collector has ended, and begins again", "service", a.cfg.Name, "collector", c.Name(),
			"again in", wait.Round(time.Millisecond), "err", err)
		if pause.Sleep(ctx, wait) != nil {
			return
		}
	}
}

func (a *Adapter) set(to protocol.Admitter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.to = to
}

// Close lets go of its tasks. It is called when it runs no more.
func (a *Adapter) Close() {
	for _, t := range a.cfg.Tasks {
		t.Run.Close()
	}
}

// Pause pauses the service or has it go on. When it returns nil that is durable.
func (a *Adapter) Pause(ctx context.Context, pause bool) error {
	a.mu.Lock()
	to := a.to
	a.mu.Unlock()
	if to == nil {
		return ErrNotRunning
	}
	value := "no"
	if pause {
		value = a.cfg.PausedYes
		connected(to, false) // nothing begins from here on
	}
	if err := to.Admit(ctx, nil, protocol.Cursor{Name: a.cfg.Cursor, Value: value}); err != nil {
		connected(to, !a.Paused())
		return fmt.Errorf("pause %s: %w", a.cfg.Name, err)
	}
	a.mu.Lock()
	a.paused = pause
	close(a.turned)
	a.turned = make(chan struct{})
	a.mu.Unlock()
	connected(to, !pause)
	return nil
}

func connected(to protocol.Admitter, up bool) {
	if c, ok := to.(protocol.Connectivity); ok {
		c.Connected(up)
	}
}

// Order has the service do what an operator wants, in one of its conversations. When it returns nil that is durable.
func (a *Adapter) Order(ctx context.Context, room protocol.RoomID, o protocol.Order) error {
	a.mu.Lock()
	to := a.to
	a.mu.Unlock()
	if to == nil {
		return ErrNotRunning
	}
	id := protocol.EventID("order/" + rand.Text())
	return to.Admit(ctx, []protocol.Event{{Room: room, ID: id, Private: true, Body: o}}, protocol.Cursor{})
}

// Collect hands over what a collector has brought, by the id by which it is known when it comes again. When it returns nil that
// is durable.
func (a *Adapter) Collect(ctx context.Context, id protocol.EventID, c protocol.Collected) error {
	a.mu.Lock()
	to := a.to
	a.mu.Unlock()
	if to == nil {
		return ErrNotRunning
	}
	return to.Admit(ctx, []protocol.Event{{Room: a.Room(c.Kind), ID: id, Private: true, Body: c}}, protocol.Cursor{})
}

// Room returns the room of the name in the network of the service.
func (a *Adapter) Room(name string) protocol.RoomID {
	return protocol.RoomID(string(a.Network()) + ":" + name)
}

// Send implements protocol.Adapter. Nobody listens in a service.
func (a *Adapter) Send(context.Context, protocol.Outgoing, protocol.Attempt) (protocol.Ref, error) {
	return protocol.Ref{}, final(errors.New("nobody listens in a service"))
}

// Ask implements protocol.Adapter.
func (a *Adapter) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	want, ok := ask.Want.(protocol.AskTask)
	if !ok {
		return nil, final(fmt.Errorf("a service does not know how to %s", protocol.KindOf(ask.Want)))
	}
	task, ok := a.task(want.Task)
	switch {
	case !ok:
		return nil, final(fmt.Errorf("%s has no task %s any more", a.cfg.Name, want.Task))
	case want.Once && attempt.N > 1:
		return nil, &protocol.SendError{Ambiguous: true, Err: errors.New("the bot ended while it ran, or before")}
	}
	var in struct{ Key, Job protocol.Key }
	if err := json.Unmarshal(want.Input, &in); err != nil {
		return nil, final(fmt.Errorf("its input cannot be read: %w", err))
	}
	out, err := task.Run.Do(ctx, want.Input,
		"MOOT_KEY="+string(in.Key), "MOOT_JOB="+string(in.Job), "MOOT_TRY="+strconv.Itoa(attempt.N))
	err = a.hidden(want.Input, err)
	switch {
	case err == nil:
		return protocol.TaskDone{Output: out}, nil
	case want.Once && (ctx.Err() != nil || result.Open(err)):
		return nil, &protocol.SendError{Ambiguous: true, Err: err}
	case want.Once, errors.Is(err, result.ErrRefused):
		return nil, final(err)
	case ctx.Err() == nil && attempt.N >= task.Tries && attempt.N > 1:
		return nil, final(fmt.Errorf("after %d tries: %w", attempt.N, err))
	case ctx.Err() == nil && attempt.N >= task.Tries:
		return nil, final(err)
	}
	return nil, err
}

// hiddenError is an error that says of a cause what may be seen.
type hiddenError struct {
	text  string
	cause error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.cause }

// hidden returns the error of a task without what the service hides of its input. It goes to the outbox, the log and dead letters.
func (a *Adapter) hidden(input []byte, err error) error {
	if err == nil || len(a.cfg.Redact) == 0 {
		return err
	}
	v, bad := hide.Read(input)
	if bad != nil {
		return &hiddenError{hide.Hidden, err}
	}
	return &hiddenError{hide.Find(a.cfg.Redact, v).Text(err.Error()), err}
}

func (a *Adapter) task(name string) (Task, bool) {
	for _, t := range a.cfg.Tasks {
		if t.Name == name {
			return t, true
		}
	}
	return Task{}, false
}

func final(err error) error { return &protocol.SendError{Final: true, Err: err} }

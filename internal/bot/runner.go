package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"moot/internal/failpoint"
	"moot/outbox"
	"moot/protocol"
)

const (
	// DefaultStopTimeout is how long a stop waits for what is under way.
	DefaultStopTimeout = 5 * time.Second
	// DefaultMaxQueued is how many events wait in memory before Admit blocks.
	DefaultMaxQueued = 20_000

	inboxSize    = 1024
	archiveEvery = time.Hour
	archiveSlice = 256
	// longestSleep is after what time the clock is looked at in any case: that of the machine may have been set, and
	// timers of Go stand still while the machine sleeps.
	longestSleep = time.Minute
)

// ErrStopping is what Admit returns when the bot takes nothing new any more.
var ErrStopping = errors.New("the bot is stopping")

// Clock tells the time.
type Clock interface {
	Now() time.Time
	// Jumped gets a value when the clock was moved; nil means that it never is.
	Jumped() <-chan struct{}
}

// RealClock is the clock of the machine.
type RealClock struct{}

// Now returns the time of the machine.
func (RealClock) Now() time.Time { return time.Now() }

// Jumped returns nil.
func (RealClock) Jumped() <-chan struct{} { return nil }

// RunnerConfig says what a Runner runs.
type RunnerConfig struct {
	Machine  *Machine
	Adapters []protocol.Adapter
	Clock    Clock // nil means RealClock
	// StopTimeout is how long a stop waits for events that are queued and messages that are being sent; zero means
	// DefaultStopTimeout. What is not done by then is done by the next run.
	StopTimeout time.Duration
	// Hurry cuts that short when it is closed; nil never does.
	Hurry <-chan struct{}
	// MaxQueued is how many events may wait in memory, where one with a long text counts as several; zero means
	// DefaultMaxQueued. A single delivery may be larger.
	MaxQueued int64
	Log       *slog.Logger // nil means none

	fullRetry time.Duration // tests bring their own; zero means fullRetry
}

// Runner runs a Machine: it feeds it what adapters, timers and senders bring, and does what it says.
type Runner struct {
	RunnerConfig
	adapters map[protocol.Network]protocol.Adapter
	inbox    chan Input
	settle   chan chan struct{}
	room     *semaphore.Weighted // for events that wait in memory
	closing  chan struct{}       // closed when Admit takes nothing new any more
	ending   chan struct{}       // closed when what is queued is left to the next run
	stopped  chan struct{}       // closed when Run has ended
	sends    sync.WaitGroup      // attempts that run

	waiting     []chan struct{} // of Settle; owned by loop
	nextArchive time.Time       // owned by loop
	full        fullDisk        // owned by loop

	mu     sync.Mutex
	failed []error // how adapters failed; guarded by mu
}

// NewRunner returns a Runner.
func NewRunner(c RunnerConfig) (*Runner, error) {
	if c.Clock == nil {
		c.Clock = RealClock{}
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = DefaultStopTimeout
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = DefaultMaxQueued
	}
	if c.fullRetry == 0 {
		c.fullRetry = fullRetry
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		RunnerConfig: c,
		adapters:     map[protocol.Network]protocol.Adapter{},
		inbox:        make(chan Input, inboxSize),
		settle:       make(chan chan struct{}),
		room:         semaphore.NewWeighted(c.MaxQueued),
		closing:      make(chan struct{}),
		ending:       make(chan struct{}),
		stopped:      make(chan struct{}),
	}
	for _, a := range c.Adapters {
		if r.adapters[a.Network()] != nil {
			return nil, fmt.Errorf("two adapters for the network %s", a.Network())
		}
		r.adapters[a.Network()] = a
	}
	return r, nil
}

// Run runs until the context ends, an adapter or the store fails, or all adapters have ended; the first is no error.
// It stops in the order in which data flows: it takes no new events, handles those that it has, sends what is due,
// and then ends the adapters. When it returns, nothing of it runs any more. It may be called once.
func (r *Runner) Run(ctx context.Context) error {
	// The adapters outlive ctx: what is queued is still handled and sent.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	stop, stopNow := context.WithCancel(ctx)
	defer stopNow()

	ended := make(chan struct{}) // all adapters have
	var adapters sync.WaitGroup
	for _, a := range r.Adapters {
		adapters.Go(func() {
			err := r.runAdapter(work, a)
			if err == nil || errors.Is(err, ErrStopping) || work.Err() != nil && errors.Is(err, context.Canceled) {
				return // it ends because the bot does
			}
			r.mu.Lock()
			r.failed = append(r.failed, err)
			r.mu.Unlock()
			stopNow()
		})
	}
	go func() {
		adapters.Wait()
		stopNow()
		close(ended)
	}()

	err := r.loop(stop, work, ended, stopWork)
	close(r.stopped)
	stopWork()
	<-ended
	r.sends.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(append([]error{err}, r.failed...)...)
}

func (r *Runner) runAdapter(ctx context.Context, a protocol.Adapter) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", a.Network(), p, debug.Stack())
		}
		r.put(Online{a.Network(), false})
	}()
	r.put(Online{a.Network(), true})
	if err := a.Run(ctx, admitter{r, a.Network()}); err != nil {
		return fmt.Errorf("%s: %w", a.Network(), err)
	}
	return nil
}

// put hands an input to the loop, unless that has ended.
func (r *Runner) put(in Input) bool {
	select {
	case <-r.stopped: // also when the inbox has room
		return false
	default:
	}
	select {
	case r.inbox <- in:
		return true
	case <-r.stopped:
		return false
	}
}

// phase is how far the stop is.
type phase int

const (
	running  phase = iota
	draining       // nothing new is taken; what is queued and due is done
	ending         // adapters and attempts are told to end, and awaited
)

// loop is the goroutine that owns the machine.
func (r *Runner) loop(stop, work context.Context, ended <-chan struct{}, stopWork func()) error {
	var (
		ph       = running
		fx       = Effects{More: true} // the store may have work from before
		idle     = make(chan struct{}) // closed when adapters and attempts have ended
		stopping = stop.Done()
		deadline <-chan time.Time
		hurry    = r.Hurry
	)
	end := func() {
		ph, deadline, hurry = ending, nil, nil
		close(r.ending)
		stopWork()
		go func() {
			<-ended
			r.sends.Wait()
			close(idle)
		}()
	}
	for {
		inputs, event := r.wait(fx, ph, waits{stopping, deadline, hurry, idle})
		switch event {
		case wantsStop:
			ph, stopping, deadline = draining, nil, time.After(r.StopTimeout)
			close(r.closing)
		case wantsEnd:
			r.Log.Warn("the stop leaves work to the next run", "events", r.Machine.Backlog())
			end()
		case allEnded:
			// Whatever ended has put its last words into the inbox before.
			if inputs = r.drain(nil); len(inputs) == 0 {
				return r.leaveFull()
			}
		}
		if ph == ending {
			inputs = append(inputs, Ending{}) // an attempt would be in vain, and yet count as one
		}
		var err error
		if fx, err = r.step(inputs); err != nil {
			return err
		}
		r.act(work, fx, ph)
		if ph == running && r.full.err == nil {
			more, err := r.archive()
			if err != nil {
				return err
			}
			fx.More = fx.More || more
		}
		if ph == draining && fx.Quiet && len(r.inbox) == 0 {
			end()
		}
	}
}

// waits is what the loop may wait for beside inputs; nil ones never come.
type waits struct {
	stop     <-chan struct{}
	deadline <-chan time.Time
	hurry    <-chan struct{}
	idle     <-chan struct{}
}

// signal is what ended a wait other than an input.
type signal int

const (
	none signal = iota
	wantsStop
	wantsEnd
	allEnded
)

// wait returns the inputs for the next step when there are any, or none when it is time for one all the same.
func (r *Runner) wait(fx Effects, ph phase, w waits) ([]Input, signal) {
	if ph == running {
		w.hurry = nil // there is nothing to cut short yet
	}
	if r.full.err != nil && ph != ending {
		return nil, r.waitForRoom(w)
	}
	if fx.More && ph != ending {
		select {
		case <-w.stop:
			return r.drain(nil), wantsStop
		case <-w.deadline:
			return r.drain(nil), wantsEnd
		case <-w.hurry:
			return r.drain(nil), wantsEnd
		case done := <-r.settle:
			r.waiting = append(r.waiting, done)
		default:
		}
		return r.drain(nil), none
	}
	var wake <-chan time.Time
	if !fx.Wake.IsZero() && ph != ending {
		t := time.NewTimer(min(fx.Wake.Sub(r.Clock.Now()), longestSleep))
		defer t.Stop()
		wake = t.C
	}
	select {
	case in := <-r.inbox:
		return r.drain([]Input{in}), none
	case done := <-r.settle:
		r.waiting = append(r.waiting, done) // the next step tells: something may have become due since the last
		return nil, none
	case <-wake:
		return nil, none
	case <-r.Clock.Jumped():
		return nil, none
	case <-w.stop:
		return r.drain(nil), wantsStop
	case <-w.deadline:
		return r.drain(nil), wantsEnd
	case <-w.hurry:
		return r.drain(nil), wantsEnd
	case <-w.idle:
		return nil, allEnded
	}
}

// drain adds what waits in the inbox.
func (r *Runner) drain(inputs []Input) []Input {
	for range inboxSize {
		select {
		case in := <-r.inbox:
			inputs = append(inputs, in)
		default:
			return inputs
		}
	}
	return inputs
}

// act does what a step says.
func (r *Runner) act(work context.Context, fx Effects, ph phase) {
	for _, b := range fx.Done {
		r.room.Release(b.weight)
		failpoint.Hit(failpoint.AdmitReturns)
		close(b.done) // made by Admit
	}
	if fx.Appended {
		r.Machine.Bus.Notify()
	}
	for _, a := range fx.Attempts {
		r.sends.Go(func() { r.attempt(work, a) })
	}
	if fx.Quiet && len(r.inbox) == 0 || ph == ending {
		for _, done := range r.waiting {
			close(done)
		}
		r.waiting = nil
	}
}

// attempt makes an attempt and tells the loop how it ended.
func (r *Runner) attempt(ctx context.Context, a outbox.Attempt) {
	adapter := r.adapters[a.Network]
	if a.Ask != nil {
		in := Answered{Ask: *a.Ask, Attempt: a.Try.N}
		in.Err = protect(func() (err error) {
			failpoint.Hit(failpoint.AskBefore)
			in.Result, err = adapter.Ask(ctx, *a.Ask, a.Try)
			failpoint.Hit(failpoint.AskAfter)
			return err
		})
		r.put(in)
		return
	}
	in := Sent{Key: a.Key}
	in.Err = protect(func() (err error) {
		failpoint.Hit(failpoint.SendBefore)
		in.Ref, err = adapter.Send(ctx, *a.Out, a.Try)
		failpoint.Hit(failpoint.SendAfter)
		return err
	})
	r.put(in)
}

func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// archive moves a slice of old facts to the archive, when it is time for that, and tells whether there are more.
func (r *Runner) archive() (more bool, err error) {
	now := r.Clock.Now()
	if now.Before(r.nextArchive) {
		return false, nil
	}
	_, more, err = r.Machine.Bus.ArchiveStep(now, archiveSlice)
	if r.archiveFull(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("archive: %w", err)
	}
	if !more {
		r.nextArchive = now.Add(archiveEvery)
	}
	return more, nil
}

// Settle waits until nothing is queued, due or being sent, as far as what was admitted before goes.
func (r *Runner) Settle(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case r.settle <- done:
	case <-r.stopped:
		return ErrStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-r.stopped:
		return ErrStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DropDead has a dead letter forgotten soon.
func (r *Runner) DropDead(id uint64) error {
	if !r.put(DropDead{id}) {
		return ErrStopping
	}
	return nil
}

// RetryDead has a dead letter tried again soon.
func (r *Runner) RetryDead(id uint64) error {
	if !r.put(RetryDead{id}) {
		return ErrStopping
	}
	return nil
}

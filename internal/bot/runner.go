package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"moot/internal/clock"
	"moot/internal/failpoint"
	"moot/internal/pause"
	"moot/outbox"
	"moot/protocol"
)

const (
	// DefaultStopTimeout is how long a stop waits for what is under way.
	DefaultStopTimeout = 5 * time.Second
	// DefaultEndTimeout is how long a stop then waits for what was told to end.
	DefaultEndTimeout = 10 * time.Second
	// DefaultMaxQueued is how many events of one network wait in memory before Admit blocks.
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

// RunnerConfig says what a Runner runs.
type RunnerConfig struct {
	Machine  *Machine
	Adapters []protocol.Adapter
	Clock    Clock // nil means RealClock
	// Servers tell the time of the networks. While they say that the clock is wrong the loop holds still; nil asks nobody.
	Servers []*clock.Server
	// StopTimeout is how long a stop waits for events that are queued and messages that are being sent; zero means
	// DefaultStopTimeout. What is not done by then is done by the next run.
	StopTimeout time.Duration
	// EndTimeout is how long a stop then waits for adapters and attempts that were told to end; zero means
	// DefaultEndTimeout. Run names those that ignore it, in the log and in its error, and returns without them.
	EndTimeout time.Duration
	// Hurry, when it is closed, cuts the first short, and the second to a second; nil never does.
	Hurry <-chan struct{}
	// MaxQueued is how many events of one network may wait in memory, where one with a long text counts as several; zero
	// means DefaultMaxQueued. A single delivery may be larger.
	MaxQueued int64
	// Meter hears of each step; nil means nobody.
	Meter Meter
	Log   *slog.Logger // nil means none

	// tests bring their own; zero means those of this package
	holdRetry, askPatience, steady time.Duration
	soon, slowly                   pause.Backoff
}

// Runner runs a Machine: it feeds it what adapters, timers and senders bring, and does what it says.
type Runner struct {
	RunnerConfig
	networks map[protocol.Network]*network
	inbox    chan Input
	settle   chan chan struct{}
	live     chan chan error
	closing  chan struct{}  // closed when Admit takes nothing new any more
	ending   chan struct{}  // closed when what is queued is left to the next run
	stopped  chan struct{}  // closed when Run has ended
	sends    sync.WaitGroup // attempts that run
	stopNow  func()         // begins the stop; set by Run

	waiting     []chan struct{} // of Settle; owned by loop
	lives       []chan error    // of Live; owned by loop
	nextArchive time.Time       // owned by loop
	archiveSaid time.Duration   // clock.Elapsed when it was last said that the disk is full for it; owned by loop
	hold        hold            // owned by loop
	flow        *clock.Flow
	began       time.Duration // clock.Elapsed when it was made
	stepped     bool          // whether a step was made; owned by loop
	saidAhead   time.Duration // clock.Elapsed when it was last said that the store is ahead; owned by loop

	mu       sync.Mutex             // guards what follows
	ends     NetworkEnds            // why all networks have ended; nil while there is hope
	underWay map[*underWay]struct{} // adapters and attempts that run
}

// NewRunner returns a Runner.
func NewRunner(c RunnerConfig) (*Runner, error) {
	if c.Clock == nil {
		c.Clock = RealClock{}
	}
	c.StopTimeout, c.EndTimeout = cmp.Or(c.StopTimeout, DefaultStopTimeout), cmp.Or(c.EndTimeout, DefaultEndTimeout)
	c.MaxQueued, c.holdRetry = cmp.Or(c.MaxQueued, DefaultMaxQueued), cmp.Or(c.holdRetry, holdRetry)
	c.askPatience = cmp.Or(c.askPatience, askPatience)
	c.steady, c.soon, c.slowly = cmp.Or(c.steady, steady), cmp.Or(c.soon, soon), cmp.Or(c.slowly, slowly)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		RunnerConfig: c,
		networks:     map[protocol.Network]*network{},
		inbox:        make(chan Input, inboxSize),
		settle:       make(chan chan struct{}),
		live:         make(chan chan error),
		closing:      make(chan struct{}),
		ending:       make(chan struct{}),
		stopped:      make(chan struct{}),
		underWay:     map[*underWay]struct{}{},
		began:        clock.Elapsed(),
	}
	var err error
	if r.flow, err = newFlow(c.Machine, c.Clock); err != nil {
		return nil, err
	}
	for _, a := range c.Adapters {
		name := a.Network()
		if r.networks[name] != nil {
			return nil, fmt.Errorf("two adapters for the network %s", name)
		}
		r.networks[name] = &network{adapter: a, space: semaphore.NewWeighted(c.MaxQueued), status: NetworkStatus{Network: name}}
		r.Machine.serves = append(r.Machine.serves, name)
	}
	return r, nil
}

// Run runs until the context ends, the store fails, or all networks have ended; the first is no error. Each network is on its
// own: while one has ended the others go on, and it is tried again where that can help. Where all have ended for reasons that
// do not pass by themselves the error is a NetworkEnds. Run stops in the order in which data flows: it takes no new events,
// handles those that it has, sends what is due, and then ends the adapters. When it returns, nothing of it runs any more, but
// for what its error names where that is ErrHangs: the process is to end then. It may be called once.
func (r *Runner) Run(ctx context.Context) error {
	// The adapters outlive ctx: what is queued is still handled and sent.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	stop, stopNow := context.WithCancel(ctx)
	defer stopNow()
	r.stopNow = stopNow

	ended := make(chan struct{}) // all adapters have
	var adapters sync.WaitGroup
	for _, n := range r.networks {
		adapters.Go(func() { r.supervise(work, stop, n) })
	}
	go func() {
		adapters.Wait()
		stopNow()
		close(ended)
	}()

	err := r.loop(stop, ended, stopWork)
	close(r.stopped)
	stopWork()
	if !errors.Is(err, ErrHangs) {
		<-ended
		r.sends.Wait()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ends) > 0 {
		err = errors.Join(err, r.ends)
	}
	return err
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
func (r *Runner) loop(stop context.Context, ended <-chan struct{}, stopWork func()) error {
	var (
		ph       = running
		fx       = Effects{More: true} // the store may have work from before
		idle     = make(chan struct{}) // closed when adapters and attempts have ended
		stopping = stop.Done()
		deadline <-chan time.Time
		hurry    = r.Hurry
	)
	end := func() {
		ph, deadline = ending, time.After(r.EndTimeout)
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
			if ph == ending {
				return r.hangs()
			}
			r.Log.Warn("the stop leaves work to the next run", "events", r.Machine.Backlog())
			end()
		case wantsHurry:
			if ph == draining {
				r.Log.Warn("the stop leaves work to the next run", "events", r.Machine.Backlog())
				end()
			}
			hurry, deadline = nil, time.After(min(hurryTimeout, r.EndTimeout))
		case allEnded:
			// Whatever ended has put its last words into the inbox before.
			if inputs = r.drain(nil); len(inputs) == 0 {
				return r.leaveHold()
			}
		}
		if ph == ending {
			inputs = append(inputs, Ending{}) // an attempt would be in vain, and yet count as one
		}
		var err error
		if fx, err = r.step(inputs); err != nil {
			return err
		}
		r.act(fx, ph)
		for _, answer := range r.lives {
			answer <- r.hold.err // which has room for it
		}
		r.lives = nil
		if ph == running && r.hold.err == nil {
			more, err := r.archive()
			if err != nil {
				return err
			}
			fx.More = fx.More || more
		}
		if ph == draining && (fx.Quiet && len(r.inbox) == 0 || errors.Is(r.hold.err, errAsking)) {
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
	wantsHurry
	allEnded
)

// wait returns the inputs for the next step when there are any, or none when it is time for one all the same.
func (r *Runner) wait(fx Effects, ph phase, w waits) ([]Input, signal) {
	if ph == running {
		w.hurry = nil // there is nothing to cut short yet
	}
	if r.hold.err != nil && ph != ending {
		return nil, r.waitHeld(w)
	}
	if fx.More && ph != ending {
		select {
		case <-w.stop:
			return r.drain(nil), wantsStop
		case <-w.deadline:
			return r.drain(nil), wantsEnd
		case <-w.hurry:
			return r.drain(nil), wantsHurry
		case done := <-r.settle:
			r.waiting = append(r.waiting, done)
		case answer := <-r.live:
			r.lives = append(r.lives, answer)
		default:
		}
		return r.drain(nil), none
	}
	var wake <-chan time.Time
	next := fx.Wake
	if ph == running && (next.IsZero() || r.nextArchive.Before(next)) {
		next = r.nextArchive
	}
	if !next.IsZero() && ph != ending {
		t := time.NewTimer(min(next.Sub(r.flow.Now()), longestSleep))
		defer t.Stop()
		wake = t.C
	}
	select {
	case in := <-r.inbox:
		return r.drain([]Input{in}), none
	case done := <-r.settle:
		r.waiting = append(r.waiting, done) // the next step tells: something may have become due since the last
		return nil, none
	case answer := <-r.live:
		r.lives = append(r.lives, answer)
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
		return r.drain(nil), wantsHurry
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
func (r *Runner) act(fx Effects, ph phase) {
	for _, b := range fx.Done {
		b.space.Release(b.weight)
		r.networks[b.Network].events.Add(-int64(b.count))
		failpoint.Hit(failpoint.AdmitReturns)
		close(b.done) // made by Admit
	}
	for name, n := range r.networks {
		n.answers.Store(int64(fx.Backlog[name]))
	}
	if fx.Appended {
		r.Machine.Bus.Notify()
	}
	for _, a := range fx.Attempts {
		r.sends.Go(func() { r.attempt(a) })
	}
	if fx.Quiet && len(r.inbox) == 0 || ph == ending {
		for _, done := range r.waiting {
			close(done)
		}
		r.waiting = nil
	}
}

// attempt makes an attempt and tells the loop how it ended.
func (r *Runner) attempt(a outbox.Attempt) {
	defer r.begin(attemptUnderWay(a))()
	adapter, ctx, leave, err := r.attemptOn(a.Network)
	if err == nil {
		defer leave()
	}
	now := time.Now()
	a.Try.First = now.Add(-a.Age - a.Age/8) // the time of the store may go a little slower: see clock.Flow
	if a.Left > 0 {
		a.Try.Until = now.Add(a.Left)
	}
	if a.Ask != nil {
		in := Answered{Ask: *a.Ask, Attempt: a.Try.N, Err: err}
		if err == nil {
			in.Err = protocol.Guard(func() (err error) {
				failpoint.Hit(failpoint.AskBefore)
				in.Result, err = adapter.Ask(ctx, *a.Ask, a.Try)
				failpoint.Hit(failpoint.AskAfter)
				return err
			})
		}
		r.put(in)
		return
	}
	in := Sent{Key: a.Key, Err: err}
	if err == nil {
		in.Err = protocol.Guard(func() (err error) {
			failpoint.Hit(failpoint.SendBefore)
			in.Ref, err = adapter.Send(ctx, *a.Out, a.Try)
			failpoint.Hit(failpoint.SendAfter)
			return err
		})
	}
	r.put(in)
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

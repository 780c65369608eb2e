package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"moot/internal/clock"
	"moot/internal/pause"
	"moot/protocol"
	"moot/store"
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
	// Leads reports whether attempts may begin, as they may not where another machine may have taken over; nil means that they may. Where it
	// is false the next commit of the store fails.
	Leads func() bool
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
	leap        leap            // owned by loop
	holds       atomic.Bool     // whether it holds still for what a person has to put right, as far as others see it
	flow        *clock.Flow
	began       time.Duration // clock.Elapsed when it was made
	stepped     bool          // whether a step was made; owned by loop
	saidAhead   time.Duration // clock.Elapsed when it was last said that the store is ahead; owned by loop

	mu       sync.Mutex             // guards what follows
	ends     NetworkEnds            // why all networks have ended; nil while there is hope
	underWay map[*underWay]struct{} // adapters and attempts that run
}

const (
	// holdRetry is how long the loop waits before it looks again whether it can go on.
	holdRetry = time.Second
	// holdRepeat is how often it says why it does not.
	holdRepeat = 10 * time.Minute
)

// hold is why the loop holds still: the disk is full, or the clock is wrong. It then makes no step and takes nothing from the
// inbox: callers of Admit wait, attempts that run wait with their results, and nothing is lost or sent twice, because a step
// that was held has not happened. It belongs to the loop.
type hold struct {
	err    error // nil while the loop goes on
	since  time.Time
	said   time.Time
	inputs []Input // what the step was to take
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
		if aux, ok := a.(protocol.Auxiliary); ok {
			r.Machine.outbox.AtOnce(name, aux.AtOnce())
		}
	}
	return r, nil
}

// newFlow returns the time of a machine's store by a clock.
func newFlow(m *Machine, c Clock) (*clock.Flow, error) {
	var last time.Time
	err := m.Store.View(func(tx *store.Tx) error {
		last = tx.Now()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the time of the last commit: %w", err)
	}
	var elapsed func() time.Duration
	if e, ok := c.(interface{ Elapsed() time.Duration }); ok {
		elapsed = e.Elapsed
	}
	return clock.NewFlow(c.Now, elapsed, last), nil
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

// Live has the loop make a step, and returns nil when it has: events that come are handled. Where it holds
// still, because the disk is full or the clock is wrong, held says so; it lives all the same, and goes on by
// itself. The error is that of the context where the loop does not come to it in time, and ErrStopping where the
// loop has ended.
func (r *Runner) Live(ctx context.Context) (held, err error) {
	answer := make(chan error, 1)
	select {
	case r.live <- answer:
	case <-r.stopped:
		return nil, ErrStopping
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case held := <-answer:
		return held, nil
	case <-r.stopped:
		return nil, ErrStopping
	case <-ctx.Done():
		return nil, ctx.Err()
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

const (
	running  phase = iota
	draining       // nothing new is taken; what is queued and due is done
	ending         // adapters and attempts are told to end, and awaited
)

// phase is how far the stop is.
type phase int

// waits is what the loop may wait for beside inputs; nil ones never come.
type waits struct {
	stop     <-chan struct{}
	deadline <-chan time.Time
	hurry    <-chan struct{}
	idle     <-chan struct{}
}

const (
	none signal = iota
	wantsStop
	wantsEnd
	wantsHurry
	allEnded
)

// signal is what ended a wait other than an input.
type signal int

// leap is the way of a clock that somebody has moved, as by /wait in the console, to what it shows now: it stops at
// everything that is due before that, so that each timer goes off at its own time and sees what came of those before it.
type leap struct {
	stop  time.Time // the next thing that is due; zero where the clock has arrived
	stops int
	busy  bool    // whether what was begun has not ended
	over  bool    // whether it is waited for no more
	kept  []Input // batches that came by the new time
}

// arrived reports whether the clock shows the time by which batches came that waited for that.
func (l *leap) arrived() bool { return l.stop.IsZero() && len(l.kept) > 0 }

package bot

import (
	"errors"
	"fmt"
	"time"

	"moot/internal/clock"
	"moot/store"
)

// Errors of the clock.
var (
	// ErrClock: the clock of the machine is wrong. The bot waits; it is the error of one that is stopped meanwhile.
	ErrClock = errors.New("the clock is wrong")
	// ErrStoreAhead: the clock is right, and the store so far ahead of it that a bot with networks does not start.
	ErrStoreAhead = errors.New("the store is ahead of the clock")

	// errAsking: a start waits a moment for the time that its networks tell.
	errAsking = fmt.Errorf("%w: no network has told the time yet", ErrClock)
)

const (
	// askPatience is how long a start waits for a network to tell the time, where the last commit is long ago or still to
	// come. The first commit of a clock that is years ahead would take the store with it.
	askPatience = 10 * time.Second
	// aheadRepeat is how often the log says that the store is ahead.
	aheadRepeat = time.Hour
)

// Clock tells the time. One that has a method Elapsed() time.Duration, as clock.Elapsed, goes on while it is behind the store;
// another stands still then, as a simulated one may.
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

// Elapsed returns what has really passed.
func (RealClock) Elapsed() time.Duration { return clock.Elapsed() }

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

// Start says how far the start of a bot is, for ClockFault.
type Start struct {
	Asked   bool // whether there are networks that tell the time
	Stepped bool // whether a step was made
	Patient bool // whether it still waits for a network to tell the time
}

// ClockFault returns why no step can be made at this time: ErrClock while the clock is wrong, ErrStoreAhead where the
// operator has to choose. Without networks that tell the time there is nobody to say so, and time flows.
func ClockFault(f *clock.Flow, servers []clock.Reading, s Start) error {
	v := f.Judge(servers)
	switch {
	case v.State == clock.Behind:
		return fmt.Errorf("%w: by the time of the network it is %s behind", ErrClock, clock.Span(v.By))
	case v.State == clock.Ahead:
		return fmt.Errorf("%w: by the time of the network it is %s ahead", ErrClock, clock.Span(v.By))
	case s.Asked && !v.Vouched && !s.Stepped && s.Patient && (v.State == clock.StoreAhead || f.Behind() > clock.Refused):
		return errAsking
	case s.Asked && !v.Vouched && f.Behind() > clock.Leap:
		return fmt.Errorf("%w, or the bot was off for long: it is %s beyond the last commit, and no network has told the time yet",
			ErrClock, clock.Span(f.Behind()))
	case v.State == clock.StoreAhead && s.Asked && !v.Vouched:
		return fmt.Errorf("%w, or was: it is %s behind the last commit, and no network has told the time yet", ErrClock, clock.Span(v.By))
	case v.State == clock.StoreAhead && s.Asked && !s.Stepped && v.By > clock.Refused:
		return fmt.Errorf("%w by %s, and the network says that the clock is right", ErrStoreAhead, clock.Span(v.By))
	}
	return nil
}

// clockFault is ClockFault, and says now and then that the store is ahead.
func (r *Runner) clockFault() error {
	patient := clock.Elapsed()-r.began < r.askPatience
	err := ClockFault(r.flow, clock.Readings(r.Servers), Start{Asked: len(r.Servers) > 0, Stepped: r.stepped, Patient: patient})
	if v := r.Verdict(); err == nil && v.State == clock.StoreAhead {
		r.sayAhead(v)
	}
	return err
}

// sayAhead says now and then that the store is ahead.
func (r *Runner) sayAhead(v clock.Verdict) {
	now := clock.Elapsed()
	if r.saidAhead == 0 || now-r.saidAhead >= aheadRepeat {
		r.Log.Error("the store is ahead of the clock: the times that the bot names are wrong until the clock has caught up", "ahead", clock.Span(v.By), "do", "run bot clock")
		r.saidAhead = now
	}
}

// Reached returns the time that the store has reached. It may be called concurrently.
func (r *Runner) Reached() time.Time { return r.flow.Last() }

// Verdict says how the clock and the store stand to each other. It may be called concurrently.
func (r *Runner) Verdict() clock.Verdict { return r.flow.Judge(clock.Readings(r.Servers)) }

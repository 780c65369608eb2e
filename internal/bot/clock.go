package bot

import (
	"errors"
	"fmt"
	"time"

	"moot/internal/clock"
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

// futureSlack is how far the clock of a network may be ahead. What is recorded is kept that much longer, so that nothing is
// forgotten before its own time has become too old to act on.
const futureSlack = 24 * time.Hour

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

func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Package clock is the time that the bot goes by.
//
// # Promises
//
//   - Time flows. While the clock of the machine is behind what the store has reached, a [Flow] goes on by what really
//     passes, also while the machine sleeps. It never stands still and never goes back.
//   - A Flow that is ahead of the clock goes one part in sixteen slower than real time until the clock has caught up: a
//     deviation heals by itself, and nothing that waits notices.
//   - [Judge] says which clock is wrong: that of the machine, or the store's. It believes the servers that the operator has
//     chosen (their Date header), never an event: no sender can stop the bot.
package clock

import (
	"fmt"
	"sync"
	"time"
)

// slower is by what part a Flow that is ahead goes slower than real time.
const slower = 16

// Flow is the time of a store. It is safe for concurrent use.
type Flow struct {
	wall    func() time.Time
	elapsed func() time.Duration // nil: time passes only with the wall clock

	mu   sync.Mutex
	at   time.Time     // the last time that the store has reached
	mark time.Duration // what had elapsed then
}

// NewFlow returns the time of a store whose last commit was at last. Wall is the clock of the machine, elapsed what has
// really passed since some moment ([Elapsed]); where elapsed is nil time stands still while wall does, as a simulated one may.
func NewFlow(wall func() time.Time, elapsed func() time.Duration, last time.Time) *Flow {
	f := &Flow{wall: wall, elapsed: elapsed, at: last}
	if elapsed != nil {
		f.mark = elapsed()
	}
	return f
}

// Now returns the time: that of the clock or, while that is behind, the last one that was reached and what has passed since.
func (f *Flow) Now() time.Time {
	flowed := f.flowed()
	if wall := f.wall(); wall.After(flowed) {
		return wall
	}
	return flowed
}

func (f *Flow) flowed() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.elapsed == nil {
		return f.at
	}
	passed := max(0, f.elapsed()-f.mark)
	return f.at.Add(passed - passed/slower)
}

// Last returns the last time that was reached.
func (f *Flow) Last() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// Reached notes that the store has made a commit at a time that Now returned.
func (f *Flow) Reached(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.Before(f.at) {
		return
	}
	f.at = at
	if f.elapsed != nil {
		f.mark = f.elapsed()
	}
}

// Behind returns how far the clock is beyond the last time that was reached; it is negative while the Flow is ahead.
func (f *Flow) Behind() time.Duration { return f.wall().Sub(f.flowed()) }

// Judge compares the clock of the machine with the store and with what servers say.
func (f *Flow) Judge(servers []Reading) Verdict { return Judge(f.wall(), f.flowed(), servers) }

// Reading is what a server says the time is: not before Low and not after High.
type Reading struct{ Low, High time.Time }

const (
	// Slack is how far two clocks may be apart without a word.
	Slack = time.Minute
	// Refused is how far ahead of a clock that is right a store may be for a start with real networks.
	Refused = time.Hour
	// Leap is how far a commit may take the store beyond the one before while no server has told the time: a bot that was
	// off for weeks cannot be told from a clock that is weeks ahead.
	Leap = 24 * time.Hour
)

// State says which clock is wrong.
type State int

// The states.
const (
	// Right: the clock of the machine is right, and the store not ahead of it.
	Right State = iota
	// StoreAhead: the clock is right, or nobody says otherwise, and the store ahead of it.
	StoreAhead
	// Behind: the servers say that the clock of the machine is behind.
	Behind
	// Ahead: they say that it is far ahead. A commit would take the store with it.
	Ahead
)

// Verdict is what can be said of a clock.
type Verdict struct {
	State   State
	By      time.Duration // how far the clock, or the store, is off
	Vouched bool          // whether a server has said so
}

// Judge says which of two clocks is wrong: that of the machine, or the store's, whose last commit was at the given time.
// Where servers disagree one that agrees with the machine is believed.
func Judge(wall, store time.Time, servers []Reading) Verdict {
	var behind, ahead time.Duration
	disagree := 0
	for _, s := range servers {
		switch {
		case wall.Before(s.Low.Add(-Slack)):
			behind = shorter(behind, s.Low.Sub(wall))
		case wall.After(s.High.Add(Refused)) && !s.High.Before(store.Add(-max(Refused, wall.Sub(store)))):
			// A server whose time lies before what the store has seen is itself the one that is wrong, unless that of the
			// machine lies even further after that.
			ahead = shorter(ahead, wall.Sub(s.High))
		default:
			continue
		}
		disagree++
	}
	if disagree > 0 && disagree == len(servers) && (behind == 0 || ahead == 0) {
		if behind > 0 {
			return Verdict{Behind, behind, true}
		}
		return Verdict{Ahead, ahead, true}
	}
	if by := store.Sub(wall); by > Slack {
		return Verdict{StoreAhead, by, len(servers) > 0}
	}
	return Verdict{Right, 0, len(servers) > 0}
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// Span writes a duration for people, in its two largest units.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	units := []struct {
		of   time.Duration
		name string
	}{{365 * day, "year"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	text, parts := "", 0
	for _, u := range units {
		n := d / u.of
		if d -= n * u.of; n == 0 && parts == 0 || parts == 2 {
			continue
		}
		parts++
		if n == 0 {
			continue
		}
		if text != "" {
			text += " "
		}
		text += fmt.Sprintf("%d %s", n, u.name)
		if n > 1 {
			text += "s"
		}
	}
	if text == "" {
		return "less than a second"
	}
	return text
}

package bot

import (
	"time"

	"moot/store"
)

// Pulser is a Feature with timers that only make a commit. A clock that is moved does not stop at them.
type Pulser interface {
	// Pulse reports whether a timer of that name is one.
	Pulse(name string) bool
}

const (
	// asleep is after how long without a step the loop was not running: the machine slept, its clock was set forward, or the
	// loop held still. Otherwise it makes one each minute.
	asleep = 2 * longestSleep
	// leapSlack is for how long something is due that is merely late: the clock was not moved.
	leapSlack = 2 * time.Second
	// leapPatience is how long a clock that was moved stops for what was begun at its last stop. Where that is not enough it stops
	// for nothing any more on its way.
	leapPatience = time.Second
	// leapStops is how often it stops. It then goes to where it shows in one.
	leapStops = 1000
)

// movable reports whether the clock is one that people move.
func (r *Runner) movable() bool { return r.Clock.Jumped() != nil }

// look looks for the next stop.
func (r *Runner) look() error {
	was := r.leap.stop
	if r.leap.stop = (time.Time{}); !r.movable() || !r.stepped {
		return nil
	}
	var next time.Time
	err := r.Machine.Store.View(func(tx *store.Tx) error {
		next = earliest(tx.NextTimerBut(r.Machine.pulse), r.Machine.outbox.Wake())
		return nil
	})
	switch {
	case err != nil:
		return err
	case next.IsZero() || r.flow.Now().Sub(next) < leapSlack:
		r.leap.stops, r.leap.over = 0, false
		return nil
	case next.After(was):
		r.leap.stops++
	}
	if r.leap.stops <= leapStops {
		r.leap.stop = next
	}
	return nil
}

func (m *Machine) pulse(name string) bool {
	for _, f := range m.Features {
		if p, ok := f.(Pulser); ok && p.Pulse(name) {
			return true
		}
	}
	return false
}

// at returns the time of the next step, and what it takes. While a moved clock is under way that is the next stop, or, for what
// comes of the last one, that one.
func (r *Runner) at(inputs []Input, ph phase) (time.Time, []Input, error) {
	if err := r.look(); err != nil {
		return time.Time{}, nil, err
	}
	if ph != running {
		r.leap.stop = time.Time{}
	}
	now, last := r.flow.Now(), r.flow.Last()
	if r.leap.stop.IsZero() {
		inputs = append(r.leap.kept, inputs...)
		r.leap.kept = nil
		return now, inputs, nil
	}
	var take []Input
	for _, in := range inputs {
		if _, is := in.(Admitted); is {
			r.leap.kept = append(r.leap.kept, in)
		} else {
			take = append(take, in)
		}
	}
	if len(take) > 0 || r.leap.busy && !r.leap.over {
		return last, take, nil
	}
	return latest(last, r.leap.stop), nil, nil
}

// woken adds to what a step takes that the loop was not running before it.
func (r *Runner) woken(now time.Time, inputs []Input) []Input {
	if last := r.flow.Last(); r.stepped && !r.movable() && now.Sub(last) > asleep {
		return append([]Input{Slept{last}}, inputs...)
	}
	return inputs
}

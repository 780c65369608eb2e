package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"moot/internal/bot"
	"moot/internal/clock"
	"moot/protocol"
	"moot/store"
)

// machine is the clock of the machine and the time that the store goes by. The time of the history itself is the true one,
// which the networks tell and which really passes.
type machine struct {
	wrongs *rand.Rand    // the chances of a clock, so that other histories stay as they are; nil means one that is right
	off    time.Duration // how far the clock is ahead of the truth
	drift  int           // how many sixteenths it goes faster than time
	wrong  bool

	flow   *clock.Flow
	opened time.Time // when the life began
	begun  bool      // whether it has made a step
	held   bool      // whether it holds still
	reset  bool      // whether the operator has it turned back before the next life
	since  time.Time // of the earliest event that is acted on after that

	at, was time.Time // the time of the last step of this life, and what it was in truth
}

// clocked gives every third history a clock that goes wrong.
func (h *history) clocked() {
	if h.seed%3 == 1 {
		h.wrongs = rand.New(rand.NewPCG(h.seed, 0x636c6f636b))
	}
}

func (h *history) wall() time.Time { return h.now.Add(h.off) }

// elapse lets time pass.
func (h *history) elapse(d time.Duration) {
	h.now = h.now.Add(d)
	h.off += d / 16 * time.Duration(h.drift)
}

// wind begins the time of a life.
func (h *history) wind() error {
	var last time.Time
	err := h.life.store.View(func(tx *store.Tx) error {
		last = tx.Now()
		return nil
	})
	epoch := h.now
	h.flow = clock.NewFlow(h.wall, func() time.Duration { return h.now.Sub(epoch) }, last)
	h.opened, h.begun, h.held, h.at = h.now, false, h.wrongs != nil, time.Time{}
	return err
}

// mayStep reports whether the clock lets the bot make a step, as it does for the runner.
func (h *history) mayStep() (bool, error) {
	if h.wrongs == nil {
		return true, nil
	}
	var told []clock.Reading
	for _, n := range h.nets {
		if n.told {
			told = append(told, clock.Reading{Low: h.now, High: h.now.Add(time.Second)})
		}
	}
	err := bot.ClockFault(h.flow, told, bot.Start{Asked: true, Stepped: h.begun, Patient: h.now.Sub(h.opened) < 10*time.Second})
	h.held = err != nil
	switch {
	case errors.Is(err, bot.ErrClock):
		h.tally.held++
		return false, nil
	case errors.Is(err, bot.ErrStoreAhead): // the operator turns the store back, or waits
		h.tally.refused++
		if h.reset = h.wrongs.IntN(2) == 0; !h.reset {
			h.elapse(h.flow.Now().Sub(h.wall()))
		}
		h.note("a start is refused, and the store turned back: %v: %v", h.reset, err)
		return false, h.crash()
	}
	return true, err
}

// turnBack turns the store back while no bot runs.
func (h *history) turnBack() error {
	h.reset = false
	st, err := store.Open(store.Config{Path: h.path})
	if err != nil {
		return err
	}
	_, since, err := bot.TurnBack(st, h.wall())
	if since.After(h.since) {
		h.since = since
	}
	return errors.Join(err, st.Close())
}

// reached checks that no time was lost before a step: timers, ends of votes, limits and retries go by it.
func (h *history) reached(at time.Time) error {
	if passed := h.now.Sub(h.was); !h.at.IsZero() && at.Sub(h.at) < passed-passed/16-time.Microsecond {
		return fmt.Errorf("%s pass, and for the bot %s", passed, at.Sub(h.at))
	}
	h.at, h.was, h.begun = at, h.now, true
	h.flow.Reached(at)
	return nil
}

// tick puts the clock wrong or right.
func (h *history) tick() error {
	switch {
	case h.wrongs == nil:
		return nil
	case h.wrong:
		if h.wrongs.IntN(12) == 0 {
			h.right()
		}
		return nil
	case h.wrongs.IntN(25) > 0:
		return nil
	}
	h.wrong = true
	h.tally.wrongs++
	jump := []time.Duration{20 * time.Second, 5 * time.Minute, 50 * time.Minute, 3 * time.Hour, 30 * time.Hour}[h.wrongs.IntN(5)]
	in1970 := time.Unix(int64(h.wrongs.IntN(100_000)), 0).Sub(h.now)
	switch h.wrongs.IntN(10) {
	case 0, 1:
		h.off = jump
	case 2:
		h.off = -jump
	case 3:
		h.drift = []int{16, 2, -2, -8}[h.wrongs.IntN(4)]
	case 4:
		h.off = in1970
	case 5:
		if h.nets[0].told || h.nets[1].told {
			h.off = 10 * 365 * day
		}
	case 6: // it starts so
		h.off = in1970
		return h.crash()
	case 7, 8, 9: // and so, and no network says anything for so long that it goes on
		h.off = jump
		h.note("a start with the clock %s ahead", jump)
		if err := h.crash(); err != nil {
			return err
		}
		h.elapse(11 * time.Second)
		return h.step(false)
	}
	h.note("the clock is %s ahead, and goes %d/16 faster", h.off, h.drift)
	return nil
}

// right puts the clock right.
func (h *history) right() {
	if h.wrong {
		h.note("the clock, %s ahead, is put right; the store is %s ahead", h.off, h.flow.Now().Sub(h.now))
	}
	h.off, h.drift, h.wrong = 0, 0, false
}

// says returns the time of what somebody says: the servers of some people are days ahead at times.
func (h *history) says(n *network, who protocol.UserID) time.Time {
	if h.wrongs != nil && who != n.self && h.wrongs.IntN(8) == 0 {
		return h.now.Add(time.Duration(2+h.wrongs.IntN(3)) * day)
	}
	return h.now
}

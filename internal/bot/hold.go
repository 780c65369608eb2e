package bot

import (
	"errors"
	"fmt"
	"time"

	"moot/internal/clock"
	"moot/store"
)

// step makes a step with the inputs, behind those of a step that was held.
func (r *Runner) step(inputs []Input, ph phase) (Effects, error) {
	inputs = append(r.hold.inputs, inputs...)
	r.hold.inputs = nil
	err := r.clockFault()
	switch {
	case errors.Is(err, ErrClock):
		r.holdStill(err, inputs)
		return Effects{}, nil
	case err != nil:
		return Effects{}, err
	}
	now, inputs, err := r.at(inputs, ph)
	if err != nil {
		return Effects{}, err
	}
	began := time.Now()
	fx, err := r.Machine.Step(now, r.woken(now, inputs))
	switch {
	case errors.Is(err, store.ErrFull):
		r.holdStill(err, inputs)
		return Effects{}, nil
	case err != nil:
		return Effects{}, err
	}
	r.flow.Reached(now)
	r.stepped = true
	r.goOn()
	if r.Meter != nil {
		r.Meter.Stepped(time.Since(began), fx.Counts)
	}
	return fx, r.look()
}

// holdStill notes that a step could not be made with what it was to take.
func (r *Runner) holdStill(err error, inputs []Input) {
	r.holds.Store(!errors.Is(err, errAsking))
	now := time.Now()
	if r.hold.err == nil {
		r.hold.since = now
	}
	// A clock that comes right may jump: what has passed is monotonic.
	if !errors.Is(err, errAsking) && (r.hold.said.IsZero() || now.Sub(r.hold.said) >= holdRepeat) {
		since := r.hold.since.UTC().Format(time.RFC3339)
		if errors.Is(err, ErrClock) {
			r.Log.Error("the clock is wrong: the bot takes no messages until it is right, and loses none", "since", since, "err", err)
		} else {
			r.Log.Error("the disk is full: the bot takes no messages until there is space, and loses none", "since", since, "err", err)
		}
		r.hold.said = now
	}
	r.hold.err, r.hold.inputs = err, inputs
}

// goOn notes that a step was made.
func (r *Runner) goOn() {
	if r.hold.err == nil {
		return
	}
	if !r.hold.said.IsZero() {
		after := time.Since(r.hold.since).Round(time.Second)
		if errors.Is(r.hold.err, ErrClock) {
			r.Log.Info("the clock is right again: the bot goes on", "after", after)
		} else {
			r.Log.Info("there is space on the disk again: the bot goes on", "after", after)
		}
	}
	r.hold = hold{}
	r.holds.Store(false)
}

// waitHeld is wait while the loop holds still.
func (r *Runner) waitHeld(w waits) signal {
	retry := r.holdRetry
	if errors.Is(r.hold.err, errAsking) {
		retry = min(retry, 20*time.Millisecond)
	}
	t := time.NewTimer(retry)
	defer t.Stop()
	select {
	case <-t.C:
	case done := <-r.settle:
		r.waiting = append(r.waiting, done)
	case answer := <-r.live:
		r.lives = append(r.lives, answer)
	case <-w.stop:
		return wantsStop
	case <-w.deadline:
		return wantsEnd
	case <-w.hurry:
		return wantsHurry
	}
	return none
}

// leaveHold returns the error of a bot that ends while it holds still, nil if it does not. What it had taken comes again at
// the next start, as after a crash.
func (r *Runner) leaveHold() error {
	if r.hold.err == nil || errors.Is(r.hold.err, errAsking) {
		return nil
	}
	return fmt.Errorf("the stop leaves everything since %s to the next run: %w", r.hold.since.UTC().Format(time.RFC3339), r.hold.err)
}

// archive moves a slice of old facts to the archive, when it is time for that, and reports whether there are more. Where
// the disk is full nothing has moved, and it is tried again soon.
func (r *Runner) archive() (more bool, err error) {
	now := r.flow.Last() // of a step, for which the clock was judged: it may have jumped since
	if now.Before(r.nextArchive) {
		return false, nil
	}
	_, more, err = r.Machine.Bus.ArchiveStep(now, archiveSlice)
	switch {
	case errors.Is(err, store.ErrFull):
		if elapsed := clock.Elapsed(); r.archiveSaid == 0 || elapsed-r.archiveSaid >= holdRepeat {
			r.Log.Error("the disk is full: old facts are not archived until there is space", "err", err)
			r.archiveSaid = elapsed
		}
		r.nextArchive = now.Add(r.holdRetry)
		return false, nil
	case err != nil:
		return false, fmt.Errorf("archive: %w", err)
	case r.archiveSaid != 0:
		r.Log.Info("there is space on the disk again: old facts are archived")
		r.archiveSaid = 0
	}
	if !more {
		r.nextArchive = now.Add(archiveEvery)
	}
	return more, nil
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
		r.Log.Error("the store is ahead of the clock: the times that the bot names are wrong until the clock has caught up", "ahead", clock.Span(v.By), "do", "run moot clock")
		r.saidAhead = now
	}
}

// Reached returns the time that the store has reached. It may be called concurrently.
func (r *Runner) Reached() time.Time { return r.flow.Last() }

// Verdict says how the clock and the store stand to each other. It may be called concurrently.
func (r *Runner) Verdict() clock.Verdict { return r.flow.Judge(clock.Readings(r.Servers)) }

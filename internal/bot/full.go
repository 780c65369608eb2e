package bot

import (
	"errors"
	"fmt"
	"time"

	"moot/store"
)

const (
	// fullRetry is how long the loop waits before it looks again whether there is room on the disk.
	fullRetry = time.Second
	// fullRepeat is how often it says that there is none.
	fullRepeat = 10 * time.Minute
)

// fullDisk is what the loop remembers while the disk is full. It then makes no step and takes nothing from the inbox:
// whoever admits waits, attempts that run wait with their results, and nothing is lost or sent twice, because a step that
// finds no room has not happened. It belongs to the loop.
type fullDisk struct {
	err   error // of the last step; nil while there is room
	since time.Time
	said  time.Time
	held  []Input // what that step was to take
}

// foundFull notes that a step found no room for what it was to take.
func (r *Runner) foundFull(err error, inputs []Input) {
	now := time.Now()
	if r.full.err == nil {
		r.full.since = now
	}
	if r.full.err == nil || now.Sub(r.full.said) >= fullRepeat {
		r.Log.Error("the disk is full: the bot takes no messages until there is room, and loses none", "since", r.full.since.UTC().Format(time.RFC3339), "err", err)
		r.full.said = now
	}
	r.full.err, r.full.held = err, inputs
}

// foundRoom notes that a step was made.
func (r *Runner) foundRoom() {
	if r.full.err != nil {
		r.Log.Info("there is room on the disk again: the bot goes on", "after", time.Since(r.full.since).Round(time.Second))
		r.full = fullDisk{}
	}
}

// step makes a step with the inputs, behind those that found no room before.
func (r *Runner) step(inputs []Input) (Effects, error) {
	inputs = append(r.full.held, inputs...)
	r.full.held = nil
	fx, err := r.Machine.Step(r.Clock.Now(), inputs)
	switch {
	case errors.Is(err, store.ErrFull):
		r.foundFull(err, inputs)
		return Effects{}, nil
	case err != nil:
		return Effects{}, err
	}
	r.foundRoom()
	return fx, nil
}

// waitForRoom is wait while the disk is full.
func (r *Runner) waitForRoom(w waits) signal {
	t := time.NewTimer(r.fullRetry)
	defer t.Stop()
	select {
	case <-t.C:
	case done := <-r.settle:
		r.waiting = append(r.waiting, done)
	case <-w.stop:
		return wantsStop
	case <-w.deadline:
		return wantsEnd
	case <-w.hurry:
		return wantsEnd
	}
	return none
}

// leaveFull returns the error of a bot that ends while the disk is full, nil if it is not. What it had taken comes again at
// the next start, as after a crash.
func (r *Runner) leaveFull() error {
	if r.full.err == nil {
		return nil
	}
	return fmt.Errorf("the stop leaves everything since %s to the next run: %w", r.full.since.UTC().Format(time.RFC3339), r.full.err)
}

// archiveFull tells whether an error of the archive is that the disk is full: nothing has moved then, and it is tried again
// in a while.
func (r *Runner) archiveFull(err error) bool {
	if !errors.Is(err, store.ErrFull) {
		return false
	}
	r.Log.Error("the disk is full: old facts are not moved to the archive until there is room", "err", err)
	r.nextArchive = r.Clock.Now().Add(fullRepeat)
	return true
}

package bot

import (
	"context"
	"errors"
	"sync"
	"time"

	"moot/internal/failpoint"
	"moot/outbox"
	"moot/protocol"
)

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
	var adapters, services sync.WaitGroup
	var chats []*network
	for _, n := range r.networks {
		if _, is := n.adapter.(protocol.Auxiliary); !is {
			chats = append(chats, n)
			continue
		}
		services.Add(1)
		adapters.Go(func() { r.supervise(work, stop, n, sync.OnceFunc(services.Done)) })
	}
	for _, n := range chats {
		adapters.Go(func() {
			services.Wait() // the first thing that is said may be work for one
			r.supervise(work, stop, n, func() {})
		})
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
		if fx, err = r.step(inputs, ph); err != nil {
			return err
		}
		r.leap.busy = !fx.Quiet
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
		if ph == draining && (fx.Quiet && len(r.inbox) == 0 && len(r.leap.kept) == 0 || errors.Is(r.hold.err, errAsking)) {
			end()
		}
	}
}

// wait returns the inputs for the next step when there are any, or none when it is time for one all the same.
func (r *Runner) wait(fx Effects, ph phase, w waits) ([]Input, signal) {
	if ph == running {
		w.hurry = nil // there is nothing to cut short yet
	}
	if r.hold.err != nil && ph != ending {
		return nil, r.waitHeld(w)
	}
	if (fx.More || r.leap.arrived()) && ph != ending {
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
		sleep := min(next.Sub(r.flow.Now()), longestSleep)
		if !r.leap.stop.IsZero() && r.leap.busy && !r.leap.over {
			sleep = leapPatience
		}
		t := time.NewTimer(sleep)
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
		r.leap.over = !r.leap.stop.IsZero() && r.leap.busy
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
	if fx.Quiet && len(r.inbox) == 0 && r.leap.stop.IsZero() && len(r.leap.kept) == 0 || ph == ending {
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
			r.networks[a.Network].attempted(in.Err)
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
		r.networks[a.Network].attempted(in.Err)
	}
	r.put(in)
}

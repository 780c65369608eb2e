package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"moot/internal/pause"
	"moot/protocol"
)

// Networks returns how each network fares, in the order of the adapters. It may be called concurrently.
func (r *Runner) Networks() (all []NetworkStatus) {
	for _, a := range r.Adapters {
		n := r.networks[a.Network()]
		n.mu.Lock()
		status := n.status
		status.Limited, status.LimitedAt = n.limited, n.limitedAt
		all = append(all, status)
		n.mu.Unlock()
	}
	return all
}

// supervise runs a network until work ends, stop says that nothing is to begin any more, or no further Run can help.
func (r *Runner) supervise(work, stop context.Context, n *network, told func()) {
	name := n.adapter.Network()
	for failed := 0; ; failed++ {
		began := time.Now()
		err := r.runNetwork(work, n, told)
		if errors.Is(err, ErrStopping) || work.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
			return // it ends because the bot does
		}
		if time.Since(began) >= r.steady {
			failed = 0
		}
		wait := time.Duration(-1)
		if retry := protocol.RetryOf(err); err != nil && retry != protocol.RetryNever {
			backoff := r.soon
			if retry == protocol.RetrySlowly {
				backoff = r.slowly
			}
			wait = backoff.After(failed)
		}
		last := r.ended(n, err, wait)
		switch {
		case err == nil:
			r.Log.Info("a network has ended", "network", name)
		case last:
			r.Log.Error("a network has ended, and none is left for which the bot would go on", "network", name, "err", err)
		case wait < 0:
			r.Log.Error("a network has ended; the bot goes on without it, and tries it again when it is restarted", "network", name, "err", err)
		default:
			r.Log.Error("a network has ended; the bot goes on without it, and tries it again", "network", name, "again", wait.Round(time.Second), "err", err)
		}
		if wait < 0 || pause.Sleep(stop, wait) != nil {
			return
		}
	}
}

// runNetwork makes one Run and returns when all attempts within it have ended too. It calls told when the loop knows, or is about
// to hear, whether the network is there.
func (r *Runner) runNetwork(work context.Context, n *network, told func()) error {
	name := n.adapter.Network()
	up := true
	if aux, ok := n.adapter.(protocol.Auxiliary); ok {
		up = !aux.Paused()
	}
	run, end := context.WithCancel(work)
	over := r.begin(underWay{what: "adapter", network: name})
	n.mu.Lock()
	n.run, n.end, n.over = run, nil, false
	n.status = NetworkStatus{Network: name, Up: up, Since: time.Now()}
	n.mu.Unlock()
	r.put(Online{name, up})
	told()

	err := protocol.Guard(func() error { return n.adapter.Run(run, admitter{r, n, run}) })

	over()
	end()
	n.mu.Lock()
	n.run = nil
	n.status.Up, n.status.Since = false, time.Now()
	n.mu.Unlock()
	r.put(Online{name, false})
	n.sends.Wait()
	return err
}

// ended notes that a Run has ended, after which wait another one begins; none where wait is negative. Where no network is
// left that runs, or may come back by itself, the bot ends, and ended reports so.
func (r *Runner) ended(n *network, err error, wait time.Duration) (last bool) {
	n.mu.Lock()
	n.over = wait < 0 || protocol.RetryOf(err) == protocol.RetrySlowly
	if err != nil {
		n.end = &NetworkEnd{n.adapter.Network(), err}
		n.status.Fault = protocol.OneLine(err.Error())
	}
	if wait >= 0 {
		n.status.Again = time.Now().Add(wait)
	}
	n.mu.Unlock()

	r.mu.Lock()
	defer r.mu.Unlock()
	var ends NetworkEnds
	for _, a := range r.Adapters {
		n := r.networks[a.Network()]
		if _, aux := a.(protocol.Auxiliary); aux {
			continue // nobody talks there: it is not what the bot runs for
		}
		n.mu.Lock()
		over, end := n.over, n.end
		n.mu.Unlock()
		if !over {
			return false
		}
		if end != nil {
			ends = append(ends, end)
		}
	}
	if r.ends == nil {
		r.ends = ends
	}
	r.stopNow()
	return true
}

// attemptOn begins an attempt on a network.
func (r *Runner) attemptOn(name protocol.Network) (adapter protocol.Adapter, ctx context.Context, leave func(), err error) {
	n := r.networks[name]
	if r.Leads != nil && !r.Leads() {
		return nil, nil, nil, errNotLeading
	}
	if n == nil {
		return nil, nil, nil, fmt.Errorf("%w: there is no adapter for %s", errNotRunning, name)
	}
	ctx, leave, ok := n.enter()
	if !ok {
		return nil, nil, nil, errNotRunning
	}
	return n.adapter, ctx, leave, nil
}

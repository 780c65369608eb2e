package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"moot/internal/pause"
	"moot/protocol"
)

// How long a network is left alone after its Run has ended: a while where that may pass by itself, longer where somebody has
// to do something first.
var (
	soon   = pause.Backoff{First: 5 * time.Second, Most: 5 * time.Minute}
	slowly = pause.Backoff{First: time.Minute, Most: 30 * time.Minute}
)

// steady is how long a Run has to last for its end to be the first failure again.
const steady = 10 * time.Minute

// errNotRunning is why nothing is sent on a network whose Run has ended.
var errNotRunning = errors.New("the network is not connected")

// NetworkStatus is how a network fares.
type NetworkStatus struct {
	Network protocol.Network `json:"network"`
	Up      bool             `json:"up"`              // whether it can be reached
	Since   time.Time        `json:"since,omitzero"`  // when that began
	Fault   string           `json:"fault,omitempty"` // why its last Run ended; zero while one runs
	Again   time.Time        `json:"again,omitzero"`  // when it is tried again; zero where it is not
}

// NetworkEnd is why a network has ended.
type NetworkEnd struct {
	Network protocol.Network
	Err     error
}

func (e *NetworkEnd) Error() string { return fmt.Sprintf("%s: %v", e.Network, e.Err) }
func (e *NetworkEnd) Unwrap() error { return e.Err }

// NetworkEnds is the error of a bot whose networks have all ended, for reasons that do not pass by themselves.
type NetworkEnds []*NetworkEnd

func (e NetworkEnds) Error() string {
	var words []string
	for _, one := range e {
		words = append(words, one.Error())
	}
	return strings.Join(words, "; ")
}

// Unwrap returns the errors of the networks.
func (e NetworkEnds) Unwrap() (errs []error) {
	for _, one := range e {
		errs = append(errs, one)
	}
	return errs
}

// network is an adapter that the Runner runs, again and again where that can help.
type network struct {
	adapter protocol.Adapter
	space   *semaphore.Weighted // for its events that wait in memory
	events  atomic.Int64        // that wait, or are being handled
	answers atomic.Int64        // that wait for others to be sent

	mu     sync.Mutex
	run    context.Context // of the Run that runs; nil while there is none
	sends  sync.WaitGroup  // attempts within it
	status NetworkStatus
	end    *NetworkEnd // why the last Run ended; nil while one runs, and where it ended well
	over   bool        // whether no Run is to come that could help
}

// enter begins an attempt within the Run that runs. The caller calls leave when the attempt has ended; ok is false where no
// Run runs.
func (n *network) enter() (ctx context.Context, leave func(), ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run == nil {
		return nil, nil, false
	}
	n.sends.Add(1)
	return n.run, n.sends.Done, true
}

// reach notes whether the network can be reached, as its Run says. It reports whether that Run still runs.
func (n *network) reach(run context.Context, up bool, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run != run {
		return false
	}
	if n.status.Up != up || n.status.Since.IsZero() {
		n.status.Up, n.status.Since = up, now
	}
	return true
}

// Networks returns how each network fares, in the order of the adapters. It may be called concurrently.
func (r *Runner) Networks() (all []NetworkStatus) {
	for _, a := range r.Adapters {
		n := r.networks[a.Network()]
		n.mu.Lock()
		all = append(all, n.status)
		n.mu.Unlock()
	}
	return all
}

// supervise runs a network until work ends, stop says that nothing is to begin any more, or no further Run can help.
func (r *Runner) supervise(work, stop context.Context, n *network) {
	name := n.adapter.Network()
	for failed := 0; ; failed++ {
		began := time.Now()
		err := r.runNetwork(work, n)
		if errors.Is(err, ErrStopping) || work.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
			return // it ends because the bot does
		}
		if time.Since(began) >= r.steady {
			failed = 0
		}
		wait := time.Duration(-1)
		switch retry := protocol.RetryOf(err); {
		case err == nil:
			r.Log.Info("a network has ended", "network", name)
		case retry == protocol.RetryNever:
			r.Log.Error("a network has ended; the bot goes on without it, and tries it again when it is restarted", "network", name, "err", err)
		default:
			backoff := r.soon
			if retry == protocol.RetrySlowly {
				backoff = r.slowly
			}
			wait = backoff.After(failed)
			r.Log.Error("a network has ended; the bot goes on without it, and tries it again", "network", name, "again", wait.Round(time.Second), "err", err)
		}
		r.ended(n, err, wait)
		if wait < 0 || pause.Sleep(stop, wait) != nil {
			return
		}
	}
}

// runNetwork makes one Run and returns when all attempts within it have ended too.
func (r *Runner) runNetwork(work context.Context, n *network) error {
	name := n.adapter.Network()
	run, end := context.WithCancel(work)
	over := r.begin(underWay{what: "adapter", network: name})
	n.mu.Lock()
	n.run, n.end, n.over = run, nil, false
	n.status = NetworkStatus{Network: name, Up: true, Since: time.Now()}
	n.mu.Unlock()
	r.put(Online{name, true})

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
// left that runs, or may come back by itself, the bot ends.
func (r *Runner) ended(n *network, err error, wait time.Duration) {
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
		n.mu.Lock()
		over, end := n.over, n.end
		n.mu.Unlock()
		if !over {
			return
		}
		if end != nil {
			ends = append(ends, end)
		}
	}
	if r.ends == nil {
		r.ends = ends
	}
	r.stopNow()
}

// attemptOn begins an attempt on a network.
func (r *Runner) attemptOn(name protocol.Network) (adapter protocol.Adapter, ctx context.Context, leave func(), err error) {
	n := r.networks[name]
	if n == nil {
		return nil, nil, nil, fmt.Errorf("%w: there is no adapter for %s", errNotRunning, name)
	}
	ctx, leave, ok := n.enter()
	if !ok {
		return nil, nil, nil, errNotRunning
	}
	return n.adapter, ctx, leave, nil
}

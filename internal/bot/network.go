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

// errNotLeading is why nothing is sent by a machine that leads no more.
var errNotLeading = errors.New("another machine may lead")

// NetworkStatus is how a network fares.
type NetworkStatus struct {
	Network protocol.Network `json:"network"`
	Up      bool             `json:"up"`              // whether it can be reached
	Since   time.Time        `json:"since,omitzero"`  // when that began
	Fault   string           `json:"fault,omitempty"` // why its last Run ended; zero while one runs
	Again   time.Time        `json:"again,omitzero"`  // when it is tried again; zero where it is not

	// Limited is how many attempts the network has put off since the bot started, and LimitedAt when it last did.
	Limited   int       `json:"limited,omitempty"`
	LimitedAt time.Time `json:"limited_at,omitzero"`
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

	limited   int       // attempts that were put off
	limitedAt time.Time // the last of them
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

// attempted notes how an attempt has ended.
func (n *network) attempted(err error) {
	if resultOf(err) != ResultLimited {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.limited++
	n.limitedAt = time.Now()
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

package protocoltest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"moot/protocol"
)

// Recorder is an Admitter that keeps what it is given. Like the bot's store it outlives the adapters that feed it.
// The zero value is ready.
type Recorder struct {
	mu       sync.Mutex
	events   []protocol.Event
	batches  [][2]int // from and to in events
	failed   []protocol.Event
	cursors  map[string]string
	refusing func([]protocol.Event) bool
	changed  chan struct{}
}

// ErrRefused is what Admit returns when it was told to refuse.
var ErrRefused = errors.New("the recorder was told to refuse this")

// Admit implements protocol.Admitter.
func (r *Recorder) Admit(ctx context.Context, events []protocol.Event, cursor protocol.Cursor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusing != nil && r.refusing(events) {
		r.refusing = nil
		r.failed = append(r.failed, events...)
		r.tellLocked()
		return ErrRefused
	}
	r.batches = append(r.batches, [2]int{len(r.events), len(r.events) + len(events)})
	r.events = append(r.events, events...)
	if cursor.Name != "" {
		if r.cursors == nil {
			r.cursors = map[string]string{}
		}
		r.cursors[cursor.Name] = cursor.Value
	}
	r.tellLocked()
	return nil
}

// Cursor implements protocol.Admitter.
func (r *Recorder) Cursor(name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cursors[name], nil
}

// RefuseOnce makes the first Admit fail whose events are such.
func (r *Recorder) RefuseOnce(such func([]protocol.Event) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusing = such
}

// Events returns what was admitted so far.
func (r *Recorder) Events() []protocol.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Batch returns the events that were admitted at once with the one at a place in Events.
func (r *Recorder) Batch(at int) []protocol.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.batches {
		if b[0] <= at && at < b[1] {
			return slices.Clone(r.events[b[0]:b[1]])
		}
	}
	return nil
}

// Wait returns where the first event from a place on is that is such; it waits for it to come.
func (r *Recorder) Wait(ctx context.Context, from int, such func(protocol.Event) bool) (at int, err error) {
	for at = from; ; {
		r.mu.Lock()
		for ; at < len(r.events); at++ {
			if such(r.events[at]) {
				r.mu.Unlock()
				return at, nil
			}
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
}

// Refused returns the events whose Admit failed, waiting for one if there is none yet.
func (r *Recorder) Refused(ctx context.Context) ([]protocol.Event, error) {
	for {
		r.mu.Lock()
		if len(r.failed) > 0 {
			defer r.mu.Unlock()
			return slices.Clone(r.failed), nil
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *Recorder) tellLocked() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

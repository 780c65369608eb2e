package bot

import (
	"context"
	"fmt"
	"time"

	"moot/internal/failpoint"
	"moot/protocol"
)

// eventSize is how many bytes of text count as one more event.
const eventSize = 4 << 10

// admitter is what a Run of an adapter sees of the Runner.
type admitter struct {
	*Runner
	*network
	within context.Context // the Run
}

// Admit implements protocol.Admitter.
func (a admitter) Admit(ctx context.Context, events []protocol.Event, cursor protocol.Cursor) error {
	select {
	case <-a.closing:
		return ErrStopping
	default:
	}
	b := &Batch{
		Network: a.adapter.Network(), Events: events, Cursor: cursor,
		weight: min(weigh(events), a.MaxQueued), count: len(events), space: a.space, done: make(chan struct{}),
	}
	if err := a.acquire(ctx, b.weight); err != nil {
		return err
	}
	select {
	case <-a.closing:
		a.space.Release(b.weight)
		return ErrStopping
	case <-a.stopped:
		return ErrStopping
	case <-ctx.Done():
		a.space.Release(b.weight)
		return ctx.Err()
	case a.inbox <- Admitted{b}: // from here on the weight is the loop's, also when nobody waits for the batch any more
		a.events.Add(int64(b.count))
	}
	select {
	case <-b.done:
		failpoint.Hit(failpoint.AdmitReturned)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-a.ending:
		return ErrStopping
	case <-a.stopped:
		return ErrStopping
	}
}

// acquire waits until there is space for events of that weight. Each network has space of its own, so that one which
// brings more than fits leaves the others theirs.
func (a admitter) acquire(ctx context.Context, weight int64) error {
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	if !a.space.TryAcquire(weight) {
		go func() {
			select {
			case <-a.closing:
			case <-a.stopped:
			case <-wait.Done():
			}
			cancel()
		}()
		if err := a.space.Acquire(wait, weight); err != nil {
			if ctx.Err() == nil {
				return ErrStopping
			}
			return fmt.Errorf("wait for space: %w", err)
		}
	}
	return nil
}

// weigh returns as how many events these count in memory.
func weigh(events []protocol.Event) (weight int64) {
	for _, ev := range events {
		weight++
		switch b := ev.Body.(type) {
		case protocol.Message:
			weight += int64(len(b.Text) / eventSize)
		case protocol.Edit:
			weight += int64(len(b.Text) / eventSize)
		case protocol.MemberList:
			weight += int64(len(b.Members) * 64 / eventSize)
		}
	}
	return weight
}

// Backlog implements protocol.Loaded.
func (a admitter) Backlog() int { return int(a.events.Load() + a.answers.Load()) }

// Held implements protocol.Loaded.
func (a admitter) Held() bool { return a.holds.Load() }

// Cursor implements protocol.Admitter.
func (a admitter) Cursor(name string) (string, error) { return a.Machine.Store.Cursor(name) }

// Connected implements protocol.Connectivity. After the end of the Run it says nothing.
func (a admitter) Connected(up bool) {
	if a.reach(a.within, up, time.Now()) {
		a.put(Online{a.adapter.Network(), up})
	}
}

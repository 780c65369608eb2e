package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"moot/internal/clock"
	"moot/internal/pause"
	"moot/store"
)

// Times of a lease.
const (
	// TTL is for how long a lease runs that is not renewed. It is renewed after a third of that, and a leader that cannot renew it
	// stops a third before its end.
	TTL = 6 * time.Second
	// againAfter is after what time something that failed is tried again.
	againAfter = 50 * time.Millisecond
)

// ErrLost says that a node leads no more: its lease ended before it could be renewed, or another node leads.
var ErrLost = errors.New("this node leads no more")

var errReleased = fmt.Errorf("%w: it has given the lease back", ErrLost)

// outage logs that something fails which is tried again many times a second.
type outage struct {
	logger  *slog.Logger
	told    time.Time // when it was logged last
	refused bool      // whether it was said that the server refuses this machine
}

// warn logs it once a minute, and where the server begins to answer, and refuses.
func (o *outage) warn(text string, err error) {
	refused := errors.Is(err, ErrRefused)
	if time.Since(o.told) >= time.Minute || refused && !o.refused {
		o.told, o.refused = time.Now(), refused
		o.logger.Warn(text, "err", err)
	}
}

// Lease is the leading of a node. It renews itself until it is released or lost.
type Lease struct {
	// Term is the term that it is of.
	Term Term

	log    Log
	ttl    time.Duration
	wall   func() time.Time
	logger *slog.Logger
	asked  atomic.Pointer[moment] // when it was asked for, or renewed, last
	ctx    context.Context        // ends with the lease, and its cause says why
	end    context.CancelCauseFunc
	renews sync.WaitGroup

	fails   outage       // of appends
	st      *store.Store // whose changes are shipped; set before the first
	entry   []byte       // the last, whose memory is used again
	shipped atomic.Int64 // bytes
}

// moment is a time by two clocks: one that nobody can set, and which on some systems stands still while the machine is suspended, and
// one that goes on meanwhile, and may be set.
type moment struct {
	elapsed time.Duration
	wall    time.Time
}

func (l *Lease) now() *moment { return &moment{clock.Elapsed(), l.wall().Round(0)} }

// since returns how much time has passed since, by the clock that says more.
func (m *moment) since(before *moment) time.Duration {
	return max(m.elapsed-before.elapsed, m.wall.Sub(before.wall))
}

// Context ends when the node leads no more. Its cause is ErrLost then. Where the machine was suspended it ends late, as timers stand still
// meanwhile: see Holds.
func (l *Lease) Context() context.Context { return l.ctx }

// Holds reports whether the node leads. It is asked before something is begun that only who leads may do.
func (l *Lease) Holds() bool {
	if l.ctx.Err() == nil && l.now().since(l.asked.Load()) >= l.until() {
		l.end(fmt.Errorf("%w: the lease was not renewed for %s", ErrLost, l.until()))
	}
	return l.ctx.Err() == nil
}

// until is for how long the node leads that cannot renew its lease.
func (l *Lease) until() time.Duration { return l.ttl - l.ttl/3 }

// renew renews the lease until it ends. The server counts from when it was asked, at the earliest.
func (l *Lease) renew() {
	fails := outage{logger: l.logger}
	for l.Holds() {
		asked := l.asked.Load()
		ctx, cancel := context.WithTimeout(l.ctx, l.until()-l.now().since(asked))
		err := pause.Sleep(ctx, l.ttl/3)
		for err == nil {
			next := l.now()
			if err = l.log.Renew(ctx, l.Term, l.ttl); err == nil {
				l.asked.Store(next)
				break
			}
			if errors.Is(err, ErrFenced) {
				l.end(fmt.Errorf("%w: %w", ErrLost, err))
				break
			}
			fails.warn("the lease could not be renewed; it is tried again", err)
			err = pause.Sleep(ctx, againAfter)
		}
		cancel()
		if err != nil {
			l.end(fmt.Errorf("%w: the lease could not be renewed for %s", ErrLost, l.until()))
		}
	}
}

// Ship appends a change. One that is not known to be appended is tried again, under the same number, until the lease
// ends: then the error is ErrLost. It is for Store.Ship, of the store that Node.Stand was given.
func (l *Lease) Ship(ch store.Change) error {
	entry := linked(l.entry[:0], l.st.Last(), ch)
	if l.entry = entry.Body; cap(l.entry) > 1<<20 {
		l.entry = nil
	}
	for l.Holds() {
		err := l.log.Append(l.ctx, l.Term, entry)
		switch {
		case err == nil:
			l.shipped.Add(int64(len(ch.Body)))
			return nil
		case errors.Is(err, ErrFenced), errors.Is(err, ErrGap):
			l.end(fmt.Errorf("%w: change %d: %w", ErrLost, ch.Number, err))
		default:
			l.fails.warn("a change could not be appended to the log; it is tried again", err)
		}
		_ = pause.Sleep(l.ctx, againAfter) // the end of the lease is seen above
	}
	return context.Cause(l.ctx)
}

// Release gives the lease back, so that another node may lead at once. Nothing is shipped any more then.
func (l *Lease) Release(ctx context.Context) error {
	l.end(errReleased)
	l.renews.Wait()
	if context.Cause(l.ctx) != errReleased { //nolint:errorlint // it is that value or another
		return nil
	}
	return l.log.Release(ctx, l.Term)
}

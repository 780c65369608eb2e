package console

import (
	"sync"
	"time"
)

// Clock is the time of a World: the real time moved by an offset, or, frozen, a time that stands still but for
// what people do. It is safe for concurrent use.
type Clock struct {
	frozen bool
	tick   time.Duration // how far a frozen clock goes on with each thing that a person does

	mu     sync.Mutex
	at     time.Time     // where a frozen clock stands
	offset time.Duration // what is added to the real time
	jumped chan struct{}
}

// newClock makes a clock that was moved before and shows at least the given time, so that it does not go backward
// over a restart.
func newClock(cfg Config, moved time.Duration, least time.Time) *Clock {
	c := &Clock{frozen: cfg.Frozen, tick: cfg.Tick, jumped: make(chan struct{})}
	if c.tick == 0 {
		c.tick = time.Second
	}
	if !c.frozen {
		c.offset = moved
	} else if c.at = cfg.Start.UTC().Round(0); cfg.Start.IsZero() {
		c.at = time.Now().UTC().Truncate(time.Second)
	}
	if d := least.Sub(c.Now()); d > 0 {
		c.moveLocked(d)
	}
	return c
}

// realClock makes a clock that shows the real time until somebody lets it stand.
func realClock() *Clock { return &Clock{jumped: make(chan struct{})} }

// NewClock returns a clock that is ahead of the real one.
func NewClock(by time.Duration) *Clock {
	c := realClock()
	c.offset = by
	return c
}

// Offset returns by how much a clock that is not frozen is ahead of the real one.
func (c *Clock) Offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// Ahead moves a clock that is not frozen, so that it is ahead of the real one by so much, or more where it is that already.
func (c *Clock) Ahead(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if by > c.offset {
		c.moveLocked(by - c.offset)
	}
}

// stand lets the clock stand at a time, or further on if it stands there already.
func (c *Clock) stand(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen && !at.After(c.at) {
		return
	}
	c.frozen, c.at = true, at.UTC()
	c.moveLocked(0)
}

// Now returns the time, in UTC and without a monotonic part.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen {
		return c.at
	}
	// A log line needs no nanoseconds.
	return time.Now().Add(c.offset).UTC().Truncate(time.Millisecond)
}

// Elapsed returns what has passed since some moment for a clock that is not frozen; for one that is, nothing ever passes.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen {
		return 0
	}
	return time.Since(started)
}

var started = time.Now()

// Jumped returns a channel that is closed when the clock next moves other than by passing: by /wait, or, where it is
// frozen, at all. Whoever sleeps until some time asks for the channel first, then for Now.
func (c *Clock) Jumped() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jumped
}

func (c *Clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moveLocked(d)
}

func (c *Clock) moveLocked(d time.Duration) {
	if c.frozen {
		c.at = c.at.Add(d)
	} else {
		c.offset += d
	}
	close(c.jumped)
	c.jumped = make(chan struct{})
}

// step lets a frozen clock go on because somebody does something.
func (c *Clock) step() {
	if c.frozen && c.tick > 0 {
		c.move(c.tick)
	}
}

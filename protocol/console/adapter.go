package console

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"moot/protocol"
)

// CursorName is the name under which the bot keeps how far it has read the world.
const CursorName = "console"

// maxBatch is how many events are admitted at once, except that what belongs to one join stays together.
const maxBatch = 500

// Adapter connects the bot to a World. It delivers from the saved cursor on; accepts every invitation of the bot,
// once it is admitted; and sends and asks at once. Use NewAdapter.
type Adapter struct {
	world *World

	mu       sync.Mutex
	running  bool
	admitted uint64
	moved    chan struct{} // closed when admitted grows
}

// NewAdapter returns an adapter to the world. One at a time may run.
func NewAdapter(w *World) *Adapter {
	return &Adapter{world: w, moved: make(chan struct{})}
}

// Network returns protocol.Console.
func (a *Adapter) Network() protocol.Network { return protocol.Console }

// Run delivers what the log says after the cursor until the context ends. The errors are those of Admit, of the log,
// and ErrOtherWorld; none of them passes by itself.
func (a *Adapter) Run(ctx context.Context, to protocol.Admitter) error {
	return protocol.Ends(protocol.RetryNever, a.run(ctx, to))
}

func (a *Adapter) run(ctx context.Context, to protocol.Admitter) error {
	if err := a.begin(); err != nil {
		return err
	}
	defer a.end()
	at, err := a.resume(to)
	if err != nil {
		return err
	}
	started := a.world.last()
	for {
		if err := a.world.acceptInvitations(at); err != nil {
			return err
		}
		b, err := a.world.next(at, started)
		if err != nil {
			return err
		}
		if len(b.events) > 0 {
			if err := a.world.sync(); err != nil {
				return err
			}
			if err := to.Admit(ctx, b.events, a.cursor(b.upTo)); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("admit the console's events up to %s: %w", eventID(b.upTo), err)
			}
		}
		if b.upTo > at {
			at = b.upTo
			continue
		}
		a.reached(at)
		select {
		case <-ctx.Done():
			return nil
		case <-b.grown:
		}
	}
}

// Admitted returns when the bot has admitted all that the log held when it was called, and the error of the context
// if that ends first. It waits for as long as no Run runs.
func (a *Adapter) Admitted(ctx context.Context) error {
	end := a.world.last()
	for {
		a.mu.Lock()
		at, moved := a.admitted, a.moved
		a.mu.Unlock()
		if at >= end {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

func (a *Adapter) begin() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running {
		return errors.New("the console adapter already runs")
	}
	a.running, a.admitted = true, 0
	return nil
}

func (a *Adapter) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = false
}

func (a *Adapter) reached(pos uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.admitted = pos
	close(a.moved)
	a.moved = make(chan struct{})
}

func (a *Adapter) cursor(pos uint64) protocol.Cursor {
	return protocol.Cursor{Name: CursorName, Value: a.world.header.World + ":" + strconv.FormatUint(pos, 10)}
}

func (a *Adapter) resume(to protocol.Admitter) (uint64, error) {
	saved, err := to.Cursor(CursorName)
	if err != nil {
		return 0, fmt.Errorf("read the cursor of the console: %w", err)
	}
	return Look{There: true, name: a.world.header.World, last: a.world.last()}.position(saved)
}

// acceptInvitations lets the bot into the rooms that it was invited to up to a position.
func (w *World) acceptInvitations(upTo uint64) error {
	return w.act(Bot, func(c *change) error {
		for _, id := range c.everywhere {
			rm := c.rooms[id]
			if n := len(rm.bot); n > 0 && rm.bot[n-1].membership == protocol.Invited && rm.bot[n-1].pos <= upTo {
				if err := c.join(rm, Bot, ""); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Package pause waits: for a time that a context may cut short, and between attempts that fail, ever longer.
package pause

import (
	"context"
	"math/rand/v2"
	"time"
)

// Sleep waits, but not past the context, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Backoff is how long to wait between attempts that fail: about First, then twice as long each time, up to Most.
type Backoff struct{ First, Most time.Duration }

// After returns the pause after n failures before this one. Half of it is left to chance, so that those who failed together
// do not try together.
func (b Backoff) After(n int) time.Duration { return b.Part(n, rand.Float64()) }

// Part is After where the caller brings the chance, from 0 to 1.
func (b Backoff) Part(n int, chance float64) time.Duration {
	d := b.Most
	if n < 40 && b.First > 0 && b.Most>>max(n, 0) > b.First {
		d = b.First << max(n, 0)
	}
	return d/2 + time.Duration(float64(d/2)*chance)
}

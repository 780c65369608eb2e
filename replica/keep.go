package replica

import (
	"context"
	"time"

	"moot/internal/pause"
	"moot/store"
)

const (
	// baseAfter is after how many bytes of changes another base is made.
	baseAfter = 64 << 20
	// keepEvery is how often it is looked whether one is due.
	keepEvery = 10 * time.Second
)

// Keep sees to it that the log does not grow for ever: now and then it puts another base, and trims what is before
// the one that it replaces, until ctx ends, which is no error. What the server has is logged and tried again.
func (n *Node) Keep(ctx context.Context, st *store.Store, l *Lease) error {
	from, before := int64(0), uint64(0)
	fails := outage{logger: n.Logger}
	if s, err := n.Log.Stand(ctx); err == nil {
		before = s.Base
	}
	for pause.Sleep(ctx, keepEvery) == nil {
		shipped := l.shipped.Load()
		if shipped-from < baseAfter {
			continue
		}
		number, err := n.MakeBase(ctx, st, l)
		if err == nil {
			err = n.Log.Trim(ctx, l.Term, before)
		}
		switch {
		case err == nil:
			n.Logger.Info("another base was put beside the log", "change", number, "trimmed", before)
			from, before = shipped, number
		case ctx.Err() == nil:
			fails.warn("no other base could be put beside the log; it is tried again", err)
		}
	}
	return nil
}

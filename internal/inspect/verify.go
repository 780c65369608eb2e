package inspect

import (
	"context"
	"errors"
	"path/filepath"

	"moot/events"
)

// Verified is what came of a replay of the log of facts.
type Verified struct {
	events.Verified
	// Difference is the first one between what the log gives and what the bot knows; zero means that there is none.
	Difference string `json:"difference,omitempty"`
	Bucket     string `json:"bucket,omitempty"` // in which it is
	Key        string `json:"key,omitempty"`
}

// Verify replays the log, its archive included, beside the store, and compares every projection with what comes of it. As
// a full check it does not return a page, but takes as long as it takes, or until the context ends; gently where a bot
// runs beside it.
func (in *Inspector) Verify(ctx context.Context) (Verified, error) {
	bus, err := in.bus()
	if err != nil {
		return Verified{}, err
	}
	done, err := bus.Replay(ctx, filepath.Dir(in.Store.Path()), in.Running)
	var diff *events.Difference
	if errors.As(err, &diff) {
		return Verified{done, diff.Error(), diff.Bucket, diff.Key}, nil
	}
	return Verified{Verified: done}, err
}

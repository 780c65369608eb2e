package member

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"moot/cluster/channel"
)

// looking is how often it is looked whether the launcher is there, and whether all shards are ready. Discord's last READY to
// "launch_next" is to take less than a tenth of a second.
const (
	lookForParent = 250 * time.Millisecond
	lookForReady  = 20 * time.Millisecond
)

func watchParent(ctx context.Context, parent int, end context.CancelCauseFunc) {
	for tick := time.NewTicker(lookForParent); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if os.Getppid() != parent {
			end(ErrOrphaned)
			return
		}
	}
}

// Config says what a cluster is.
type Config struct {
	Start   Start
	Channel *channel.Channel
	// Health returns how each shard of the cluster is. It does not block.
	Health func() []channel.ShardHealth
	// Run is what the cluster does, once its number is its own.
	Run func(ctx context.Context) error
	Log *slog.Logger
}

// ErrTaken is why a cluster ends whose number another process has got, as after it was frozen for long.
var ErrTaken = errors.New("another process has the number of this cluster")

// Run takes the number of the cluster, which it may have to wait for, and does what a cluster does until the context or its work ends.
func Run(ctx context.Context, cfg Config) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop(nil)
	beside.Go(func() { cfg.Channel.Send(ctx) })
	taken, listening := make(chan struct{}), make(chan struct{})
	beside.Go(func() {
		err := cfg.Channel.HoldCluster(ctx, cfg.Start.ID, rand.Text(), func() { close(taken) })
		switch {
		case errors.Is(err, channel.ErrHeld):
			stop(ErrTaken)
		case err != nil && ctx.Err() == nil:
			stop(err)
		}
	})
	select {
	case <-taken:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	beside.Go(func() {
		ping := func(p channel.Ping) {
			if p.ID == cfg.Start.ID {
				cfg.Channel.SayDiag(channel.Answer{Nonce: p.Nonce, Data: cfg.Health()})
			}
		}
		// What is said on the channel to others, or by others, is none of this cluster's business.
		err := cfg.Channel.Listen(ctx, func() { close(listening) }, func(channel.Message) {}, ping)
		if err != nil && ctx.Err() == nil {
			stop(err)
		}
	})
	beside.Go(func() {
		select {
		case <-listening: // who is launched is asked how it is
		case <-ctx.Done():
			return
		}
		for tick := time.NewTicker(lookForReady); ; {
			if ready(cfg.Start.Shards, cfg.Health()) {
				tick.Stop()
				cfg.Channel.SayLaunched(cfg.Start.ID, cfg.Start.Shards[0], cfg.Start.Shards[len(cfg.Start.Shards)-1])
				cfg.Log.Info("all shards of the cluster are ready", "cluster", cfg.Start.ID, "shards", cfg.Start.Shards)
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
	err := cfg.Run(ctx)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// ready reports whether all of the shards are.
func ready(shards []int, health []channel.ShardHealth) bool {
	up := map[int]bool{}
	for _, h := range health {
		up[h.ShardID] = h.Up
	}
	for _, k := range shards {
		if !up[k] {
			return false
		}
	}
	return true
}

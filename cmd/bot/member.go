package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"moot/cluster/channel"
	"moot/cluster/member"
	"moot/cluster/process"
	"moot/internal/config"
	"moot/internal/page"
	"moot/protocol/discord"
	"moot/protocol/discord/node"
)

// runMember is a cluster that a launcher has started, mewld or moot cluster: a node that says on the channel how it is. The writer is
// another process, moot run, or, where the configuration says so, cluster 0.
func (a *app) runMember(ctx context.Context, args []string) error {
	a.launched = true
	err := a.tryMember(ctx, args)
	if usage := (*usageError)(nil); errors.As(err, &usage) || needsPerson(err) {
		// A launcher starts again whatever ends with another code than 0. This would end so every time.
		fmt.Fprintf(a.errs, "%s\nThe cluster stays down until somebody starts it.\n", explain(err))
		return nil
	}
	return err
}

func (a *app) tryMember(ctx context.Context, args []string) error {
	start, err := member.ParseStart(args, os.Getenv)
	if err != nil {
		return usageErrorf("%v.", err)
	}
	cfg, _, err := a.load()
	if err != nil {
		return err
	}
	if ctx, err = member.Orphaned(ctx, os.Getenv(process.LifelineVariable)); err != nil {
		return err
	}
	err = a.member(ctx, cfg, start)
	if cause := context.Cause(ctx); err == nil && errors.Is(cause, member.ErrOrphaned) {
		err = cause
	}
	return err
}

func (a *app) member(ctx context.Context, cfg config.Config, start member.Start) (err error) {
	writes := start.ID == 0 && cfg.Nodes.Writer == "cluster"
	if len(cfg.Nodes.At()) == 0 || writes && cfg.Nodes.Listen == "" {
		return config.Problems{{Text: `listen in [nodes]: a cluster is a node of a bot that has the data; write where that is, as in listen = "unix:nodes.sock"`}}
	}
	token, err := cfg.Discord.Token.Token()
	if err != nil {
		return fmt.Errorf("token in [discord]: %w", err)
	}
	dial, err := dialer(cfg.Nodes)
	if err != nil {
		return err
	}
	if writes && cfg.HTTP.Page {
		a.tail = &page.Tail{}
	}
	log, closeLog, err := a.openLog(cfg, false)
	if err != nil {
		return err
	}
	defer closing(&err, "close the log", closeLog)
	log = log.With("cluster", start.ID)
	redis := cmp.Or(os.Getenv("REDIS_URL"), cfg.Nodes.Redis)
	if redis == "" {
		return config.Problems{{Text: `redis in [nodes]: the launcher does not say where Redis is; write it as in redis = "127.0.0.1:6379", or set REDIS_URL`}}
	}
	c, err := channel.Open(ctx, redis, start.Channel, log)
	if err != nil {
		return err
	}
	defer closing(&err, "close the connection to Redis", c.Close)
	var adapter atomic.Pointer[discord.Adapter]
	d := discordConfig(cfg, token)
	d.Transport = newServer()
	work := node.New(node.Config{
		Name: nodeName(), Shards: start.Shards, Count: start.Total, Dial: dial, Patience: patienceOf(cfg.Nodes), Discord: d, Watch: adapter.Store, Log: log,
	}).Run
	if writes {
		work = a.withWriter(work, log)
	}
	return member.Run(ctx, member.Config{
		Start: start, Channel: c, Log: log, Run: work,
		Health: func() []channel.ShardHealth { return healthOf(adapter.Load(), start.Shards) },
	})
}

// withWriter runs the writer around a node of the same process: it ends after the node, which at its end hands over how far it has come.
// Either is of no use without the other.
func (a *app) withWriter(node func(context.Context) error, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		writing, stopWriter := context.WithCancel(context.WithoutCancel(ctx))
		defer stopWriter()
		ctx, stopNode := context.WithCancel(ctx)
		defer stopNode()
		ended := make(chan error, 1)
		go func() {
			defer stopNode()
			ended <- a.run(writing, runFlags{log: log})
		}()
		err := node(ctx)
		stopWriter()
		return cmp.Or(<-ended, err) // without the writer the node ends for no reason of its own
	}
}

// healthOf is how the shards of a cluster are; nil is an adapter that is still to be made.
func healthOf(a *discord.Adapter, shards []int) (all []channel.ShardHealth) {
	known := map[int]discord.ShardHealth{}
	if a != nil {
		for _, h := range a.Health() {
			known[h.Shard] = h
		}
	}
	for _, k := range shards {
		h := known[k]
		all = append(all, channel.ShardHealth{
			ShardID: k, Up: h.Up, Latency: float64(h.Latency) / float64(time.Millisecond), Guilds: uint64(h.Guilds), Users: uint64(h.Members),
		})
	}
	return all
}

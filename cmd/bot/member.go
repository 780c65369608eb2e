package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"moot/cluster/channel"
	"moot/cluster/member"
	"moot/cluster/process"
	"moot/internal/config"
	"moot/protocol/discord"
	"moot/protocol/discord/node"
)

// runMember is a cluster that a launcher has started, mewld or moot cluster: a node that says on the channel how it is. The writer is
// another process: moot run.
func (a *app) runMember(ctx context.Context, args []string) error {
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
	cfg, _, err := config.Load(a.configFile)
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
	if cfg.Nodes.Listen == "" {
		return config.Problems{{Text: `listen in [nodes]: a cluster is a node of a bot that has the data; write where that is, as in listen = "unix:nodes.sock"`}}
	}
	token := os.Getenv("MTOKEN")
	if token == "" {
		if token, err = cfg.Discord.Token.Token(); err != nil {
			return fmt.Errorf("token in [discord]: %w", err)
		}
	}
	dial, err := dialer(cfg.Nodes)
	if err != nil {
		return err
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
	return member.Run(ctx, member.Config{
		Start: start, Channel: c, Log: log,
		Health: func() []channel.ShardHealth { return healthOf(adapter.Load(), start.Shards) },
		Run: node.New(node.Config{
			Name: nodeName(), Shards: start.Shards, Count: start.Total, Dial: dial, Discord: d, Watch: adapter.Store, Log: log,
		}).Run,
	})
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

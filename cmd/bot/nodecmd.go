package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/protocol/discord/node"
)

func (a *app) nodeCommand() *cobra.Command {
	var shards, connect string
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Connect some shards of Discord, for a bot in another process",
		Long: `Connects some shards of Discord, for a bot that runs in another process. That one,
moot run with listen in [nodes], has all the data; a node has none, and can be
killed at any time: the sessions of its shards are taken up by the next node that
has them. While the bot is away, nodes stay connected and wait for it.

A second node with the same shards waits until the first is gone. The node reads
[discord] and [nodes] of the configuration, which it can share with the bot.`,
		Example: `  moot node --shards 0-7/16
  moot node --shards 8-15/16 --connect unix:/run/moot/nodes.sock
  moot node --shards 0-7/16 --connect 10.0.0.5:7400,10.0.0.6:7400`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			own, count, err := parseShards(shards)
			if err != nil {
				return usageErrorf("--shards %q: %v.", shards, err)
			}
			cfg, _, err := config.Load(a.configFile)
			if err != nil {
				return &runError{err}
			}
			if connect != "" {
				cfg.Nodes.Writers = strings.Split(connect, ",")
			}
			if len(cfg.Nodes.At()) == 0 {
				return usageErrorf("Where is the bot? Write listen in [nodes], or --connect unix:/run/moot/nodes.sock.")
			}
			if err := a.runNode(cmd.Context(), cfg, own, count); err != nil {
				return &runError{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&shards, "shards", "", "which `SHARDS` this node has, and of how many: 0-3/16")
	cmd.Flags().StringVar(&connect, "connect", "", "the `ADDRESS` of the bot, in place of the one in [nodes]; those of several machines with commas between them")
	return cmd
}

// runNode runs a node until the context ends.
func (a *app) runNode(ctx context.Context, cfg config.Config, own []int, count int) (err error) {
	token, err := cfg.Discord.Token.Token()
	if err != nil {
		return fmt.Errorf("token in [discord]: %w", err)
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
	defer func() { a.logEnd(log, err) }()
	d := discordConfig(cfg, token)
	d.Transport = newServer()
	log.Info("the node starts", "version", version(), "shards", own, "of", count, "pid", os.Getpid())
	err = node.New(node.Config{Name: nodeName(), Shards: own, Count: count, Dial: dial, Patience: patienceOf(cfg.Nodes), Discord: d, Log: log}).Run(ctx)
	log.Info("the node has stopped")
	return err
}

// nodeName is unlike that of any other process.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return fmt.Sprintf("%s/%d/%d", host, os.Getpid(), time.Now().UnixNano())
}

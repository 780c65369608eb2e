package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"moot/backup"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/page"
	"moot/protocol"
	"moot/protocol/discord"
)

var errNoPage = errors.New("this bot shows no page; write page = true below listen in [http], and restart it")

func (a *app) webCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "web",
		Short: "Give a link to the page of a running bot, which lets you in once",
		Long: `Gives a link to the page of the bot that runs: rooms, votes, the outbox, dead
letters and the log, in a browser on this machine. The link lets one browser in,
within five minutes; it then stays in for 12 hours. The page is switched on by
page = true in [http].

From another machine, an SSH tunnel leads there: ssh -L 9617:127.0.0.1:9617 HOST.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *control.Client, _ config.Config) error {
				link, err := c.Web(cmd.Context())
				if err == nil {
					a.printf("%s\n", link)
				}
				return err
			})
		},
	}
}

// newPage makes the page of a bot that runs. Standby says which machine leads; nil where this one does.
func (a *app) newPage(cfg config.Config, h *control.Handler, maker *backup.Maker, nets *networks, began time.Time, standby func() string, log *slog.Logger) *page.Page {
	return page.New(page.Config{
		Standby:   standby,
		Inspector: h.Inspector, Version: "moot " + version(), Started: began, Folder: cfg.Data,
		Networks: func() []bot.NetworkStatus { return h.Status().Networks }, Shards: nets.shards, Retry: h.Retry, Drop: h.Drop, Tail: a.tail, Log: log,
		Backups: func() ([]backup.Backup, time.Time) { return maker.Recent(), maker.Last() }, Jobs: h.Jobs,
		Order: func(ctx context.Context, what protocol.OrderKind, job protocol.Key) (string, error) {
			return h.Service(ctx, control.ServiceOrder{What: string(what), Job: string(job)})
		},
	})
}

// shards are the connections to Discord.
func (n *networks) shards() (all []page.Shard) {
	if n.hub != nil {
		for i, up := range n.hub.Shards() {
			all = append(all, page.Shard{Number: i, Up: up})
		}
		return all
	}
	for _, a := range n.adapters {
		r, ok := a.(*renewed)
		if !ok || r.network != discord.Network {
			continue
		}
		if current := r.current.Load(); current != nil {
			if d, ok := (*current).(*discord.Adapter); ok {
				for i, up := range d.Shards() {
					all = append(all, page.Shard{Number: i, Up: up})
				}
			}
		}
	}
	return all
}

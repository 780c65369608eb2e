package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/mattn/go-isatty"

	"moot/internal/bot"
	"moot/internal/clock"
	"moot/internal/config"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/console/apart"
	"moot/protocol/discord"
	"moot/protocol/matrix"
	"moot/protocol/remote"
	servicenet "moot/protocol/service"
	"moot/store"
)

// networks are the connections of a bot, and the world of the console where it is one of them.
type networks struct {
	adapters []protocol.Adapter
	clock    bot.Clock      // nil means the real one
	world    *console.World // nil means that there is no console
	console  *console.Adapter
	remote   *apart.Remote   // nil where the console is not in another process
	matrix   *matrixAccount  // nil means that there is none
	servers  []*clock.Server // what the networks say the time is
	services []*servicenet.Adapter
	hub      *remote.Hub // of the nodes that have the shards of Discord; nil where they are in this process
}

// server returns a transport for a network, by whose answers the bot knows what the time is there.
func (n *networks) server() *clock.Server {
	s := newServer()
	n.servers = append(n.servers, s)
	return s
}

func newServer() *clock.Server {
	return &clock.Server{Next: http.DefaultTransport.(*http.Transport).Clone()}
}

// openNetworks opens what is configured. The caller holds the lock on the data folder.
func (a *app) openNetworks(ctx context.Context, cfg config.Config, f runFlags, st *store.Store, feats *features, log *slog.Logger) (_ *networks, err error) {
	n := &networks{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.services, err = openServices(cfg, st, feats.services, log); err != nil {
		return nil, err
	}
	for _, s := range n.services {
		n.adapters = append(n.adapters, s)
	}
	if f.pipe {
		pipe := console.NewPipe(a.in, a.out)
		n.adapters, n.clock = append(n.adapters, pipe), pipe.Clock()
		return n, nil
	}
	if f.apart {
		n.remote = f.parent
		if err := n.remote.Begin(ctx); err != nil {
			return nil, err
		}
		n.adapters, n.clock = append(n.adapters, n.remote), n.remote.Clock()
		return n, nil
	}
	if cfg.Matrix.Enabled() {
		if n.matrix, err = a.openAccount(ctx, cfg, st, n.server(), log); err != nil {
			return nil, err
		}
		n.adapters = append(n.adapters, &renewed{network: matrix.Network, make: func() (protocol.Adapter, error) {
			return n.matrix.adapter(st, feats.commands), nil
		}})
	}
	if cfg.Discord.Enabled() && cfg.Nodes.Listen != "" {
		if n.hub, err = openNodes(cfg, st, feats.commands, log); err != nil {
			return nil, err
		}
		n.adapters = append(n.adapters, n.hub)
	} else if cfg.Discord.Enabled() {
		server := n.server()
		open := func() (protocol.Adapter, error) { return a.openDiscord(cfg, st, feats, server, log) }
		if _, err := open(); err != nil {
			return nil, err
		}
		n.adapters = append(n.adapters, &renewed{network: discord.Network, make: open})
	}
	if !usesConsole(cfg, f) {
		return n, nil
	}
	world, err := console.Open(console.Config{
		Dir: cfg.Data, Frozen: !f.start.IsZero(), Start: f.start, Real: len(cfg.Networks()) > 0, Language: spoken(cfg),
	})
	if err != nil {
		return nil, fmt.Errorf("open the console: %w", err)
	}
	n.world, n.console = world, console.NewAdapter(world)
	if len(cfg.Networks()) == 0 {
		n.clock = world.Clock() // the console's clock is the console's alone
	}
	n.adapters = append(n.adapters, n.console)
	return n, nil
}

func (n *networks) close() error {
	for _, s := range n.services {
		s.Close()
	}
	err := n.matrix.close()
	if n.world != nil {
		err = errors.Join(err, n.world.Close())
	}
	return err
}

func usesConsole(cfg config.Config, f runFlags) bool {
	return !f.pipe && (f.console || cfg.UseConsole())
}

// nobody reports whether the standard input can bring nothing: it is closed, or a device such as /dev/null.
func nobody(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err != nil || info.Mode()&os.ModeCharDevice != 0 && !isatty.IsTerminal(f.Fd())
}

// isTerminal reports whether a person sits there.
func (a *app) isTerminal() bool {
	in, ok := a.in.(*os.File)
	out, ok2 := a.out.(*os.File)
	return ok && ok2 && isatty.IsTerminal(in.Fd()) && isatty.IsTerminal(out.Fd())
}
